"""What architectures exist, read from their files' syntax trees without importing torch.

A new architecture is one file in this folder and one entry in the config: nothing is listed here.
"""

import ast
import functools
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from songatlas.config import Config, describe
from songatlas.errors import ConfigError

if TYPE_CHECKING:
    from songatlas.models.base import InputSpec, Model

FOLDER = Path(__file__).parent
CLASS = "Architecture"


@dataclass(frozen=True)
class Entry:
    """What an architecture's file says of it."""

    name: str
    kind: str
    key_feature: str
    inputs: tuple[str, ...]
    options: type[BaseModel]
    """Keyword-only arguments of the class, as a pydantic model."""


def architectures() -> tuple[str, ...]:
    """Names of all architectures: files in this folder that define `Architecture`."""
    return tuple(path.stem for path in sorted(FOLDER.glob("*.py")) if _class(_tree(path)))


def entry(architecture: str) -> Entry:
    """Constants and options of one architecture.

    Raises:
        ConfigError: when there is no such file.
    """
    path = FOLDER / f"{architecture}.py"
    node = _class(_tree(path)) if path.is_file() else None
    if node is None:
        known = ", ".join(architectures())
        raise ConfigError(f"unknown architecture `{architecture}`; known: {known}")
    constants = _constants(_tree(path))
    return Entry(
        name=architecture,
        kind=constants["TYPE"],
        key_feature=constants["KEY_FEATURE"],
        inputs=tuple(constants["INPUTS"]),
        options=_options(node),
    )


def check(config: Config) -> None:
    """Check every declared model against its architecture's options.

    Raises:
        ConfigError: with one line per problem, all of them at once.
    """
    problems = []
    for name, model in config.models.items():
        try:
            entry(model.architecture).options.model_validate(model.options)
        except ConfigError as error:
            problems.append(f"models.{name}.architecture: {error}")
        except ValidationError as error:
            options = entry(model.architecture).options
            common = tuple(type(model).model_fields)
            problems += [f"models.{name}.{line}" for line in describe(error, options, common)]
    if problems:
        lines = "\n".join(f"  - {line}" for line in problems)
        raise ConfigError(f"The configuration has problems:\n{lines}")


def inputs(architecture: str, options: Mapping[str, Any]) -> tuple[str, ...]:
    """What a model reads.

    Of `mel`, `lyrics`, `songs` (it also takes songs that have lyrics alone), and `language` or
    `genre` where it is conditioned.
    """
    found = entry(architecture)
    condition = found.options.model_validate(dict(options)).model_dump().get("condition_on")
    return (*found.inputs, *([condition] if condition else []))


def build(
    architecture: str, spec: "InputSpec", latent_dim: int, options: Mapping[str, Any]
) -> "Model":
    """Instantiate an architecture."""
    module = importlib.import_module(f"songatlas.models.{architecture}")
    checked = entry(architecture).options.model_validate(dict(options)).model_dump()
    model: Model = getattr(module, CLASS)(spec, latent_dim, **checked)
    return model


@functools.cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def _class(tree: ast.Module) -> ast.ClassDef | None:
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == CLASS:
            return node
    return None


def _constants(tree: ast.Module) -> dict[str, Any]:
    return {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id in ("TYPE", "KEY_FEATURE", "INPUTS")
    }


def _options(node: ast.ClassDef) -> type[BaseModel]:
    fields: dict[str, Any] = {}
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            arguments = item.args
            for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
                assert argument.annotation is not None, f"{argument.arg} has no annotation"
                kind = _type(argument.annotation)
                value = ... if default is None else ast.literal_eval(default)
                fields[argument.arg] = (kind, value)
    return create_model("Options", __config__=ConfigDict(extra="forbid", frozen=True), **fields)


NAMES: dict[str, Any] = {"int": int, "float": float, "bool": bool, "str": str, "None": None}


def _type(node: ast.expr) -> Any:
    """The type that an annotation spells: plain types, `A | B`, tuples, lists and literals of them.

    Raises:
        TypeError: for any other annotation.
    """
    match node:
        case ast.Name(id=name) if name in NAMES:
            return NAMES[name]
        case ast.Constant(value=None):
            return None
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _type(left) | _type(right)
        case ast.Subscript(value=ast.Name(id="Literal"), slice=inner):
            return Literal[ast.literal_eval(inner)]
        case ast.Subscript(value=ast.Name(id="list"), slice=inner):
            return list[_type(inner)]  # type: ignore[misc]
        case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=elements)):
            spelled = [... if _is_ellipsis(item) else _type(item) for item in elements]
            return tuple[tuple(spelled)]  # type: ignore[misc]
    raise TypeError(f"line {node.lineno}: `{ast.unparse(node)}` cannot be an option's type")


def _is_ellipsis(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is ...
