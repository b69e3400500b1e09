"""Draw the README's pictures of the explorer anew, from a finished demo run and `make explorer`.

    python docs/explorer_pictures.py results/demo/report/explorer docs/images

Needs chromium, and fonts for Arabic and Devanagari (Debian: fonts-noto-core).
"""

import io
import shutil
import sys
import time
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

FLAGS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-quic"]
SIZE = {"width": 1200, "height": 740}
SMALL = (900, 555)


class Film:
    """Pictures of a page, each with how long it stands, in milliseconds."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.frames: list[Image.Image] = []
        self.durations_ms: list[int] = []

    def take(self, duration_ms: int, after_s: float = 0.4) -> None:
        time.sleep(after_s)
        picture = Image.open(io.BytesIO(self.page.screenshot())).convert("RGB")
        self.frames.append(picture.resize(SMALL, Image.Resampling.LANCZOS))
        self.durations_ms.append(duration_ms)

    def save(self, path: Path) -> None:
        self.frames[0].save(
            path,
            save_all=True,
            append_images=self.frames[1:],
            duration=self.durations_ms,
            loop=0,
            quality=70,
            method=4,
        )


def place(page: Page, point: int) -> tuple[float, float]:
    """Where a point of the first map lies."""
    box = page.locator(".map").first.bounding_box()
    assert box is not None
    x, y = page.evaluate(f"SONGATLAS.page.views[0].at({point})")
    return box["x"] + x, box["y"] + y


def lasso(page: Page, film: Film) -> None:
    """Draw around a part of the second map."""
    page.click("[data-tool=lasso]")
    box = page.locator(".map").nth(1).bounding_box()
    assert box is not None
    corners = [(0.05, 0.1), (0.5, 0.05), (0.55, 0.5), (0.3, 0.75), (0.05, 0.6)]
    for nth, (x, y) in enumerate(corners):
        at = box["x"] + box["width"] * x, box["y"] + box["height"] * y
        page.mouse.move(*at, steps=6)
        if nth == 0:
            page.mouse.down()
    film.take(900)
    page.mouse.up()


def play_through(page: Page, film: Film, still: Path) -> None:
    """What the pictures show."""
    film.take(1400)
    page.mouse.move(*place(page, 100))
    film.take(700)
    page.mouse.click(*place(page, 100))
    for _ in range(7):
        film.take(600, after_s=0.55)
    page.keyboard.press(" ")
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.quantize(200, dither=Image.Dither.NONE).save(still, optimize=True)
    page.select_option("#colour", "genre")
    film.take(1300)
    page.select_option("#shape", "language")
    film.take(1300)
    page.select_option("#shape", "none")
    page.select_option("#colour", "cluster:points:kmeans:4")
    page.click("#tab-clusters")
    film.take(2200, after_s=1.0)
    page.select_option("#colour", "genre")
    page.click("[data-tool=split]")
    film.take(1400, after_s=1.2)
    page.click("#tab-models")
    film.take(1200)
    page.locator(".map").nth(1).focus()
    page.locator("tbody th button", has_text="descriptors_unit").first.click()
    film.take(1500, after_s=0.8)
    lasso(page, film)
    page.click("#tab-selection")
    film.take(2200, after_s=0.6)
    page.click('[aria-label="Light or dark"]')
    film.take(2200)


def main(explorer: Path, images: Path) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page(viewport=SIZE)
        page.goto((explorer / "index.html").resolve().as_uri())
        page.wait_for_selector("html[data-ready=true]")
        film = Film(page)
        play_through(page, film, images / "explorer.png")
        film.save(images / "explorer.webp")
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
