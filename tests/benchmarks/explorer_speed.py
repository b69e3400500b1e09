"""How fast the explorer opens and moves in headless chromium: synthetic songs, 10,000 windows and
100,000.

    python tests/benchmarks/explorer_speed.py [windows ...]

Prints seconds until the first map is drawn, and frames per second while the map is dragged: as the
page does it (a picture that takes too long to draw anew is shifted instead, all points in it), and
drawn anew in every frame. The GPU process's CPU time per frame says more than frames per second on
a busy machine.
"""

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import sync_playwright

from songatlas.report.explorer import scripts
from songatlas.report.explorer.page import BUNDLE
from songatlas.report.explorer.scripts import packed

WINDOWS_PER_SONG = 5
MODELS = 8
FLAGS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-quic"]
ALGORITHMS = [
    *((name, k) for name in ("kmeans", "agglomerative", "gmm") for k in (3, 4, 5, 10, 12, 15)),
    *(("dbscan", None), ("hdbscan", None)),
]
DRAG = """seconds => new Promise(done => {
  const view = SONGATLAS.page.views[0];
  let frames = 0, anew = 0;
  const draw = view.points.draw;
  view.points.draw = (...given) => { anew++; draw.apply(view.points, given); };
  const began = performance.now();
  const frame = () => {
    frames++;
    view.camera.pan(12 * Math.sin(frames / 18), 0); // to and fro by 430 pixels
    view.moved();
    if (performance.now() - began < 1000 * seconds) requestAnimationFrame(frame);
    else {
      view.points.draw = draw;
      done([frames, anew, frames / ((performance.now() - began) / 1000)]);
    }
  };
  requestAnimationFrame(frame);
})"""


def level(rng: np.random.Generator, n: int) -> dict[str, Any]:
    """Points around twelve centres."""
    points = rng.normal(size=(12, 2))[rng.integers(0, 12, n)] + 0.15 * rng.normal(size=(n, 2))
    points = (points / np.abs(points).max()).astype(np.float32).reshape(-1)
    rows = packed(np.arange(n, dtype=np.int32))
    return {"points": rows, "maps": {"umap": packed(points)}, "of": n}


def write_page(folder: Path, n_windows: int) -> None:
    """A page with everything that is read before the first map is drawn."""
    rng = np.random.default_rng(0)
    n_songs = n_windows // WINDOWS_PER_SONG
    shutil.copytree(BUNDLE, folder)
    start = np.tile(20.0 * np.arange(WINDOWS_PER_SONG), n_songs).astype(np.float32)
    labels = [
        {
            "key": key, "label": key, "group": "Labels",
            "names": [f"{key} {code}" for code in range(classes)],
            "codes": packed(rng.integers(0, classes, n_songs).astype(np.uint16)),
        }
        for key, classes in (("language", 4), ("genre", 8), ("artist", 97))
    ]  # fmt: skip
    sounds = [
        {
            "key": f"sound_{number}", "label": f"Sound {number}", "unit": "", "group": "Sound",
            "window": packed(rng.normal(size=n_windows).astype(np.float32)),
            "song": packed(rng.normal(size=n_songs).astype(np.float32)),
        }
        for number in range(9)
    ]  # fmt: skip
    clusterings = [
        {"level": at, "algorithm": name, "k": k}
        for at in ("window", "song", "song_vote")
        for name, k in ALGORITHMS
    ]
    run = {
        "run": "synthetic",
        "corpus": "Synthetic songs",
        "songs": {
            "id": [f"{song:016x}" for song in range(n_songs)],
            "title": [f"Song number {song}" for song in range(n_songs)],
            "artist": [f"Artist {song % 97}" for song in range(n_songs)],
            "license": [None] * n_songs,
            "duration_s": packed(np.full(n_songs, 130.0, np.float32)),
        },
        "windows": {
            "song": packed(np.repeat(np.arange(n_songs, dtype=np.int32), WINDOWS_PER_SONG)),
            "start_s": packed(start),
            "end_s": packed(start + 30.0),
        },
        "attributes": [*labels, *sounds],
        "descriptors": [],
        "card_classes": [],
        "models": [
            {
                "name": f"model_{number}", "supervision": "none", "note": "",
                "levels": {"window": ["umap"], "song": ["umap"]}, "clusterings": clusterings,
            }
            for number in range(MODELS)
        ],
        "comparison": {"columns": ["NMI"], "rows": []},
        "songs_per_lyrics_file": 500,
        "has_lyrics": packed(np.zeros(n_songs, np.uint8)),
        "has_spectrogram": packed(np.zeros(n_windows, np.uint8)),
        "audio": {
            "link": [f"../music/{song}.mp3" for song in range(n_songs)],
            "preview": packed(np.zeros(n_windows, np.uint8)),
            "withheld": 0,
        },
    }  # fmt: skip
    size = {"window": n_windows, "song": n_songs, "song_vote": n_songs}
    model = {
        "levels": {"window": level(rng, n_windows), "song": level(rng, n_songs)},
        "labels": [
            packed(rng.integers(0, one["k"] or 5, size[one["level"]]).astype(np.int16))
            for one in clusterings
        ],
        "neighbours": None,
    }
    scripts.write(folder / "data" / "run.js", "run", run)
    scripts.write(folder / "data" / "model-0.js", "model-0", model)


def gpu_seconds() -> float:
    """CPU time that chromium's GPU processes have used (Linux)."""
    total = 0.0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if b"--type=gpu-process" in (folder / "cmdline").read_bytes():
                fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
                total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        except OSError:
            continue
    return total


def measure(folder: Path) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        began = time.monotonic()
        page.goto((folder / "index.html").as_uri())
        page.wait_for_selector("html[data-ready=true]")
        print(f"  opens in {time.monotonic() - began:.2f} s")
        page.evaluate(DRAG, 2)
        for what in ("as the page does it", "drawn anew in every frame"):
            before = gpu_seconds()
            frames, anew, per_second = page.evaluate(DRAG, 4)
            cost_ms = 1000 * (gpu_seconds() - before) / frames
            print(f"  {what}: {per_second:.1f} frames/s, drawn anew {anew} times in {frames},"
                  f" {cost_ms:.0f} ms of CPU time a frame")  # fmt: skip
            page.evaluate("SONGATLAS.page.views[0].pacing = {frame: () => true}")
        browser.close()


def main() -> None:
    for n_windows in map(int, sys.argv[1:] or ("10000", "100000")):
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / "explorer"
            write_page(folder, n_windows)
            print(f"{n_windows:,} windows, load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
            measure(folder)


if __name__ == "__main__":
    main()
