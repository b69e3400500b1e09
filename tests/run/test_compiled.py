"""What numba compiles is compiled by one process at a time, and ahead of runs."""

import fcntl
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from conftest import ROOT
from songatlas.features.audio import descriptors
from songatlas.latents.projection import import_umap
from songatlas.run import compiled


def held() -> bool:
    """Whether somebody holds the lock now."""
    with compiled.lock_path().open("r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@pytest.fixture
def own_lock(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    path = tmp_path / "compiles.lock"
    monkeypatch.setattr(compiled, "lock_path", lambda: path)
    return path


def test_descriptors_and_umap_are_made_ready_under_the_lock(
    own_lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    monkeypatch.setattr(
        descriptors, "describe", lambda window, config: found.append((window.dtype, held()))
    )
    descriptors.ready.cache_clear()
    descriptors.ready()
    descriptors.ready()
    descriptors.ready.cache_clear()
    assert found == [(np.dtype("float32"), True)], "once a process"
    assert not held()

    class Umap:
        """Stands for the module: says when it is looked for."""

        def find_spec(self, name: str, *_: object) -> None:
            if name == "umap":
                found.append(("umap", held()))

    monkeypatch.delitem(sys.modules, "umap", raising=False)
    finder = Umap()
    monkeypatch.setattr(sys, "meta_path", [finder, *sys.meta_path])
    monkeypatch.setitem(sys.modules, "umap.umap_", None)
    with pytest.raises(ImportError):
        import_umap()
    assert found[-1] == ("umap", True)
    assert not held(), "an error lets go of it"


HOLDS = """
import sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from songatlas.run import compiled
compiled.lock_path = lambda: Path(sys.argv[2])
with compiled.compiling():
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_another_process_waits(own_lock: Path) -> None:
    command = [sys.executable, "-c", HOLDS, str(ROOT / "scripts"), str(own_lock)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as first:  # type: ignore[call-overload]
        assert first.stdout.readline() == "held\n"
        assert held()
        with subprocess.Popen(command, **pipes) as second:  # type: ignore[call-overload]
            first.communicate("go\n")
            assert second.stdout.readline() == "held\n"
            # Killed while it compiles: the kernel lets go.
            second.kill()
            second.wait()
    assert not held()


def test_setup_compiles_ahead() -> None:
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8").split("$(STAMP):\n")[1]
    assert "-m songatlas.plan.compile_ahead" in recipe.split("\n\n")[0]
