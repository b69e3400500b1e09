"""Fixtures shared by the tests: where real songs are, and small inputs made on the spot."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from finished import Run

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
    """The small finished run (`finished.CONFIG`), made once for all test processes.

    Tests read it, or change copies of it.
    """
    from filelock import FileLock

    from finished import Run, finished_run

    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    done = shared / "finished.done"
    with FileLock(shared / "finished.lock"):
        if not done.exists():
            finished_run(shared / "finished run")
            done.touch()
    return Run(shared / "finished run")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest file first: it makes the finished run while other processes do without it."""
    items.sort(key=lambda item: item.path.stem != "test_pipeline")
