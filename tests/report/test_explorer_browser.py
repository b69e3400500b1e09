"""The explorer in a real browser (Debian's chromium): what a visitor sees, hears and can do."""

import csv
import io
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import explorer_page
from conftest import ROOT

pytest.importorskip("playwright", reason="playwright is absent: the explorer's browser tests skip")
from playwright.sync_api import Browser, Page, sync_playwright

FLAGS = [
    *("--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"),
    *("--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]

SCREENSHOTS = Path(os.environ.get("SONGATLAS_SCREENSHOTS", ROOT / "results" / "screenshots"))
"""Where every test leaves a picture of how it ended."""

AXE = ROOT / "resources/explorer/node_modules/axe-core/axe.min.js"


def chromium() -> str | None:
    return next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )


pytestmark = pytest.mark.skipif(
    chromium() is None, reason="no chromium on the path (Debian: apt-get install chromium)"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return explorer_page.write_small_page(tmp_path_factory.mktemp("browser"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield opened
        opened.close()


class Visit:
    """An open page, with everything that went wrong and every address that it asked for."""

    def __init__(self, browser: Browser, folder: Path, **options: Any) -> None:
        self.context = browser.new_context(
            **{"viewport": {"width": 1280, "height": 800}, "accept_downloads": True, **options}
        )
        self.page: Page = self.context.new_page()
        self.opened()
        self.trouble: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.trouble.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on(
            "requestfailed",
            lambda request: (
                self.trouble.append(f"{request.url}: {request.failure}")
                if request.failure != "net::ERR_ABORTED"
                else None
            ),
        )
        self.page.goto((folder / "index.html").as_uri())
        self.page.wait_for_selector("html[data-ready=true]", timeout=30_000)

    def opened(self) -> None:
        """For visits that prepare the page before it loads."""

    def _said(self, message: Any) -> None:
        if message.type in ("error", "warning") and "GPU stall" not in message.text:
            self.trouble.append(message.text)

    def js(self, expression: str) -> Any:
        return self.page.evaluate(expression)

    def until(self, expression: str, timeout_s: float = 20.0) -> None:
        """Wait until an expression holds (Playwright's own wait uses eval, which the page bars)."""
        ends = time.monotonic() + timeout_s
        while not self.js(expression):
            if time.monotonic() > ends:
                raise AssertionError(f"{expression} did not come true within {timeout_s} s")
            time.sleep(0.05)

    def place(self, point: int, view: int = 0) -> tuple[float, float]:
        """Where a point of a map lies on the page."""
        box = self.page.locator(".map").nth(view).bounding_box()
        assert box is not None
        x, y = self.js(f"SONGATLAS.page.views[{view}].at({point})")
        return box["x"] + x, box["y"] + y

    def pixels(self, view: int = 0) -> dict[str, int]:
        """How often each colour occurs among the points, by its hexadecimal value."""
        found: dict[str, int] = self.js(
            f"""() => {{
              const view = SONGATLAS.page.views[{view}];
              view.draw();
              const gl = view.points.gl;
              const [w, h] = [gl.canvas.width, gl.canvas.height];
              const data = new Uint8Array(4 * w * h);
              gl.readPixels(0, 0, w, h, gl.RGBA, gl.UNSIGNED_BYTE, data);
              const counts = {{}};
              for (let i = 0; i < data.length; i += 4) {{
                const key = [0, 1, 2]
                  .map((c) => data[i + c].toString(16).padStart(2, "0")).join("");
                if (key !== "ffffff") counts[key] = (counts[key] ?? 0) + 1;
              }}
              return counts;
            }}"""
        )
        return found


@pytest.fixture
def visit(browser: Browser, folder: Path, request: pytest.FixtureRequest) -> Iterator[Visit]:
    opened = Visit(browser, folder)
    yield opened
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    opened.page.screenshot(path=str(SCREENSHOTS / f"{request.node.name}.png"))
    opened.context.close()
    assert opened.trouble == []
    outside = [url for url in opened.requests if not url.startswith(("file:", "data:", "blob:"))]
    assert outside == []


def test_the_page_opens_from_disk(visit: Visit) -> None:
    assert visit.page.title() == "small – Songatlas explorer"
    assert visit.js("SONGATLAS.page.views[0].points.supported")
    assert visit.js("SONGATLAS.page.views[0].n") == 24
    assert sum(visit.pixels().values()) > 24 * 20


def test_colours_follow_the_choice(visit: Visit) -> None:
    visit.page.select_option("#colour", "genre")
    two = visit.pixels()
    visit.page.select_option("#colour", "artist")
    three = visit.pixels()
    assert len(two) != len(three)
    visit.page.select_option("#colour", "factor_tempo_bpm")
    assert "Tempo bpm" in visit.page.locator(".legend").inner_text()
    assert set(visit.pixels()) != set(three)
    visit.page.select_option("#colour", "cluster:points:kmeans:2")
    assert visit.page.locator(".legend-item").all_inner_texts() == [
        "Cluster 1\n12",
        "Cluster 2\n12",
    ]


def test_the_second_attribute_is_a_shape(visit: Visit) -> None:
    before = sum(visit.pixels().values())
    visit.page.select_option("#shape", "genre")
    assert set(visit.js("Array.from(SONGATLAS.page.views[0].shape.codes)")) == {0, 1}
    assert sum(visit.pixels().values()) != before
    assert visit.page.locator(".legend-item.still").all_inner_texts() == ["pop", "rock"]


def test_a_class_hides_and_returns(visit: Visit) -> None:
    visit.page.select_option("#colour", "genre")
    before = sum(visit.pixels().values())
    visit.page.locator(".legend-item").first.click()
    assert sum(visit.pixels().values()) < 0.8 * before
    visit.page.locator(".legend-item").first.click()
    assert sum(visit.pixels().values()) == before


def test_a_click_plays_the_window_and_lights_its_line(visit: Visit) -> None:
    visit.page.mouse.click(*visit.place(0))
    visit.until("SONGATLAS.page.audio.currentTime > 0.3")
    window = visit.js("SONGATLAS.page.state.current.window")
    song = window // explorer_page.WINDOWS
    title = visit.page.locator(".song-title")
    assert title.inner_text() == explorer_page.TITLES[song]
    picture = visit.page.locator(".spectrogram")
    assert picture.evaluate("image => image.complete && image.naturalWidth") == 50
    first = visit.js("SONGATLAS.page.audio.currentTime")
    time.sleep(0.4)
    assert visit.js("SONGATLAS.page.audio.currentTime") > first


def test_a_run_without_spectrograms_has_a_bar_to_seek_in(visit: Visit) -> None:
    visit.js("SONGATLAS.page.state.run.has_spectrogram.fill(0)")
    visit.page.mouse.click(*visit.place(0))
    frame = visit.page.locator(".spectrogram-frame.bare")
    box = frame.bounding_box()
    assert box is not None
    assert box["height"] < 20
    assert not visit.page.locator(".spectrogram").is_visible()
    frame.click(position={"x": box["width"] * 0.9, "y": box["height"] / 2})
    visit.until("SONGATLAS.page.audio.currentTime > 2")


def test_the_sung_line_is_lit_as_it_plays(visit: Visit) -> None:
    visit.page.fill("#search", "roof song")
    visit.page.locator(".result").first.click()
    # The song's middle window begins at 2 s, in its second line.
    visit.page.wait_for_selector(".line.lit")
    assert visit.page.locator(".line.lit").inner_text() == "the city glows tonight"
    visit.page.locator(".line").first.click()
    visit.until("document.querySelector('.line.lit')?.textContent === 'we climb up to the roof'")
    visit.until("SONGATLAS.page.audio.paused")
    end = visit.js("SONGATLAS.page.audio.currentTime")
    assert end == pytest.approx(explorer_page.LENGTH_S, abs=0.6)


def test_search_finds_an_arabic_title(visit: Visit) -> None:
    visit.page.fill("#search", "مباراة")
    visit.page.wait_for_selector(".result")
    assert visit.page.locator(".results .result-title").all_inner_texts() == [explorer_page.ARABIC]
    visit.page.keyboard.press("Enter")
    title = visit.page.locator(".song-title")
    assert title.inner_text() == explorer_page.ARABIC
    assert title.evaluate("element => getComputedStyle(element).direction") == "rtl"
    # Without its hamza and vowel signs, within the lyrics.
    visit.page.fill("#search", "الارض صارا")
    visit.page.wait_for_selector(".result-line")
    assert "الأرض" in visit.page.locator(".result-line").inner_text()


def test_titles_and_lyrics_are_text(visit: Visit) -> None:
    visit.page.fill("#search", "onerror")
    visit.page.locator(".result").first.click()
    assert visit.page.locator(".song-title").inner_text() == explorer_page.EVIL
    visit.page.wait_for_selector(".line")
    assert visit.page.locator(".line").inner_text() == "<b>bold</b> river & moon"
    visit.page.mouse.move(*visit.place(6))
    for tab in ("clusters", "models", "selection"):
        visit.page.click(f"#tab-{tab}")
    assert visit.page.locator("img[src=x], .lyrics b").count() == 0
    assert visit.page.title() == "small – Songatlas explorer"


def test_a_map_too_slow_to_draw_moves_as_a_picture(visit: Visit) -> None:
    """Between two drawings the last picture stands where the points themselves would be."""
    visit.js("SONGATLAS.page.views[0].pacing = { frame: () => false }; true")
    moved = """([right, down]) => new Promise(done => {
      const view = SONGATLAS.page.views[0];
      view.camera.pan(right, down);
      view.moved();
      clearTimeout(view.resting);
      requestAnimationFrame(() => requestAnimationFrame(() => done(view.canvas.style.transform)));
    })"""
    assert visit.page.evaluate(moved, [90, 40]).startswith("translate(90px, 40px)")
    frame = visit.page.locator(".map").first
    shifted = pixels(frame.screenshot())
    visit.js("SONGATLAS.page.views[0].draw()")
    drawn = pixels(frame.screenshot())
    assert drawn[60:-60, 110:-110].std() > 5.0, "nothing was drawn there"
    assert np.abs(shifted - drawn)[60:-60, 110:-110].mean() < 0.5
    # So far that a third of the map would be empty: drawn anew.
    assert visit.page.evaluate(moved, [700, 0]) == ""


def pixels(png: bytes) -> np.ndarray:
    """Grey values (height, width)."""
    return np.asarray(Image.open(io.BytesIO(png)).convert("L"), float)


def lasso_everything(visit: Visit) -> None:
    box = visit.page.locator(".map").first.bounding_box()
    assert box is not None
    left, top = box["x"] + 4, box["y"] + 4
    right, bottom = box["x"] + box["width"] - 60, box["y"] + box["height"] - 4
    visit.page.mouse.move(left, top)
    visit.page.mouse.down()
    for x, y in ((right, top), (right, bottom), (left, bottom), (left, top)):
        visit.page.mouse.move(x, y, steps=3)
    visit.page.mouse.up()


def test_the_lasso_selects_what_it_encloses(visit: Visit) -> None:
    visit.page.click("[data-tool=lasso]")
    x, y = visit.place(0)
    visit.page.mouse.move(x - 6, y - 6)
    visit.page.mouse.down()
    for dx, dy in ((6, -6), (6, 6), (-6, 6), (-6, -6)):
        visit.page.mouse.move(x + dx, y + dy, steps=3)
    visit.page.mouse.up()
    chosen = visit.js("Array.from(SONGATLAS.page.state.selectedWindows)")
    assert chosen[0] == 1
    assert 1 <= sum(chosen) < 24
    lasso_everything(visit)
    assert visit.js("SONGATLAS.page.state.nSelected") > sum(chosen)
    visit.page.keyboard.press("Escape")
    assert visit.js("SONGATLAS.page.state.nSelected") == 0


def export(visit: Visit, button: str) -> tuple[str, str]:
    with visit.page.expect_download() as caught:
        visit.page.locator("#panel-selection .button", has_text=button).click()
    return caught.value.suggested_filename, Path(caught.value.path()).read_text(encoding="utf-8")


def test_a_selection_becomes_a_playlist_and_a_table(visit: Visit, folder: Path) -> None:
    visit.page.fill("#search", "ned")
    visit.page.locator(".results .link").click()
    visit.page.click("#tab-selection")
    name, playlist = export(visit, "M3U")
    assert name == "small-selection.m3u8"
    head, title, *rest = playlist.splitlines()
    assert (head, title) == ("#EXTM3U", "#PLAYLIST:small selection")
    entries = list(zip(rest[::2], rest[1::2], strict=True))
    assert [info for info, _ in entries] == [
        "#EXTINF:7,Ned - Roof Song",
        f"#EXTINF:7,Ned - {explorer_page.EVIL}",
        "#EXTINF:7,Ned - =SUM(A1)",
        "#EXTINF:7,Ned - Closed",
    ]
    for number, (_, url) in zip((0, 2, 4, 6), entries, strict=True):
        assert url == (folder.parents[1] / f"song {number}.wav").resolve().as_uri()
    name, table = export(visit, "CSV")
    rows = list(csv.DictReader(io.StringIO(table)))
    assert name == "small-selection.csv"
    assert [row["title"] for row in rows] == [
        "Roof Song", explorer_page.EVIL, "'=SUM(A1)", "Closed"
    ]  # fmt: skip
    assert [row["two_blocks:points:kmeans:2"] for row in rows] == ["1", "2", "1", "1"]


def test_a_playlist_keeps_one_line_per_song(visit: Visit) -> None:
    visit.page.fill("#search", "élan vital")
    visit.page.locator(".result").first.click()
    assert "Élan vital" in visit.js(
        """() => {
          const song = SONGATLAS.page.state.current.song;
          return SONGATLAS.page.playlist([song], "a\\nb");
        }"""
    )


def test_two_maps_are_linked(visit: Visit) -> None:
    visit.page.click("[data-tool=split]")
    visit.until("SONGATLAS.page.views[1]?.positions")
    names = visit.js("SONGATLAS.page.views.map(view => view.map.model)")
    assert names == [0, 1]
    visit.page.mouse.move(*visit.place(4))
    song = visit.js("SONGATLAS.page.state.hover.song")
    assert song >= 0
    visit.page.click("[data-tool=lasso]")
    lasso_everything(visit)
    assert visit.js(
        "SONGATLAS.page.views[1].map.data.points.every(s => SONGATLAS.page.state.selectedSongs[s])"
    )
    visit.page.keyboard.press("Escape")
    visit.page.click("[data-tool=lasso]")
    visit.page.mouse.click(*visit.place(3, view=1))
    assert visit.js("SONGATLAS.page.views[0].pointOf(SONGATLAS.page.state.current).length") == 1


def test_the_table_sorts_and_switches_the_map(visit: Visit) -> None:
    visit.page.click("#tab-models")
    names = visit.page.locator("tbody th button")
    assert names.all_inner_texts() == ["two_blocks", "gone", "words"]
    visit.page.locator("thead button").nth(1).click()
    assert visit.page.locator("tbody th button").all_inner_texts() == [
        "words",
        "gone",
        "two_blocks",
    ]
    assert visit.page.locator("thead th").nth(1).get_attribute("aria-sort") == "ascending"
    visit.page.locator("tbody th button").first.click()
    visit.until("SONGATLAS.page.views[0].n === 8")
    assert visit.page.locator("tr.chosen th").inner_text() == "words others' labels"


def test_cards_describe_clusters_and_select_them(visit: Visit) -> None:
    visit.page.click("#tab-clusters")
    visit.page.wait_for_selector(".card")
    card = visit.page.locator(".card").nth(1)
    text = card.inner_text()
    assert "12 windows of 4 songs" in text
    assert "purity 1.00" in text
    assert "fast" in text.lower()
    card.locator("button", has_text="Select").click()
    assert visit.js("SONGATLAS.page.state.nSelected") == 4
    card.locator(".play-song").first.click()
    assert visit.js("SONGATLAS.page.state.current.window") >= 0


def test_neighbours_say_which_modality_parts_them(visit: Visit) -> None:
    visit.page.mouse.click(*visit.place(0))
    visit.page.wait_for_selector(".near li")
    assert visit.page.locator(".near li").count() == 3
    told = visit.page.locator(".near .visually-hidden").first.inner_text()
    assert "is audio" in told
    assert "is lyrics" in told


def test_a_song_without_sound_says_so(visit: Visit) -> None:
    visit.js("SONGATLAS.page.actions.playSong(7)")
    visit.page.wait_for_selector(".trouble:not([hidden])")
    assert "no audio file" in visit.page.locator(".trouble").inner_text()


def test_a_model_without_points_says_so(browser: Browser, tmp_path: Path) -> None:
    visit = Visit(browser, explorer_page.write_page_with_an_empty_model(tmp_path))
    visit.page.locator(".map-bar select").first.select_option("1")
    visit.page.locator(".map-message", has_text="no points").wait_for()
    visit.page.click("#tab-clusters")
    visit.page.locator(".cards", has_text="not clustered").wait_for()
    visit.js("SONGATLAS.page.actions.playSong(0)")
    visit.page.locator(".near", has_text="no vector").wait_for()
    visit.page.locator(".map-bar select").first.select_option("0")
    visit.until("SONGATLAS.page.views[0].n === 24")
    visit.context.close()
    assert visit.trouble == []


def test_everything_works_from_the_keyboard(visit: Visit) -> None:
    keys = visit.page.keyboard
    keys.press("/")
    keys.type("night")
    visit.page.wait_for_timeout(400)  # the last letter is looked for once no other follows
    visit.page.wait_for_selector(".result")
    keys.press("ArrowDown")
    keys.press("ArrowDown")
    keys.press("Enter")
    assert visit.js("SONGATLAS.page.state.current.song") >= 0
    visit.page.locator(".map").focus()
    keys.press("ArrowRight")
    keys.press("ArrowLeft")
    assert visit.js("SONGATLAS.page.views[0].cursor") >= 0
    said = visit.page.locator("[aria-live]").inner_text()
    assert " by " in said
    keys.press("s")
    assert visit.js("SONGATLAS.page.state.nSelected") == 1
    keys.press("Enter")
    visit.until("!SONGATLAS.page.audio.paused")
    keys.press("Space")
    assert visit.js("SONGATLAS.page.audio.paused")
    zoom = visit.js("SONGATLAS.page.views[0].camera.zoom")
    keys.press("+")
    assert visit.js("SONGATLAS.page.views[0].camera.zoom") > zoom
    keys.press("c")
    visit.until("SONGATLAS.page.views.length === 2")
    keys.press("Escape")
    assert visit.js("SONGATLAS.page.state.nSelected") == 0


@pytest.mark.parametrize("size", [(390, 844), (640, 400)], ids=["phone", "zoomed"])
def test_small_screens_hold_everything(
    browser: Browser, folder: Path, size: tuple[int, int]
) -> None:
    """A phone, and 1280 x 800 at 200% zoom: nothing is cut off sideways."""
    visit = Visit(browser, folder, viewport={"width": size[0], "height": size[1]}, has_touch=True)
    visit.page.touchscreen.tap(*visit.place(0))
    visit.page.wait_for_selector(".song-title:visible")
    assert visit.page.locator(".mini").is_visible()
    for tab in ("listen", "clusters", "models", "selection"):
        visit.page.click(f"#tab-{tab}")
        visit.page.wait_for_timeout(200)
        assert visit.js("document.documentElement.scrollWidth <= innerWidth + 1"), tab
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    visit.page.screenshot(path=str(SCREENSHOTS / f"small-{size[0]}.png"), full_page=True)
    visit.context.close()
    assert visit.trouble == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Browser, folder: Path, scheme: str) -> None:
    if not AXE.is_file():
        pytest.skip("axe-core is absent (npm ci in resources/explorer)")
    visit = Visit(browser, folder, color_scheme=scheme, bypass_csp=True)
    visit.page.mouse.click(*visit.place(0))
    visit.page.wait_for_selector(".near li")
    visit.page.add_script_tag(path=str(AXE))
    for tab in ("listen", "clusters", "models", "selection"):
        visit.page.click(f"#tab-{tab}")
        visit.page.wait_for_timeout(300)
        found = visit.js("axe.run().then(result => result.violations)")
        grave = [
            (one["id"], one["nodes"][0]["html"][:200])
            for one in found
            if one["impact"] in ("serious", "critical")
        ]
        assert grave == [], tab
    visit.page.screenshot(path=str(SCREENSHOTS / f"{scheme}.png"))
    visit.context.close()


def test_cards_have_names_and_tags(visit: Visit) -> None:
    visit.page.get_by_role("tab", name="Clusters").click()
    visit.page.select_option(".map-bar select >> nth=1", "song")
    card = visit.page.get_by_role("article", name="Cluster 2: pop, <b>bold</b>")
    card.wait_for()
    assert "pop" in card.get_by_label("Tags").inner_text()
    assert visit.page.get_by_role("article", name="Cluster 1: unsure").count() == 1
    known = sum(language is not None for language in explorer_page.LANGUAGES)
    assert known == len(explorer_page.LANGUAGES) - 1
    assert visit.page.locator(".cards").inner_text().count("; known of ") == 1


def test_neighbours_can_be_of_the_same_or_of_other_languages(visit: Visit) -> None:
    visit.js("SONGATLAS.page.actions.playSong(1)")
    scope = visit.page.locator(".near select").nth(1)
    scope.select_option("other")
    visit.until("document.querySelectorAll('.near .neighbour').length > 0")
    assert "same language" not in visit.page.locator(".near ol").inner_text()
    visit.page.locator(".near select").nth(1).select_option("same")
    visit.until("document.querySelectorAll('.near .neighbour').length === 0")
    assert "No song of these languages" in visit.page.locator(".near").inner_text()


def test_search_finds_tags_and_languages(visit: Visit) -> None:
    visit.page.fill("#search", "French pop")
    visit.until("document.querySelectorAll('.result').length === 1")
    assert "French, pop" in visit.page.locator(".result").inner_text()


def test_search_finds_what_means_the_same_and_says_what_it_does_not_know(visit: Visit) -> None:
    visit.page.fill("#search", "moon")
    visit.until("document.querySelectorAll('.result').length === 2")
    assert "means “lune”" in visit.page.locator(".results").inner_text()
    assert "undefined" not in visit.page.locator(".results").inner_text()
    visit.page.fill("#search", "<i>spaceship")
    visit.until("document.querySelector('.results').innerText.includes('Nothing found')")
    assert "No word of this is among" in visit.page.locator(".results").inner_text()
    visit.page.fill("#search", "x" * 10_000)
    assert len(visit.page.input_value("#search")) <= 10_000


def test_two_songs_have_a_way_between_them(visit: Visit) -> None:
    visit.js("SONGATLAS.page.select('song', [0, 5])")
    visit.page.get_by_role("tab", name="Selection").click()
    with visit.page.expect_download() as caught:
        visit.page.get_by_role("button", name="Way between (M3U)").click()
    text = Path(caught.value.path()).read_text(encoding="utf-8")
    assert "#PLAYLIST:Roof Song to Élan vital" in text
    assert text.count("#EXTINF") == 7, "all songs that have a file, each once"


def test_tags_colour_the_map(visit: Visit) -> None:
    visit.page.select_option("#colour", "tag")
    assert visit.page.locator(".legend").inner_text().startswith(("pop", "rock"))
