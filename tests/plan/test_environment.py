"""One lock: the conda environments and pyproject.toml agree with it."""

import ast
import importlib.util
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from conftest import ROOT
from songatlas.config import feature_registry as registry
from songatlas.run.fingerprint import reachable

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
    locked = lock.pins() | pins_of_extras()
    for item in pinned:
        requirement = Requirement(item)
        assert str(requirement.specifier) == f"=={locked[requirement.name]}"


def pins_of_extras() -> dict[str, str]:
    """What has wheels for some platforms alone, with its version in envs/e5.txt."""
    text = (ROOT / "envs" / "e5.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z][\w-]*)==([\w.]+)", text, re.MULTILINE))


def test_the_extra_of_e5_is_what_make_setup_installs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extra = project["optional-dependencies"]["e5"]
    assert extra == [f"{name}=={version}" for name, version in pins_of_extras().items()]


def test_installed_versions_are_the_locked_ones() -> None:
    from importlib.metadata import version

    for name in ("snakemake", "lightning", "scikit-learn", "pyarrow", "librosa"):
        assert version(name) == lock_module().pins()[name]


def scripts_and_environments() -> Iterator[tuple[str, Path, Path]]:
    """Every rule that has both: its name, its script, its conda environment."""
    for path in sorted((ROOT / "rules").glob("*.smk")):
        for rule in re.split(r"\n(?=(?:rule|checkpoint) )", path.read_text(encoding="utf-8")):
            name = re.match(r"(?:rule|checkpoint) (\w+)", rule)
            script = re.search(r'script:\s*"([^"]+)"', rule)
            conda = re.search(r'conda:\s*"([^"]+)"', rule)
            if name and script and conda:
                yield name[1], path.parent / script[1], path.parent / conda[1]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def with_dependencies(names: list[str]) -> set[str]:
    """Packages, and what they install."""
    found: set[str] = set()
    pending = [normal(name) for name in names]
    while pending:
        name = pending.pop()
        if name in found:
            continue
        found.add(name)
        try:
            needed = [Requirement(text) for text in metadata.requires(name) or []]
        except metadata.PackageNotFoundError:  # for another platform
            continue
        pending += [
            normal(one.name)
            for one in needed
            if one.marker is None or one.marker.evaluate({"extra": ""})
        ]
    return found


def imported(path: Path, names: set[str] | None) -> Iterator[str]:
    """Top-level names that a file imports: at its top, and in the definitions `names`."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        defines = isinstance(node, ast.FunctionDef | ast.ClassDef)
        if defines and names is not None and node.name not in names:
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        for inner in ast.walk(node):
            if isinstance(inner, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in inner.names)
            elif isinstance(inner, ast.ImportFrom) and inner.module and not inner.level:
                yield inner.module.partition(".")[0]


def test_every_script_finds_its_imports_in_its_conda_environment() -> None:
    distributions = metadata.packages_distributions()
    locked = {normal(name) for name in lock_module().pins()}
    models = (ROOT / "scripts/songatlas/models").glob("*.py")
    architectures = [
        f"songatlas.models.{path.stem}" for path in models if "class Arch" in path.read_text()
    ]
    missing = []
    rules = [
        (rule, script, conda, architectures if conda.stem == "torch" else [])
        for rule, script, conda in scripts_and_environments()
    ]
    assert len(rules) > 40
    for feature in registry.features():
        if feature.write is not None:
            script = ROOT / "scripts" / "features" / "feature.py"
            conda = ROOT / "envs" / f"{feature.environment}.yaml"
            rules.append((feature.name, script, conda, [registry.module_of(feature.name)]))
    for rule, script, conda, modules in rules:
        pinned = yaml.safe_load(conda.read_text(encoding="utf-8"))["dependencies"][-1]["pip"]
        installed = with_dependencies([item.split("==")[0] for item in pinned])
        # What rules of models build is named by the config.
        reached = reachable(script, modules)
        places = {script: None} | {
            Path(importlib.util.find_spec(module).origin): names
            for module, names in reached.items()
        }
        for path, names in places.items():
            for module in set(imported(path, names)) - {"songatlas"} - sys.stdlib_module_names:
                providers = {normal(name) for name in distributions.get(module, [])} & locked
                # None is locked: an optional package, whose absence the code reports.
                if providers and not providers & installed:
                    missing.append(f"{rule}: {path.name} imports {module}, not in {conda.name}")
    assert not missing
