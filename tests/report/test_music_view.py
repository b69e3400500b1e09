"""Musical time on the page's side: what is written for a song, and for whom."""

from pathlib import Path

import numpy as np
import pytest

import explorer_page
import music_page
from music_page import CLOSED, FAST, NO_AUDIO, NO_BEAT, SLOW, UNMEASURED
from songatlas.features.audio.musical_time import CURVES, RATE_HZ
from songatlas.plan.workflow import Plan
from songatlas.report.explorer.musical_time import SUNG, file_of
from test_explorer import provided, unpacked


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return music_page.write_music_page(tmp_path_factory.mktemp("music"))


def of_song(folder: Path, song: int) -> dict:
    return provided(folder / "data" / f"{file_of(song)}.js")


def test_a_song_has_its_beats_and_its_curves(folder: Path) -> None:
    data = of_song(folder, FAST)
    assert unpacked(data["beats_s"]) == pytest.approx(music_page.beats(music_page.FAST_BPM))
    assert data["tempo_bpm"] == pytest.approx(music_page.FAST_BPM)
    assert (data["key"], data["mode"], data["rate_hz"]) == ("F#", "minor", RATE_HZ)
    assert data["curves"].keys() == CURVES.keys()
    loudness = data["curves"]["loudness"]
    values = loudness["offset"] + loudness["scale"] * unpacked(loudness["codes"])
    expected = music_page.songs()[FAST].curves["loudness"]
    assert values == pytest.approx(expected, abs=loudness["scale"])
    quiet = of_song(folder, NO_BEAT)
    assert (quiet["tempo_bpm"], quiet["key"], len(unpacked(quiet["beats_s"]))) == (None, None, 0)


def test_the_voice_is_that_of_timed_lines_else_of_tags_else_absent(folder: Path) -> None:
    by_lines = of_song(folder, FAST)["voice"]
    assert by_lines["source"] == "lines"
    codes = unpacked(by_lines["codes"])
    for start, end in music_page.lines_of(explorer_page.lines(), FAST):
        assert (codes[round(start * RATE_HZ) : round(end * RATE_HZ)] == SUNG).all()
    assert codes[round(3.1 * RATE_HZ) :].max() == 0
    by_tags = of_song(folder, SLOW)["voice"]
    assert by_tags["source"] == "tags"
    middle = explorer_page.LENGTH_S / 2
    assert unpacked(by_tags["codes"])[round(middle * RATE_HZ)] == pytest.approx(0.9 * SUNG, abs=1)
    assert of_song(folder, CLOSED)["voice"] is None


def test_what_was_not_measured_is_told_and_has_no_file(folder: Path) -> None:
    summary = provided(folder / "data" / "run.js")["musical_time"]
    measured = unpacked(summary["measured"]).astype(bool)
    assert np.flatnonzero(measured).tolist() == sorted(music_page.songs())
    for song in (UNMEASURED, NO_AUDIO):
        assert not (folder / "data" / f"{file_of(song)}.js").exists()


def test_a_licence_without_derivatives_has_no_export(folder: Path) -> None:
    exports = unpacked(provided(folder / "data" / "run.js")["musical_time"]["exports"])
    assert np.flatnonzero(exports == 0).tolist() == [CLOSED]


def test_tempo_and_key_colour_the_map(folder: Path) -> None:
    attributes = {one["key"]: one for one in provided(folder / "data" / "run.js")["attributes"]}
    tempo = unpacked(attributes["time_tempo_bpm"]["song"])
    assert np.isfinite(tempo).tolist() == [True, False, True, True, False, False, True, False]
    assert attributes["time_key"]["names"] == ["F#"]
    assert unpacked(attributes["time_key"]["codes"]).tolist()[:2] == [0, 65535]


def test_a_run_without_the_view_has_none_of_it(tmp_path: Path) -> None:
    page = explorer_page.write_small_page(tmp_path, previews=False)
    run = provided(page / "data" / "run.js")
    assert run["musical_time"] is None
    assert not (page / "data" / "time").exists()
    assert not [one for one in run["attributes"] if one["group"] == "Musical time"]


@pytest.mark.parametrize(
    ("corpus", "chosen", "expected"),
    [("demo", None, True), ("folder", None, False), ("folder", True, True), ("demo", False, False)],
)
def test_the_view_is_the_demos_alone_unless_asked_for(
    corpus: str, chosen: bool | None, expected: bool
) -> None:
    values = {"corpus": corpus, "corpus_path": "songs", "explorer": {"music_view": chosen}}
    assert Plan(values).explorer()["music_view"] is expected
