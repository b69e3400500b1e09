"""Songs are split, artists never, and counts are exact where they can be."""

import itertools

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from songatlas.corpus.folds import resolve
from songatlas.corpus.splits import artist_key, split_exact, split_folds, split_hashed
from songatlas.errors import SongatlasError

LANGUAGES, GENRES = ("ar", "en", "es", "hi"), ("pop", "rock", "hip-hop")


def corpus(per_stratum: int, artists: int | None = None) -> pd.DataFrame:
    """Four languages × three genres × `per_stratum` songs, with as many `artists` a stratum."""
    rows = []
    for language, genre in itertools.product(LANGUAGES, GENRES):
        for number in range(per_stratum):
            artist = f"{language} {genre} {number % artists}" if artists else None
            rows.append((f"{language}-{genre}-{number:03d}", artist, language, genre, True))
    columns = ["track_id", "artist", "language", "genre", "has_audio"]
    return pd.DataFrame(rows, columns=columns)


def songs(draw_artists: list[int | None], audio: list[bool]) -> pd.DataFrame:
    count = len(draw_artists)
    return pd.DataFrame(
        {
            "track_id": [f"{number:04d}" for number in range(count)],
            "artist": [None if a is None else f"artist {a}" for a in draw_artists],
            "language": [LANGUAGES[n % 4] if n % 7 else None for n in range(count)],
            "genre": [GENRES[n % 3] if n % 5 else None for n in range(count)],
            "has_audio": (audio * count)[:count],
        }
    )


ARTISTS = st.lists(st.none() | st.integers(0, 8), min_size=1, max_size=60)


def splits_per_artist(frame: pd.DataFrame, split: pd.Series) -> pd.Series:
    known = frame["artist"].notna()
    return split[known].groupby(frame.loc[known, "artist"]).nunique()


def test_the_studys_180_songs_split_144_18_18() -> None:
    frame = corpus(15)
    split = split_exact(frame, 0.1, 0.1, 42)
    assert split.value_counts().to_dict() == {"train": 144, "validation": 18, "test": 18}
    for name in ("validation", "test"):
        strata = frame[split == name].groupby(["language", "genre"]).size()
        assert len(strata) == 12
        assert set(strata) <= {1, 2}
        assert set(frame[split == name].groupby("language").size()) <= {4, 5}


def test_another_seed_gives_another_split_of_the_same_size() -> None:
    frame = corpus(15)
    first, second = (split_exact(frame, 0.1, 0.1, seed) for seed in (1, 2))
    assert not first.equals(second)
    assert first.value_counts().to_dict() == second.value_counts().to_dict()


def test_exact_counts_hold_with_artists_of_several_songs() -> None:
    frame = corpus(15, artists=5)
    split = split_exact(frame, 0.1, 0.1, 42)
    assert split.value_counts().to_dict() == {"train": 144, "validation": 18, "test": 18}
    assert splits_per_artist(frame, split).max() == 1
    assert frame[split == "test"]["language"].nunique() == 4


@settings(deadline=None, max_examples=60)
@given(
    artists=ARTISTS, audio=st.lists(st.booleans(), min_size=1, max_size=5), seed=st.integers(0, 9)
)
def test_artist_never_crosses_splits(
    artists: list[int | None], audio: list[bool], seed: int
) -> None:
    frame = songs(artists, audio)
    for split in (split_exact(frame, 0.1, 0.2, seed), split_hashed(frame, 0.1, 0.2, seed)):
        assert (splits_per_artist(frame, split) == 1).all()
        assert set(split) <= {"train", "validation", "test"}
        assert len(split) == len(frame)


@settings(deadline=None, max_examples=60)
@given(count=st.integers(1, 80), audio=st.lists(st.booleans(), min_size=1, max_size=5))
def test_without_artists_counts_are_always_exact(count: int, audio: list[bool]) -> None:
    split = split_exact(songs([None] * count, audio), 0.1, 0.1, 42)
    sizes = split.value_counts()
    assert sizes.get("test", 0) == round(count * 0.1)
    assert sizes.get("validation", 0) == round(count * 0.1)


def test_songs_with_and_without_audio_are_split_alike() -> None:
    frame = songs([None] * 100, [True] + [False] * 4)
    split = split_exact(frame, 0.1, 0.1, 42)
    assert split[frame["has_audio"]].value_counts().to_dict() == {
        "train": 16,
        "validation": 2,
        "test": 2,
    }


def test_strata_too_small_for_every_split_leave_their_languages_counts_right() -> None:
    frame = corpus(2)  # six songs a language: no stratum can be in all three splits
    split = split_exact(frame, 1 / 6, 1 / 6, 42)
    counts = frame.assign(split=split).groupby(["language", "split"]).size().unstack()
    assert (counts["test"] == 1).all()
    assert (counts["validation"] == 1).all()


def test_the_order_of_rows_does_not_matter() -> None:
    frame = corpus(15, artists=4)
    shuffled = frame.sample(frac=1.0, random_state=3)
    for method in (split_exact, split_hashed):
        assert method(frame, 0.1, 0.1, 42).equals(method(shuffled, 0.1, 0.1, 42).sort_index())


def test_hashed_splits_do_not_change_when_songs_are_added_or_relabelled() -> None:
    frame = corpus(15, artists=7)
    before = split_hashed(frame, 0.1, 0.1, 42)
    more = pd.concat(
        [frame.assign(genre="other"), corpus(3).assign(track_id=lambda f: "x" + f.track_id)]
    )
    after = split_hashed(more, 0.1, 0.1, 42)
    assert before.tolist() == after.tolist()[: len(before)]


def test_hashed_splits_have_about_the_shares_asked_for() -> None:
    frame = songs([None] * 5000, [True])
    shares = split_hashed(frame, 0.1, 0.2, 0).value_counts(normalize=True)
    assert shares["validation"] == pytest.approx(0.1, abs=0.02)
    assert shares["test"] == pytest.approx(0.2, abs=0.02)


def test_spellings_of_one_artist_are_one_and_placeholders_are_none() -> None:
    assert artist_key("  Joan  BAEZ") == artist_key("joan baez")
    for name in ("Unknown", "various artists", "", None, float("nan"), "N/A"):
        assert artist_key(name) is None
    for name in ("Soundtrack", "Traditional", "Original Cast", "Various Artists feat. Drake"):
        assert artist_key(name) is None


@pytest.mark.parametrize(
    "guests", ["feat. Rihanna", "ft. Rihanna", "featuring Rihanna", "(feat. A & B)", "[Ft. X]"]
)
def test_a_song_with_guests_is_the_main_artists(guests: str) -> None:
    assert artist_key(f"Drake {guests}") == artist_key("Drake")


@pytest.mark.parametrize(
    "name", ["Drake & Future", "Little Feat", "Ft. Worth Trio", "Featuring", "Craft. Works"]
)
def test_names_without_a_guest_stay_whole(name: str) -> None:
    assert artist_key(name) == name.casefold()


def test_songs_of_unknown_artists_are_not_kept_together() -> None:
    frame = songs([None] * 200, [True]).assign(artist="Unknown Artist")
    assert split_hashed(frame, 0.1, 0.1, 42).nunique() == 3


def test_one_artist_with_most_songs_goes_to_training_as_a_whole() -> None:
    frame = songs([1] * 40 + [None] * 10, [True])
    split = split_exact(frame, 0.1, 0.1, 42)
    assert set(split[:40]) == {"train"}
    assert split.value_counts().to_dict() == {"train": 40, "validation": 5, "test": 5}


def test_an_empty_corpus_splits_into_nothing() -> None:
    frame = songs([None], [True]).iloc[:0]
    assert split_exact(frame, 0.1, 0.1, 42).empty
    assert split_hashed(frame, 0.1, 0.1, 42).empty


@settings(max_examples=60, deadline=None)
@given(ARTISTS, st.lists(st.booleans(), min_size=1, max_size=7), st.integers(2, 6))
def test_every_song_is_in_one_fold_and_artists_stay_together(
    artists: list[int | None], audio: list[bool], folds: int
) -> None:
    frame = songs(artists, audio)
    groups = len({a for a in artists if a is not None}) + artists.count(None)
    if groups < folds:
        with pytest.raises(SongatlasError, match=f"cannot make {folds} folds"):
            split_folds(frame, folds, 0)
        return
    split = split_folds(frame, folds, 0)
    assert set(split) == {f"fold-{fold}" for fold in range(folds)}
    assert (splits_per_artist(frame, split) == 1).all()
    # Folds differ by no more songs with audio than the largest artist has.
    heard = split[frame["has_audio"]].value_counts().reindex(sorted(set(split)), fill_value=0)
    keys = frame["artist"].fillna(frame["track_id"])[frame["has_audio"]]
    assert heard.max() - heard.min() <= keys.value_counts().max() if len(keys) else True


def test_nineteen_songs_make_folds_of_three_or_four_whatever_has_no_audio() -> None:
    frame = songs([0] * 4 + [None] * 85, [True] * 19 + [False] * 70)
    split = split_folds(frame, 5, 42)
    assert sorted(split[frame["has_audio"]].value_counts()) == [3, 4, 4, 4, 4]
    assert split.value_counts().max() - split.value_counts().min() <= 1
    shuffled = frame.sample(frac=1.0, random_state=0)
    assert split_folds(shuffled, 5, 42).sort_index().equals(split)
    assert not split_folds(frame, 5, 43).equals(split)


def test_each_seed_holds_out_another_fold_and_trains_on_the_rest() -> None:
    frame = songs([None] * 12, [True])
    split = split_folds(frame, 4, 0)
    held_out = [
        {song for song, name in zip(frame["track_id"], resolve(split, seed), strict=True)
         if name == "test"}
        for seed in range(4)
    ]  # fmt: skip
    assert all(len(some) == 3 for some in held_out)
    assert set.union(*held_out) == set(frame["track_id"])
    assert set(resolve(split, 0)) == {"train", "test"}
    assert resolve(split, 5) == resolve(split, 1)
