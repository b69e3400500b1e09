"""Windows follow the formula, and carry the lyrics that are sung in them."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from songatlas import tables
from songatlas.corpus.windows import cut_windows, window_counts, window_lyrics


def tracks(**durations: float | None) -> pd.DataFrame:
    return pd.DataFrame(
        {"track_id": list(durations), "duration_s": list(durations.values()), "split": "train"}
    ).astype({"duration_s": "float64"})


@pytest.mark.parametrize(
    ("duration", "count"),
    [(30.0, 1), (49.999, 1), (50.0, 2), (69.99, 2), (70.0, 3), (158.92, 7), (12.0, 1), (0.1, 1)],
)
def test_window_count_matches_the_formula(duration: float, count: int) -> None:
    assert window_counts(np.array([duration]), 30.0, 20.0).tolist() == [count]


@given(hops=st.integers(0, 2000), length=st.integers(1, 600), hop=st.integers(1, 600))
def test_durations_of_whole_hops_count_despite_rounding(hops: int, length: int, hop: int) -> None:
    length_s, hop_s = length / 10, hop / 10
    duration = length_s + sum([hop_s] * hops)  # rounding adds up
    assert window_counts(np.array([duration]), length_s, hop_s).tolist() == [hops + 1]


@given(samples=st.integers(1, 10**7), rate=st.sampled_from([22050, 44100, 48000]))
def test_window_count_equals_exact_arithmetic(samples: int, rate: int) -> None:
    exact = (Fraction(samples, rate) - 30) / 20
    expected = max(exact.numerator // exact.denominator, 0) + 1
    assert window_counts(np.array([samples / rate]), 30.0, 20.0).tolist() == [expected]


def test_windows_start_at_multiples_of_the_hop_and_do_not_reach_beyond_the_song() -> None:
    windows = cut_windows(tracks(a=75.0, b=30.0), 30.0, 20.0)
    assert windows["window_id"].tolist() == ["a-0000", "a-0001", "a-0002", "b-0000"]
    assert windows["start_s"].tolist() == [0.0, 20.0, 40.0, 0.0]
    assert windows["end_s"].tolist() == [30.0, 50.0, 70.0, 30.0]
    assert not windows["padded"].any()


def test_a_song_shorter_than_a_window_gets_one_padded_window() -> None:
    windows = cut_windows(tracks(short=29.5, exact=30.0 - 1e-12), 30.0, 20.0)
    assert windows["padded"].tolist() == [True, False]
    assert windows["end_s"].tolist() == [30.0, 30.0]


def test_songs_without_audio_have_no_windows() -> None:
    assert cut_windows(tracks(a=None), 30.0, 20.0).empty
    assert cut_windows(tracks(a=None, b=31.0), 30.0, 20.0)["track_id"].tolist() == ["b"]


def test_a_window_has_the_lines_that_overlap_it() -> None:
    windows = cut_windows(tracks(a=75.0), 30.0, 20.0)
    lines = pd.DataFrame(
        [
            ("a", 1.0, 5.0, "one"),
            ("a", 18.0, 20.0, "ends where the second begins"),
            ("a", 25.0, 45.0, "in all three"),
            ("a", 30.0, 31.0, "begins where the first ends"),
            ("a", 50.0, 50.0, "no duration"),
        ],
        columns=list(tables.LINES.columns),
    )
    texts = window_lyrics(windows, lines, {"a": "whole"})
    assert texts.tolist() == [
        "one\nends where the second begins\nin all three",
        "in all three\nbegins where the first ends",
        "in all three\nno duration",
    ]


def test_a_silent_window_of_a_timed_song_has_no_lyrics() -> None:
    windows = cut_windows(tracks(a=75.0), 30.0, 20.0)
    lines = pd.DataFrame([("a", 60.0, 61.0, "late")], columns=list(tables.LINES.columns))
    assert window_lyrics(windows, lines, {"a": "late"}).isna().tolist() == [True, True, False]


def test_without_time_stamps_every_window_has_the_songs_lyrics() -> None:
    windows = cut_windows(tracks(a=55.0, b=30.0), 30.0, 20.0)
    texts = window_lyrics(windows, tables.empty(tables.LINES), {"a": "whole"})
    assert texts.fillna("-").tolist() == ["whole", "whole", "-"]
