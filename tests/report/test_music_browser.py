"""The panel "Feel" in a real browser: what moves, what is felt, and what is said instead."""

import json
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import explorer_page
import music_page
from music_page import CLOSED, FAST, NO_AUDIO, NO_BEAT, SLOW, UNMEASURED, WITH_A_GAP

pytest.importorskip("playwright", reason="playwright is absent: the explorer's browser tests skip")
from playwright.sync_api import Browser, sync_playwright

from songatlas.report.explorer.musical_time import file_of
from test_explorer_browser import AXE, FLAGS, SCREENSHOTS, Visit, chromium

pytestmark = pytest.mark.skipif(
    chromium() is None, reason="no chromium on the path (Debian: apt-get install chromium)"
)

LATE_S = 0.04
"""How far what is seen and felt may be from the audio clock."""

MOST_FLASHES = 3
"""In any second (WCAG 2.2, 2.3.1)."""

RECORD_VIBRATION = """
  globalThis.given = [];
  Object.defineProperty(Navigator.prototype, "vibrate", { configurable: true, value: (pattern) => {
    given.push([pattern, globalThis.SONGATLAS.page.feel.now()]);
    return true;
  }});
"""

NO_VIBRATION = "delete Navigator.prototype.vibrate;"

FLASHES = """(frames) => {
  // Frames of relative luminance, 60 a second; the most flashes of a pixel in any second. A flash
  // is a change by a tenth of full luminance and one back, the darker end below 0.8.
  let most = 0;
  for (let pixel = 0; pixel < frames[0].length; pixel++) {
    const changes = [];
    let [low, high, from] = [frames[0][pixel], frames[0][pixel], 0];
    frames.forEach((frame, at) => {
      const value = frame[pixel];
      low = Math.min(low, value);
      high = Math.max(high, value);
      const up = value - low >= 0.1 && low < 0.8;
      const down = high - value >= 0.1 && value < 0.8;
      if (!up && !down) return;
      const way = up ? 1 : -1;
      if (way !== from) changes.push(at);
      [low, high, from] = [value, value, way];
    });
    for (const first of changes) {
      const inside = changes.filter((at) => at >= first && at < first + 60).length;
      most = Math.max(most, Math.floor(inside / 2));
    }
  }
  return most;
}"""

FRAMES = """() => {
  const { feel } = SONGATLAS.page;
  const canvas = document.querySelector(".music-view");
  const copy = new OffscreenCanvas(canvas.width, canvas.height);
  const pen = copy.getContext("2d", { willReadFrequently: true });
  const linear = (value) =>
    value <= 10.31 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4;
  const frames = [];
  for (let time_s = 1; time_s < 4; time_s += 1 / 60) {
    feel.drawAt(time_s);
    pen.drawImage(canvas, 0, 0);
    const { data } = pen.getImageData(0, 0, copy.width, copy.height);
    const frame = [];
    for (let y = 2; y < copy.height; y += 5)
      for (let x = 2; x < copy.width; x += 5) {
        const at = 4 * (y * copy.width + x);
        const [red, green, blue] = [0, 1, 2].map((part) => linear(data[at + part]));
        frame.push(0.2126 * red + 0.7152 * green + 0.0722 * blue);
      }
    frames.push(frame);
  }
  return frames;
}"""

DRAWN = """() => {
  globalThis.drawn = [];
  const look = () => {
    const { feel } = SONGATLAS.page;
    if (feel.now() !== null && feel.looks?.beat != null) drawn.push([feel.looks.beat, feel.at_s]);
    requestAnimationFrame(look);
  };
  look();
}"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return music_page.write_music_page(tmp_path_factory.mktemp("music"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=chromium(),
            args=[*FLAGS, "--autoplay-policy=no-user-gesture-required"],
        )
        yield opened
        opened.close()


class Feeling(Visit):
    """A visit with the panel open; vibration is recorded, or absent."""

    def __init__(self, browser: Browser, folder: Path, script: str, **options: Any) -> None:
        self.script = script
        super().__init__(browser, folder, **options)

    def opened(self) -> None:
        self.page.add_init_script(self.script)

    def choose(self, song: int) -> None:
        """Choose a song, silent and at its beginning, and show the panel."""
        self.js(f"SONGATLAS.page.actions.playSong({song}); SONGATLAS.page.audio.pause()")
        self.page.click("#tab-feel")
        self.until(f"SONGATLAS.page.feel.song === {song}")

    def looks(self, time_s: float) -> dict[str, Any]:
        """What is shown at a time of the song."""
        found: dict[str, Any] = self.js(
            f"(SONGATLAS.page.feel.drawAt({time_s}), SONGATLAS.page.feel.looks)"
        )
        return found

    def panel(self) -> str:
        return self.page.locator("#panel-feel").inner_text()


@pytest.fixture
def visit(browser: Browser, folder: Path, request: pytest.FixtureRequest) -> Iterator[Feeling]:
    opened = Feeling(browser, folder, getattr(request, "param", RECORD_VIBRATION))
    yield opened
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    opened.page.screenshot(path=str(SCREENSHOTS / f"{request.node.name}.png"))
    opened.context.close()
    assert opened.trouble == []


def test_vibration_and_view_keep_to_the_audio_clock(browser: Browser, folder: Path) -> None:
    """Pulses begin within 40 ms of the audio element's clock, and so the square turns.

    As on a phone. A picture cannot be earlier than the browser's next frame, which a busy machine
    delays: every beat must be in the first frame behind it, and the usual one within 40 ms.
    """
    beats = music_page.beats(music_page.FAST_BPM)
    options: dict[str, Any] = {"viewport": {"width": 390, "height": 844}}
    visit = Feeling(browser, folder, RECORD_VIBRATION, **options)
    visit.choose(FAST)
    visit.page.locator(".music-view").scroll_into_view_if_needed()
    visit.js(DRAWN)
    felt: list[float] = []
    seen: list[float] = []
    for window in range(explorer_page.WINDOWS):
        visit.js(f"given = []; drawn = []; SONGATLAS.page.actions.playWindow({window})")
        visit.page.click("#tab-feel")
        visit.page.get_by_role("button", name="Vibrate").click()
        visit.until("SONGATLAS.page.audio.paused && SONGATLAS.page.audio.currentTime > 2")
        felt += [at for pattern, at in visit.js("given") if pattern != 0 and at is not None]
        frames = visit.js("drawn")
        for (before, at), (beat, later) in pairwise(frames):
            if beat == before + 1:
                assert at < beats[beat] <= later
                seen.append(later - beats[beat])
    errors = np.abs(np.array(felt)[:, None] - beats[None]).min(axis=1)
    assert min(len(felt), len(seen)) > 12
    print(f"{len(felt)} pulses, {1000 * errors.max():.0f} ms from their beat at most")
    late = f"{1000 * np.median(seen):.0f} ms, {1000 * max(seen):.0f} ms at most"
    print(f"{len(seen)} beats, seen after {late}")
    assert errors.max() < LATE_S
    assert np.median(seen) < LATE_S
    visit.context.close()
    assert visit.trouble == []


def test_nothing_flashes_more_than_three_times_a_second(visit: Feeling) -> None:
    """At 200 beats a minute, with loudness, brightness and bass that flicker 5 times a second."""
    flicker = [[0.0 if (at // 6) % 2 else 0.5] for at in range(120)]
    assert visit.page.evaluate(FLASHES, flicker) == 5, "what counts flashes must see them"
    visit.choose(FAST)
    frames = np.array(visit.js(FRAMES)).round(4)
    moving = frames[:, np.ptp(frames, axis=0) > 0.05]
    assert moving.shape[1] > 100, "nothing moved"
    assert visit.page.evaluate(FLASHES, moving.tolist()) <= MOST_FLASHES


def test_the_square_turns_on_every_beat(visit: Feeling) -> None:
    visit.choose(SLOW)
    beats = music_page.beats(90.0)
    swings = []
    for beat in beats[1:-1]:
        swings.append(visit.looks(beat)["swing"])
    assert np.abs(swings) == pytest.approx(1.0, abs=0.01)
    assert (np.sign(swings[1:]) == -np.sign(swings[:-1])).all()


def test_who_wants_little_movement_gets_none(browser: Browser, folder: Path) -> None:
    visit = Feeling(browser, folder, RECORD_VIBRATION, reduced_motion="reduce")
    visit.choose(FAST)
    swings = visit.js(
        """() => Array.from({ length: 120 }, (_, i) => {
          SONGATLAS.page.feel.drawAt(1 + i / 60);
          return SONGATLAS.page.feel.looks.swing;
        })"""
    )
    assert set(swings) == {0}
    assert "200 beats a minute" in visit.panel()
    visit.context.close()
    assert visit.trouble == []


def test_without_a_steady_beat_no_pulse_is_invented(visit: Feeling) -> None:
    visit.choose(NO_BEAT)
    assert "No steady beat: nothing pulses" in visit.panel()
    assert visit.page.get_by_role("button", name="Vibrate").is_disabled()
    assert visit.page.get_by_role("button", name="Export").is_disabled()
    assert visit.looks(3.0)["beat"] is None
    assert visit.looks(3.0)["swing"] == 0


def test_where_beats_stop_the_square_rests(visit: Feeling) -> None:
    visit.choose(WITH_A_GAP)
    assert visit.looks(1.5)["beat"] is not None
    assert visit.looks(3.5)["beat"] is None
    visit.page.get_by_role("button", name="Play silently").click()
    visit.until("document.querySelector('.music-words').innerText.includes('no steady beat here')")


@pytest.mark.parametrize("visit", [NO_VIBRATION], indirect=True)
def test_a_browser_that_cannot_vibrate_says_so(visit: Feeling) -> None:
    visit.choose(FAST)
    assert "This browser cannot vibrate" in visit.panel()
    assert visit.page.get_by_role("button", name="Vibrate").is_disabled()


@pytest.mark.parametrize(
    "visit", [RECORD_VIBRATION.replace("return true", "return false")], indirect=True
)
def test_a_vibration_that_is_refused_is_told(visit: Feeling) -> None:
    visit.choose(FAST)
    visit.page.get_by_role("button", name="Play silently").click()
    visit.page.get_by_role("button", name="Vibrate").click()
    visit.until("document.querySelector('.feel').innerText.includes('did not vibrate')")
    assert visit.page.get_by_role("button", name="Vibrate").get_attribute("aria-pressed") == "false"


@pytest.mark.parametrize("song", [UNMEASURED, NO_AUDIO])
def test_a_song_without_musical_time_says_so(visit: Feeling, song: int) -> None:
    visit.choose(song)
    assert "Nothing was measured of this song" in visit.panel()


def test_a_folder_that_was_not_copied_whole_says_so(browser: Browser, tmp_path: Path) -> None:
    page = music_page.write_music_page(tmp_path)
    (page / "data" / f"{file_of(SLOW)}.js").unlink()
    visit = Feeling(browser, page, RECORD_VIBRATION)
    visit.choose(SLOW)
    visit.until("document.querySelector('#panel-feel').innerText.includes('was the folder copied')")
    visit.choose(FAST)
    visit.page.get_by_role("button", name="Play silently").wait_for()
    visit.context.close()


def test_the_song_runs_in_silence_with_its_lines_and_stops(visit: Feeling) -> None:
    visit.choose(FAST)
    visit.page.get_by_role("button", name="Play silently").click()
    visit.until("document.querySelector('.music-line').innerText === 'the city glows tonight'")
    assert visit.js("SONGATLAS.page.audio.paused")
    visit.page.get_by_role("button", name="Vibrate").click()
    visit.until("given.filter(([pattern]) => pattern).length > 2")
    visit.page.get_by_role("button", name="Stop vibrating").click()
    assert visit.js("given.at(-1)[0]") == 0
    count = visit.js("given.length")
    time.sleep(0.7)
    assert visit.js("given.length") == count
    visit.page.get_by_role("button", name="Stop", exact=True).click()
    assert visit.js("SONGATLAS.page.feel.now()") is None


def test_leaving_the_panel_stops_the_vibration(visit: Feeling) -> None:
    visit.choose(FAST)
    visit.page.get_by_role("button", name="Play silently").click()
    visit.page.get_by_role("button", name="Vibrate").click()
    visit.until("given.filter(([pattern]) => pattern).length > 1")
    visit.page.click("#tab-listen")
    assert visit.js("given.at(-1)[0]") == 0


@pytest.mark.parametrize("driver", ["beat", "bass", "voice", "onset"])
def test_the_pattern_is_exported_as_it_is_felt(visit: Feeling, driver: str) -> None:
    visit.choose(FAST)
    visit.page.select_option("#driver", driver)
    with visit.page.expect_download() as caught:
        visit.page.get_by_role("button", name="Export").click()
    assert caught.value.suggested_filename == f"Roof-Song-{driver}.json"
    pattern = json.loads(Path(caught.value.path()).read_text(encoding="utf-8"))
    assert pattern.keys() == {"format", "version", "song", "driver", "duration_s", "pulses"}
    assert (pattern["format"], pattern["version"]) == ("songatlas-vibration", 1)
    assert pattern["song"]["track_id"] == f"{FAST:016x}"
    starts = np.array([pulse["start_s"] for pulse in pattern["pulses"]])
    assert len(starts) > 5
    assert (np.diff(starts) > 0.13).all(), "a pulse begins before the one before it has ended"
    assert {pulse["strength"] for pulse in pattern["pulses"]} <= {1, 2, 3}
    assert all(sum(pulse["on_off_ms"]) <= 130 for pulse in pattern["pulses"])
    if driver == "beat":
        assert starts == pytest.approx(music_page.beats(music_page.FAST_BPM), abs=0.001)
    if driver == "voice":
        assert starts.max() < 3.0, "its lines end at 3 s"


def test_a_licence_without_derivatives_has_no_export(visit: Feeling) -> None:
    visit.choose(CLOSED)
    assert visit.page.get_by_role("button", name="Export").is_disabled()
    assert "licence forbids derivatives" in visit.panel()
    assert visit.page.get_by_role("button", name="Vibrate").is_enabled()


def test_a_voice_that_is_guessed_is_told_as_a_guess(visit: Feeling) -> None:
    visit.choose(SLOW)
    visit.page.select_option("#driver", "voice")
    assert "a guess from tags" in visit.panel()


def test_the_panel_works_from_the_keyboard(visit: Feeling) -> None:
    visit.choose(FAST)
    visit.page.locator("#tab-feel").focus()
    reached = []
    for _ in range(6):
        visit.page.keyboard.press("Tab")
        reached.append(visit.js("document.activeElement.innerText || document.activeElement.id"))
    assert [one.split("\n")[0] for one in reached[:2]] == ["Play", "Play silently"]
    visit.page.get_by_role("button", name="Play silently").focus()
    visit.page.keyboard.press("Enter")
    visit.until("SONGATLAS.page.feel.now() > 0.2")
    visit.page.locator("#driver").focus()
    visit.page.keyboard.press("ArrowDown")
    assert visit.js("document.activeElement.id") == "driver"
    assert visit.page.input_value("#driver") == "bass"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: Browser, folder: Path, scheme: str) -> None:
    """Of any gravity, in every panel, while a song runs."""
    if not AXE.is_file():
        pytest.skip("axe-core is absent (npm ci in scripts/resources/explorer)")
    visit = Feeling(browser, folder, RECORD_VIBRATION, color_scheme=scheme, bypass_csp=True)
    visit.choose(FAST)
    visit.page.get_by_role("button", name="Play silently").click()
    visit.page.add_script_tag(path=str(AXE))
    for tab in ("feel", "listen", "clusters", "models", "selection"):
        visit.page.click(f"#tab-{tab}")
        visit.page.wait_for_timeout(300)
        found = visit.js("axe.run().then(result => result.violations)")
        assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found] == [], tab
    visit.page.screenshot(path=str(SCREENSHOTS / f"feel-{scheme}.png"))
    visit.context.close()


@pytest.mark.parametrize("size", [(390, 844), (640, 400)], ids=["phone", "zoomed"])
def test_small_screens_hold_the_panel(
    browser: Browser, folder: Path, size: tuple[int, int]
) -> None:
    options: dict[str, Any] = {"viewport": {"width": size[0], "height": size[1]}}
    visit = Feeling(browser, folder, RECORD_VIBRATION, **options, has_touch=True)
    visit.choose(FAST)
    visit.page.get_by_role("button", name="Play silently").click()
    visit.page.wait_for_timeout(300)
    assert visit.js("document.documentElement.scrollWidth <= innerWidth + 1")
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    visit.page.screenshot(path=str(SCREENSHOTS / f"feel-{size[0]}.png"), full_page=True)
    visit.context.close()
    assert visit.trouble == []
