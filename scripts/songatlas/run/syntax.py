"""A module cut into its top-level statements: what each binds, mentions, imports and does.

Documentation is left out: comments, docstrings, bare strings that document a constant, and the
`description` of a pydantic field. So is where the package keeps what is imported.

What was parsed once is kept in `CACHE`: a plan reads two hundred modules, and so does every job.
"""

import ast
import functools
import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from songatlas.files import DiskFullError, atomic

PACKAGE = "songatlas"

OPAQUE = frozenset(["*", "globals", "locals", "eval", "exec", "__import__", "__getattr__"])
"""Names that reach definitions without naming them (`*`: an import of everything)."""

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


@dataclass(frozen=True)
class Import:
    """What an import gives: `name` of `module`, or (None) the module itself."""

    module: str
    name: str | None


@dataclass
class Part:
    """A top-level statement; of an import statement, one name."""

    digest: str
    """Of its syntax tree; imports of the package count by the imported name alone."""
    binds: set[str]
    mentions: dict[str, set[str] | None] = field(default_factory=dict)
    """Names anywhere in it, with the attributes read of each (None: one stands by itself)."""
    imports: dict[str, list[Import]] = field(default_factory=dict)
    """Names that it, or imports inside of it, take from the package."""
    effect: bool = False
    """Whether it does more, when the module is imported, than define what it binds."""
    is_import: bool = False


@dataclass(frozen=True)
class Module:
    """The parts of a module, in order."""

    parts: tuple[Part, ...]
    bound_by: dict[str, list[int]]
    """Indices of the parts that bind a name."""
    opaque: bool
    """Whether its parts may use one another without naming one another."""


SCRIPTS = Path(__file__).resolve().parents[2]
"""The folder that holds the entry scripts and the package."""

CACHE = Path(".snakemake/songatlas/syntax")
"""Where parts of files are kept, one JSON file each; it can be deleted at any time."""


@functools.cache
def read(path: Path) -> Module:
    """A file's parts, parsed unless the same text was before."""
    source = path.read_bytes()
    key = hashlib.sha256(_parser() + source).hexdigest()
    # A copy of the repository finds what the original parsed.
    place = path.relative_to(SCRIPTS) if path.is_relative_to(SCRIPTS) else path
    kept = CACHE / f"{hashlib.sha256(str(place).encode()).hexdigest()[:24]}.json"
    if (module := _kept(kept, key)) is None:
        module = parse(source.decode("utf-8"), str(path))
        _keep(module, kept, key)
    return module


@functools.cache
def _parser() -> bytes:
    return Path(__file__).read_bytes() + sys.version.encode()


def _kept(path: Path, key: str) -> Module | None:
    """What `_keep` wrote for this key; None where it is not there or cannot be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["key"] != key:
            return None
        parts = tuple(
            Part(
                digest=part["digest"],
                binds=set(part["binds"]),
                mentions={n: a if a is None else set(a) for n, a in part["mentions"].items()},
                imports={n: [Import(*one) for one in some] for n, some in part["imports"].items()},
                effect=part["effect"],
                is_import=part["is_import"],
            )
            for part in found["parts"]
        )
        return Module(parts, _bound_by(parts), found["opaque"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _keep(module: Module, path: Path, key: str) -> None:
    """Keep a module's parts for the next process, where the disk allows it."""
    parts = [
        {
            **vars(part),
            "binds": sorted(part.binds),
            "mentions": {n: a if a is None else sorted(a) for n, a in part.mentions.items()},
            "imports": {n: [[i.module, i.name] for i in some] for n, some in part.imports.items()},
        }
        for part in module.parts
    ]
    with suppress(OSError, DiskFullError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic(path) as temporary, temporary.open("w", encoding="utf-8") as file:
            json.dump({"key": key, "opaque": module.opaque, "parts": parts}, file)


def parse(source: str, name: str) -> Module:
    """The parts of a module's text; `name` stands in messages of errors."""
    tree = ast.parse(source, name)
    statements = [node for node in tree.body if not _is_string(node) and not _for_types_only(node)]
    parts = [part for node in statements for part in _parts(node)]
    origin = _origins(statements, parts)
    mentioned = {name for part in parts for name in part.mentions}
    for part, node in zip(parts, _owners(statements), strict=True):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            # Where nobody uses the name, a foreign module is imported for what its import does.
            part.effect = not part.imports and not part.binds & mentioned
        else:
            part.effect = not part.binds or any(_acts(call, origin) for call in _calls(node))
    bound_by = _bound_by(parts)
    return Module(tuple(parts), bound_by, bool(OPAQUE & {*mentioned, *bound_by}))


def _bound_by(parts: Sequence[Part]) -> dict[str, list[int]]:
    bound_by: dict[str, list[int]] = {}
    for index, part in enumerate(parts):
        for name in sorted(part.binds):
            bound_by.setdefault(name, []).append(index)
    return bound_by


def _parts(node: ast.stmt) -> Iterator[Part]:
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        for bound, found in _names_of(node):
            ours = found.module.split(".")[0] == PACKAGE
            module = PACKAGE if ours else found.module
            digest = _digest(f"{bound} = import {module} {found.name}")
            yield Part(digest, {bound}, imports={bound: [found]} if ours else {}, is_import=True)
        return
    _strip(node)
    imports: dict[str, list[Import]] = {}
    for inner in ast.walk(node):
        if isinstance(inner, (ast.Import, ast.ImportFrom)):
            taken = [pair for pair in _names_of(inner) if pair[1].module.split(".")[0] == PACKAGE]
            for bound, found in taken:
                imports.setdefault(bound, []).append(found)
            if taken and isinstance(inner, ast.ImportFrom):
                inner.module = PACKAGE
    yield Part(_digest(ast.dump(node)), bound_names(node), _mentions(node), imports)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _owners(statements: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statement of each part."""
    for node in statements:
        yield from [node] * (
            len(node.names) if isinstance(node, (ast.Import, ast.ImportFrom)) else 1
        )


def _names_of(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, Import]]:
    for alias in node.names:
        if isinstance(node, ast.ImportFrom):
            yield alias.asname or alias.name, Import(node.module or "", alias.name)
        else:
            yield alias.asname or alias.name.split(".")[0], Import(alias.name, None)


def bound_names(node: ast.stmt) -> set[str]:
    """Names that a statement defines by its form alone; none where it may do something else."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {node.name}
    if isinstance(node, (ast.Assign, ast.AnnAssign)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        flat = [name for t in targets for name in (t.elts if isinstance(t, ast.Tuple) else [t])]
        if all(isinstance(target, ast.Name) for target in flat):
            return {target.id for target in flat if isinstance(target, ast.Name)}
    return set()


def _mentions(node: ast.AST) -> dict[str, set[str] | None]:
    found: dict[str, set[str] | None] = {}

    def note(name: str, attribute: str | None) -> None:
        known = found.setdefault(name, set())
        if attribute is None:
            found[name] = None
        elif known is not None:
            known.add(attribute)

    def visit(inner: ast.AST) -> None:
        if isinstance(inner, ast.Attribute) and isinstance(inner.value, ast.Name):
            note(inner.value.id, inner.attr)
            return
        if isinstance(inner, ast.Name):
            note(inner.id, None)
        for annotation in (getattr(inner, name, None) for name in ("annotation", "returns")):
            for quoted in ast.walk(annotation) if isinstance(annotation, ast.AST) else ():
                if isinstance(quoted, ast.Constant) and isinstance(quoted.value, str):
                    visit(ast.parse(quoted.value, mode="eval"))
        for child in ast.iter_child_nodes(inner):
            visit(child)

    visit(node)
    return found


def _origins(statements: list[ast.stmt], parts: list[Part]) -> dict[str, str]:
    """Where names of the module come from: `function`, `class`, `value`, `import` (ours)."""
    origin: dict[str, str] = {}
    for part, node in zip(parts, _owners(statements), strict=True):
        kind = "value"
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            kind = "import" if part.imports else "foreign"
        elif isinstance(node, ast.ClassDef):
            kind = "class"
        elif isinstance(node, FUNCTIONS):
            kind = "function"
        origin |= dict.fromkeys(part.binds, kind)
    return origin


def _calls(node: ast.AST) -> Iterator[ast.expr]:
    """What a statement calls when it runs: not what the bodies of its functions call."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield from node.decorator_list
    if isinstance(node, ast.Call):
        yield node.func
    for child in ast.iter_child_nodes(node):
        if not (isinstance(node, FUNCTIONS) and child in _body(node)):
            yield from _calls(child)


def _body(node: ast.AST) -> list[ast.AST]:
    body = getattr(node, "body", [])
    return body if isinstance(body, list) else [body]


def _acts(callee: ast.expr, origin: dict[str, str]) -> bool:
    """Whether a call may change another definition of the package.

    Calls of foreign code do not, and making an instance of a class (a capital first letter) is
    taken not to.
    """
    last = callee.attr if isinstance(callee, ast.Attribute) else getattr(callee, "id", "")
    while isinstance(callee, (ast.Attribute, ast.Call, ast.Subscript)):
        callee = callee.func if isinstance(callee, ast.Call) else callee.value
    kind = origin.get(callee.id) if isinstance(callee, ast.Name) else None
    return kind in ("function", "class", "value", "import") and not last[:1].isupper()


def _for_types_only(node: ast.stmt) -> bool:
    test = node.test if isinstance(node, ast.If) and not node.orelse else None
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


def _strip(tree: ast.AST) -> None:
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list):
                kept = [item for item in block if not _is_string(item)]
                setattr(node, name, kept or (block and [ast.Pass()]))
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "Field"
        ):
            node.keywords = [word for word in node.keywords if word.arg != "description"]


def _is_string(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
