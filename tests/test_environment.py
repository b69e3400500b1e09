"""One lock: the conda environments and pyproject.toml agree with it."""

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from conftest import ROOT

ENVIRONMENTS = sorted((ROOT / "envs").glob("*.yaml"))


def lock_module():
    spec = importlib.util.spec_from_file_location("lock", ROOT / "envs" / "lock.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_lock_pins_every_dependency_and_no_cuda_package() -> None:
    pins = lock_module().pins()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    for requirement in wanted:
        name = re.match(r"[A-Za-z0-9-]+", requirement)[0].lower()
        assert name in pins, f"{name} is not in requirements.lock"
    assert not [name for name in pins if name.startswith("nvidia")]


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_conda_environments_agree_with_the_lock(path: Path) -> None:
    lock = lock_module()
    assert path.read_text(encoding="utf-8") == lock.environment(path.stem)
    pinned = yaml.safe_load(path.read_text(encoding="utf-8"))["dependencies"][-1]["pip"]
    locked = lock.pins()
    assert [item.split("==")[1] for item in pinned] == [
        locked[item.split("==")[0]] for item in pinned
    ]


def test_installed_versions_are_the_locked_ones() -> None:
    from importlib.metadata import version

    for name in ("snakemake", "lightning", "scikit-learn", "pyarrow", "librosa"):
        assert version(name) == lock_module().pins()[name]
