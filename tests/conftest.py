"""Fixtures shared by the tests: where real songs are, and small inputs made on the spot."""

import os
from pathlib import Path

import pytest

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
