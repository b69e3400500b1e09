"""Decoded sounds on the explorer's page: what is copied, and the panel in a real browser."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import explorer_page
from songatlas.report.explorer import sound_list
from songatlas.report.explorer.audio import PREVIEW_RATE_HZ, write_mp3
from songatlas.report.explorer.page import write_page
from songatlas.report.explorer.sound_list import (
    Cluster,
    Journey,
    Reconstruction,
    Slider,
    Sound,
    SoundList,
)
from test_explorer import provided

MODEL, OTHER = "two_blocks", "words"
WHY_NOT = "a baseline decodes nothing"
NEAR = [f"{song:016x}-0001" for song in range(5)]


def write_sounds(folder: Path) -> None:
    """Nine sounds of half a second, of two clusters."""
    for number in range(9):
        time_s = np.arange(PREVIEW_RATE_HZ // 2) / PREVIEW_RATE_HZ
        tone = 0.1 * np.sin(2 * np.pi * (300 + 50 * number) * time_s)
        write_mp3(folder / sound_list.sound_name(number), tone.astype(np.float32))
    listed = SoundList(
        clustering="consensus",
        withheld=1,
        silent=2,
        sounds=[Sound(NEAR[number % 5], 300.0 + 50 * number) for number in range(9)],
        clusters=[Cluster(0, 0), Cluster(1, 4)],
        journeys=[Journey(0, 1, [0, 1, 2, 3, 4]), Journey(1, None, [4, 3, 2, 1, 0])],
        sliders=[Slider(7, 2.5, [-1.0, 0.0, 1.0], [5, 6, 7])],
        reconstructions=[Reconstruction(8, 5.4321)],
    )
    sound_list.write_list(listed, folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tables = tmp_path_factory.mktemp("decoded")
    write_sounds(tables / "sounds")
    inputs = replace(
        explorer_page.write_inputs(tables),
        sounds={MODEL: str(tables / "sounds")},
        not_decoded={OTHER: WHY_NOT},
    )
    page = tables / "report" / "explorer"
    write_page(inputs, page, explorer_page.settings(), run="small", corpus_name="Tests")
    return page


# --- data ---------------------------------------------------------------------------------------


def test_the_sounds_lie_beside_the_page_and_know_their_windows(folder: Path) -> None:
    run = provided(folder / "data" / "run.js")
    number = [model["name"] for model in run["models"]].index(MODEL)
    assert run["decoded"][number] == ""
    assert run["decoded"][1 - number] == WHY_NOT
    listed = provided(folder / "data" / f"decoded-{number}.js")
    assert len(list((folder / "decoded" / str(number)).iterdir())) == len(listed["sounds"]) == 9
    near = [sound["near"] for sound in listed["sounds"]]
    assert near == [1 + explorer_page.WINDOWS * (sound % 5) for sound in range(9)]


def test_a_page_without_decoded_sounds_has_no_such_panel(tmp_path: Path) -> None:
    page = explorer_page.write_small_page(tmp_path, previews=False)
    assert provided(page / "data" / "run.js")["decoded"] is None
    assert not (page / "decoded").exists()


def test_a_model_that_was_not_trained_says_why_it_is_silent(tmp_path: Path) -> None:
    sound_list.write_list(SoundList(note="no song of this corpus has a genre"), tmp_path / "sounds")
    inputs = replace(
        explorer_page.write_inputs(tmp_path),
        sounds={MODEL: str(tmp_path / "sounds")},
        not_decoded={OTHER: WHY_NOT},
    )
    page = tmp_path / "page"
    settings = explorer_page.settings(previews=False)
    write_page(inputs, page, settings, run="small", corpus_name="Tests")
    told = provided(page / "data" / "run.js")["decoded"]
    assert sorted(told) == [WHY_NOT, "no song of this corpus has a genre"]


# --- the panel ----------------------------------------------------------------------------------

pytest.importorskip("playwright", reason="playwright is absent: the explorer's browser tests skip")
from test_explorer_browser import AXE, Browser, Visit, browser, chromium  # noqa: E402

__all__ = ["browser"]

in_a_browser = pytest.mark.skipif(chromium() is None, reason="no chromium on the path")


@pytest.fixture
def visit(browser: Browser, folder: Path) -> Iterator[Visit]:
    opened = Visit(browser, folder)
    opened.page.get_by_role("tab", name="Decoded").click()
    opened.page.wait_for_selector(".decoded h3")
    yield opened
    opened.context.close()
    assert opened.trouble == []


PLAYS = "!document.querySelector('.decoded audio').paused"
SOURCE = "document.querySelector('.decoded audio').src"


@in_a_browser
def test_a_cluster_sounds_and_its_nearest_song_takes_over(visit: Visit) -> None:
    panel = visit.page.locator(".decoded")
    button = panel.get_by_role("button", name="Centre of Cluster 1: unsure, decoded; centre")
    button.click()
    visit.until(PLAYS)
    assert visit.js(SOURCE).endswith("/0.mp3")
    assert button.get_attribute("aria-pressed") == "true"
    panel.get_by_role("button", name="Nearest song: Roof Song, 0:02").first.click()
    visit.until("SONGATLAS.page.audio.currentTime > 0.1")
    assert not visit.js(PLAYS)
    assert button.get_attribute("aria-pressed") == "false"


@in_a_browser
def test_a_journey_plays_all_its_steps(visit: Visit) -> None:
    visit.page.get_by_role("button", name="Play all").click()
    for step in range(5):
        visit.until(f"{SOURCE}.endsWith('/{step}.mp3')")
    visit.until(f"!({PLAYS})")
    assert visit.js("document.querySelectorAll('.decoded [aria-pressed=true]').length") == 0


@in_a_browser
def test_a_dimension_moves_by_the_keyboard(visit: Visit) -> None:
    slider = visit.page.get_by_role("slider", name="Dimension 7")
    slider.focus()
    visit.page.keyboard.press("ArrowRight")
    visit.until(f"{SOURCE}.endsWith('/7.mp3')")
    assert slider.get_attribute("aria-valuetext") == "+1 SD, centre of its spectrum 650 Hz"


@in_a_browser
def test_the_panel_says_what_is_coarse_and_what_is_left_out(visit: Visit) -> None:
    text = visit.page.locator(".decoded").inner_text()
    assert "Sounds of small models are coarse" in text
    assert "9 sounds of at most ten seconds. 1 song left out: the licence forbids" in text
    assert "2 windows left out: silent" in text
    assert "5.4 dB" in text


@in_a_browser
def test_a_model_without_decoder_says_so_and_leads_to_those_that_have_one(visit: Visit) -> None:
    names = visit.js("SONGATLAS.page.state.run.models.map(one => one.name)")
    visit.js(f"SONGATLAS.page.actions.showModel({names.index(OTHER)})")
    empty = visit.page.locator(".decoded .empty")
    empty.wait_for()
    assert f"{OTHER} has no decoded sounds: {WHY_NOT}." in empty.inner_text()
    empty.get_by_role("button", name=MODEL).click()
    visit.page.wait_for_selector(".decoded h3")


@in_a_browser
def test_a_lost_file_is_told(visit: Visit, folder: Path) -> None:
    lost = next((folder / "decoded").glob("*/8.mp3"))
    content = lost.read_bytes()
    lost.unlink()
    try:
        visit.page.get_by_role("button", name="5.4 dB off, decoded").click()
        visit.page.get_by_text("The sound file cannot be read").wait_for()
    finally:
        lost.write_bytes(content)
    visit.trouble.clear()


@in_a_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Browser, folder: Path, scheme: str) -> None:
    if not AXE.is_file():
        pytest.skip("axe-core is absent (npm ci in scripts/resources/explorer)")
    visit = Visit(browser, folder, color_scheme=scheme, bypass_csp=True)
    visit.page.get_by_role("tab", name="Decoded").click()
    visit.page.wait_for_selector(".decoded h3")
    visit.page.add_script_tag(path=str(AXE))
    found = visit.js("axe.run().then(result => result.violations)")
    grave = [one["id"] for one in found if one["impact"] in ("serious", "critical")]
    visit.context.close()
    assert grave == []
