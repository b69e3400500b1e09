"""Identity of a rule's code: its entry script and the definitions of the library that it reaches.

The unit is a top-level definition. From the entry script on, names are followed through imports;
of a module only the definitions that are reached count, and whatever it does when it is imported.
Where that cannot be followed a module counts whole: one that is used as a value, or that looks
names up at run time. So does a module that a registry imports by name at run time, which the caller
gives, since only the job's config says which.

Taken for granted: defining a class, or making an instance of one, changes nothing outside of it.
Comments, docstrings, help texts of the config and formatting change nothing, nor does moving a
definition to another module.
"""

import functools
import hashlib
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from songatlas.run import syntax
from songatlas.run.syntax import PACKAGE, Import, Module, Part

ROOT = syntax.SCRIPTS
"""The folder that holds the entry scripts and the package."""


@functools.cache
def entry_script(name: str) -> Path:
    """The entry script of that name, whatever stage's folder it lies in."""
    (path,) = ROOT.glob(f"*/{name}.py")
    return path


def fingerprint(script: str | Path, modules: Iterable[str] = ()) -> str:
    """Hex digest of `script` (a path) and of every definition of `songatlas` that it reaches.

    `modules` names further modules (`songatlas.models.conv_vae`), which count whole.
    """
    return _fingerprint(Path(script).resolve(), tuple(sorted(set(modules))))


@functools.cache
def _fingerprint(script: Path, modules: tuple[str, ...]) -> str:
    entry = [part.digest for part in syntax.read(script).parts]
    # In an order that does not say where a definition stands: to move one changes nothing.
    reached = sorted(
        _module(name).parts[index].digest
        for name, indices in _reach(script, modules).items()
        for index in indices
    )
    return hashlib.sha256("\n".join([*entry, "", *reached]).encode()).hexdigest()[:16]


def reachable(script: str | Path, modules: Iterable[str] = ()) -> dict[str, set[str]]:
    """The modules that `fingerprint` covers, and the names in each that count."""
    return {
        name: {bound for index in indices for bound in _module(name).parts[index].binds}
        for name, indices in _reach(Path(script).resolve(), modules).items()
    }


def _reach(script: Path, modules: Iterable[str]) -> dict[str, set[int]]:
    """Indices of the parts that count, by module."""
    entry = syntax.read(script)
    reached: dict[str, set[int]] = {}
    pending: list[tuple[str, Part]] = []

    def enter(name: str) -> None:
        """Import a module: the packages above it run too, and so do the imports at its top."""
        if name in reached or _path(name) is None:
            return
        if "." in name:
            enter(name.rpartition(".")[0])
        module = _module(name)
        reached[name] = set()
        take(name, (i for i, part in enumerate(module.parts) if part.effect or module.opaque))
        for part in module.parts:
            if part.is_import:
                enter_imports(part)

    def enter_imports(part: Part) -> None:
        for found in chain.from_iterable(part.imports.values()):
            enter(found.module)
            enter(f"{found.module}.{found.name}")

    def take(name: str, indices: Iterable[int]) -> None:
        parts = _module(name).parts
        new = sorted(set(indices) - reached[name])
        reached[name].update(new)
        pending.extend((name, parts[index]) for index in new)

    def take_whole(name: str) -> None:
        enter(name)
        take(name, range(len(_module(name).parts)))

    def need(name: str, wanted: str) -> None:
        """Take a definition of a module, wherever the module has it from."""
        enter(name)
        module = _module(name)
        if wanted not in module.bound_by:
            take_whole(name if _path(f"{name}.{wanted}") is None else f"{name}.{wanted}")
            return
        take(name, module.bound_by[wanted])
        for index in module.bound_by[wanted]:
            for found in module.parts[index].imports.get(wanted, ()):
                use(found, None)

    def use(found: Import, attributes: set[str] | None) -> None:
        """Follow an imported name, of which `attributes` are read (None: the name by itself)."""
        submodule = f"{found.module}.{found.name}"
        if found.name is None or found.name == "*":
            take_whole(found.module)
        elif _path(submodule) is None:
            need(found.module, found.name)
        elif attributes is None:
            take_whole(submodule)
        else:
            for attribute in sorted(attributes):
                need(submodule, attribute)

    def follow(module: Module, part: Part) -> None:
        enter_imports(part)
        for found in part.imports.get("*", ()):
            use(found, None)
        for name, attributes in part.mentions.items():
            tops = [module.parts[index] for index in module.bound_by.get(name, ())]
            for found in chain.from_iterable(top.imports.get(name, ()) for top in [part, *tops]):
                use(found, attributes)

    for part in entry.parts:
        follow(entry, part)
    for name in modules:
        take_whole(name)
    while pending:
        name, part = pending.pop()
        module = _module(name)
        follow(module, part)
        for mentioned in part.mentions:
            take(name, module.bound_by.get(mentioned, ()))
    return reached


def _module(name: str) -> Module:
    return _module_under(ROOT, name)


@functools.cache
def _module_under(root: Path, name: str) -> Module:
    path = _path_under(root, name)
    assert path is not None, name
    return syntax.read(path)


def _path(module: str) -> Path | None:
    return _path_under(ROOT, module)


@functools.cache
def _path_under(root: Path, module: str) -> Path | None:
    """Where a module of the package lies; asked for tens of thousands of times in one plan."""
    if module.split(".")[0] != PACKAGE:
        return None
    base = root.joinpath(*module.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None
