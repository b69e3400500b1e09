"""Identity of a rule's code: its entry script and the library modules it reaches by import.

Taken from syntax trees without docstrings, so that a comment, a docstring or formatting changes
nothing. Modules that a registry imports by name at run time are given by the caller, since only
the job's config says which.
"""

import ast
import functools
import hashlib
from collections.abc import Iterable
from pathlib import Path

PACKAGE = "songatlas"
ROOT = Path(__file__).resolve().parents[1]
"""The folder that holds the entry scripts and the package."""


def fingerprint(script: str | Path, modules: Iterable[str] = ()) -> str:
    """Hex digest of `script` (a path) and of every `songatlas` module reachable from it.

    `modules` names further modules (`songatlas.models.conv_vae`) that are imported by name.
    """
    parts = [_digest(Path(script).resolve())]
    parts += [
        f"{name} {_digest(path)}" for name, path in sorted(reachable(script, modules).items())
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def reachable(script: str | Path, modules: Iterable[str] = ()) -> dict[str, Path]:
    """The modules that `fingerprint` covers, and their files."""
    reached: dict[str, Path] = {}
    pending = [*_imports(Path(script).resolve()), *modules]
    while pending:
        module = pending.pop()
        path = _path(module)
        if module not in reached and path is not None:
            reached[module] = path
            pending += _imports(path)
    return reached


def _path(module: str) -> Path | None:
    base = ROOT.joinpath(*module.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


@functools.cache
def _imports(path: Path) -> tuple[str, ...]:
    """Modules of the package that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    # Importing a module runs the `__init__` of every package above it.
    parents = {name.rsplit(".", n)[0] for name in found for n in range(1, name.count(".") + 1)}
    return tuple(sorted(m for m in found | parents if m.split(".")[0] == PACKAGE and _path(m)))


@functools.cache
def _digest(path: Path) -> str:
    tree = _tree(path)
    for node in ast.walk(tree):
        # Docstrings, and bare strings that document a constant.
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list):
                kept = [item for item in block if not _is_string(item)]
                setattr(node, name, kept or (block and [ast.Pass()]))
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def _is_string(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))
