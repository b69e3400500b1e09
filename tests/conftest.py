"""Fixtures shared by the tests: where real songs are, and small inputs made on the spot."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from finished import Run

FINISHED = "finished"
"""Group of the tests that read the finished run: one process makes it, once."""

ROOT = Path(__file__).resolve().parents[1]


def shared_folder(name: str) -> Path:
    """A folder of real data; tests that need it skip with a reason when it is absent."""
    base = Path(os.environ.get("SONGATLAS_SHARED", ROOT.parent / "shared"))
    folder = base / name
    if not folder.is_dir():
        pytest.skip(f"real data folder {name}/ is absent (set SONGATLAS_SHARED to its parent)")
    return folder


@pytest.fixture(scope="session")
def jamendolyrics() -> Path:
    return shared_folder("jamendolyrics")


@pytest.fixture(scope="session")
def ultrastar() -> Path:
    return shared_folder("ultrastar")


@pytest.fixture(scope="session")
def reference() -> Path:
    return shared_folder("reference")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> "Run":
    """The small finished run (`finished.CONFIG`); tests change copies of it."""
    from finished import finished_run

    return finished_run(tmp_path_factory.mktemp("finished"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of a file share a process; so do those of the finished run, which go first."""
    for item in items:
        shared = "finished" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group(FINISHED if shared else item.path.stem))
    items.sort(key=lambda item: item.get_closest_marker("xdist_group").args[0] != FINISHED)
