"""A module cut into its top-level statements: what each binds, mentions, imports and does.

Documentation is left out: comments, docstrings, bare strings that document a constant, and the
`description` of a pydantic field.
"""

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

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

    text: str
    """Its syntax tree as text."""
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


@functools.cache
def read(path: Path) -> Module:
    """Parse a file into its parts."""
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
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
    bound_by: dict[str, list[int]] = {}
    for index, part in enumerate(parts):
        for name in sorted(part.binds):
            bound_by.setdefault(name, []).append(index)
    return Module(tuple(parts), bound_by, bool(OPAQUE & {*mentioned, *bound_by}))


def _parts(node: ast.stmt) -> Iterator[Part]:
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        for bound, found in _names_of(node):
            text = f"{bound} = import {found.module} {found.name}"
            ours = found.module.split(".")[0] == PACKAGE
            yield Part(text, {bound}, imports={bound: [found]} if ours else {}, is_import=True)
        return
    _strip(node)
    imports: dict[str, list[Import]] = {}
    for inner in ast.walk(node):
        if isinstance(inner, (ast.Import, ast.ImportFrom)):
            for bound, found in _names_of(inner):
                if found.module.split(".")[0] == PACKAGE:
                    imports.setdefault(bound, []).append(found)
    yield Part(ast.dump(node), _binds(node), _mentions(node), imports)


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


def _binds(node: ast.stmt) -> set[str]:
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
