"""What architectures exist, read from their files' syntax trees without importing torch.

A new architecture is one file in this folder and one entry in the config: nothing is listed here.
"""

import ast
import functools
import importlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from songatlas.config import models as declared_models
from songatlas.config.messages import describe
from songatlas.config.run import Config, problems_error
from songatlas.errors import ConfigError

if TYPE_CHECKING:
    from songatlas.models.base import InputSpec, Model

FOLDER = Path(__file__).parent
CLASS = "Architecture"
OF_VECTORS = "OfVectors"
"""The class beside it that reads vectors, where that is another one."""
EITHER = ("either",)
"""`VECTORS` of an architecture that reads one vector a row, whatever of."""
ENCODER_OPTIONS = "encoder_options"
"""An architecture with this option is built on another one, which its option `encoder` names."""


CONSTANTS = ("TYPE", "KEY_FEATURE", "KEY_FEATURE_OF_VECTORS", "INPUTS", "VECTORS")


@dataclass(frozen=True)
class Entry:
    """What an architecture's file says of it."""

    name: str
    kind: str
    key_feature: str
    inputs: tuple[str, ...]
    vectors: tuple[str, ...]
    """`EITHER`, or `audio` and `lyrics` where it reads both at once as vectors; none: `()`."""
    options: type[BaseModel]
    """Keyword-only arguments of the class, as a pydantic model."""

    def takes(self, reads: Collection[str]) -> bool:
        """Whether it reads vectors of exactly these of `audio` and `lyrics`."""
        return set(reads) == set(self.vectors) or (self.vectors == EITHER and len(reads) == 1)


def architectures() -> tuple[str, ...]:
    """Names of all architectures: files in this folder that define `Architecture`."""
    return tuple(path.stem for path in sorted(FOLDER.glob("*.py")) if _class(_tree(path)))


@functools.cache
def entry(architecture: str, of_vectors: bool = False) -> Entry:
    """Constants and options of one architecture, as it reads spectrograms or vectors.

    Raises:
        ConfigError: when there is no such file.
    """
    path = FOLDER / f"{architecture}.py"
    node = _class(_tree(path)) if path.is_file() else None
    if node is None:
        known = ", ".join(architectures())
        raise ConfigError(f"unknown architecture `{architecture}`; known: {known}")
    constants = _constants(_tree(path))
    if of_vectors:
        node = _class(_tree(path), OF_VECTORS) or node
        own = constants.get("KEY_FEATURE_OF_VECTORS", constants["KEY_FEATURE"])
        constants = {**constants, "KEY_FEATURE": own}
    return Entry(
        name=architecture,
        kind=constants["TYPE"],
        key_feature=constants["KEY_FEATURE"],
        inputs=tuple(constants["INPUTS"]),
        vectors=tuple(constants.get("VECTORS", ())),
        options=_options(node),
    )


def problems(models: Mapping[str, declared_models.Model]) -> list[str]:
    """One line per problem that declared models have with their architectures' options."""
    lines = []
    for name, model in models.items():
        try:
            lines += [f"models.{name}.{line}" for line in _reads_problems(model)]
            accepted = entry(model.architecture, bool(model.vectors)).options
            options = accepted.model_validate(model.options)
            found = _encoder_problems(options, bool(model.vectors))
            lines += [f"models.{name}.{line}" for line in found]
            unlabelled = options.model_dump().get("condition_on") is None
            if model.control == "shuffled_labels" and unlabelled:
                lines.append(
                    f"models.{name}.control: `shuffled_labels` needs a model that is shown a label "
                    f"(option `condition_on`); `{model.architecture}` is shown none"
                )
            if model.control == "untrained" and getattr(options, "n_components", None) == "auto":
                lines.append(
                    f"models.{name}.control: `untrained` cannot choose `n_components`, which takes "
                    "training; give both models a number of components"
                )
        except ConfigError as error:
            lines.append(f"models.{name}.architecture: {error}")
        except ValidationError as error:
            known = entry(model.architecture, bool(model.vectors)).options
            common = tuple(type(model).model_fields)
            lines += [f"models.{name}.{line}" for line in describe(error, known, common)]
    return lines


def check(config: Config) -> None:
    """Check every declared model against its architecture's options.

    Raises:
        ConfigError: with one line per problem, all of them at once.
    """
    if lines := problems(config.models):
        raise problems_error(lines)


def inputs(architecture: str, options: Mapping[str, Any]) -> tuple[str, ...]:
    """What a model of spectrograms reads.

    Of `mel`, `lyrics`, `songs` (it also takes songs that have lyrics alone), `descriptors` where
    it joins them, and `language` or `genre` where it is conditioned.
    """
    found = entry(architecture)
    checked = found.options.model_validate(dict(options)).model_dump()
    asked = (checked.get("condition_on"), checked.get("join"))
    read = (*found.inputs, *(name for name in asked if name not in (None, "none")))
    if ENCODER_OPTIONS in checked:
        read += inputs(checked["encoder"], checked[ENCODER_OPTIONS] or {})
    return read


def parts(
    architecture: str, options: Mapping[str, Any], of_vectors: bool = False
) -> tuple[str, ...]:
    """The architectures that a model is made of: its own, and its encoder's where it names one.

    Their files are its code.
    """
    accepted = entry(architecture, of_vectors).options
    checked = accepted.model_validate(dict(options)).model_dump()
    if ENCODER_OPTIONS not in checked:
        return (architecture,)
    built_on = parts(checked["encoder"], checked[ENCODER_OPTIONS] or {}, of_vectors)
    return (architecture, *built_on)


def autoencoders(of_vectors: bool = False) -> tuple[str, ...]:
    """Names of the architectures that others can be built on.

    They derive from `VAE`, are shown no label, have no pretraining of their own and, `of_vectors`,
    read one.
    """
    plain = (name for name in architectures() if _is_plain_autoencoder(name))
    return tuple(name for name in plain if not of_vectors or entry(name).vectors == EITHER)


def variational(architecture: str) -> bool:
    """Whether it is a VAE, whose latent has a prior to move through."""
    path = FOLDER / f"{architecture}.py"
    return _derives_from_vae(_tree(path)) and entry(architecture).kind != "autoencoder"


def decodes(architecture: str) -> bool:
    """Whether the latent that it gives of a spectrogram decodes to one.

    True of VAEs and of what clusters the latent of one. Others keep back a part of what they decode
    (`hierarchical_vae`, `vq_vae`), decode means over time (`fusion`) or nothing.
    """
    node = _class(_tree(FOLDER / f"{architecture}.py"))
    assert node is not None
    bases = {base.id for base in node.bases if isinstance(base, ast.Name)}
    return "DeepClustering" in bases or any(base.endswith("VAE") for base in bases)


def build(
    architecture: str, spec: "InputSpec", latent_dim: int, options: Mapping[str, Any]
) -> "Model":
    """Instantiate an architecture.

    Raises:
        ConfigError: naming the option, when its encoder or an option of that is wrong.
    """
    checked = entry(architecture, spec.of_vectors).options.model_validate(dict(options))
    if problems := _encoder_problems(checked, spec.of_vectors):
        raise ConfigError("\n".join(problems))
    module = importlib.import_module(f"songatlas.models.{architecture}")
    built = getattr(module, CLASS)
    if spec.of_vectors:
        built = getattr(module, OF_VECTORS, built)
    model: Model = built(spec, latent_dim, **checked.model_dump())
    return model


def _reads_problems(model: declared_models.Model) -> list[str]:
    """What keeps a model's architecture from reading the vectors that `reads` names."""
    reads = tuple(model.vectors)
    if not reads or entry(model.architecture).takes(reads):
        return []
    able = [name for name in architectures() if entry(name).takes(reads)]
    return [
        f"reads: `{model.architecture}` takes no vectors of {_named(reads)}; "
        f"what does: {', '.join(able) or 'nothing'}"
    ]


def _named(reads: Collection[str]) -> str:
    return " and ".join(reads) if len(reads) > 1 else f"{', '.join(reads)} alone"


def _encoder_problems(options: BaseModel, of_vectors: bool = False) -> list[str]:
    """What is wrong with the encoder that a model names, and with that one's options."""
    values = options.model_dump()
    if ENCODER_OPTIONS not in values:
        return []
    known = autoencoders(of_vectors)
    if values["encoder"] not in known:
        of = " of vectors" if of_vectors else ""
        return [
            f"encoder: `{values['encoder']}` is no plain autoencoder or VAE{of}; "
            f"known: {', '.join(known)}"
        ]
    accepted = entry(values["encoder"], of_vectors).options
    try:
        accepted.model_validate(values[ENCODER_OPTIONS] or {})
    except ValidationError as error:
        return [f"{ENCODER_OPTIONS}.{line}" for line in describe(error, accepted)]
    return []


def _is_plain_autoencoder(architecture: str) -> bool:
    tree = _tree(FOLDER / f"{architecture}.py")
    node = _class(tree)
    assert node is not None
    options = set(_options(node).model_fields)
    return _derives_from_vae(tree) and not options & {
        "condition_on",
        "pretrain_epochs",
        ENCODER_OPTIONS,
    }


def _derives_from_vae(tree: ast.Module) -> bool:
    node = _class(tree)
    assert node is not None
    return any(isinstance(base, ast.Name) and base.id.endswith("VAE") for base in node.bases)


@functools.cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def _class(tree: ast.Module, name: str = CLASS) -> ast.ClassDef | None:
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return node
    return None


def _constants(tree: ast.Module) -> dict[str, Any]:
    return {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id in CONSTANTS
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
    """The type that an annotation spells: plain types, and unions and collections of them.

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
        case ast.Subscript(
            value=ast.Name(id="dict"),
            slice=ast.Tuple(elts=[ast.Name(id="str"), inner]),
        ):
            return dict[str, _type(inner)]  # type: ignore[misc]
        case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=elements)):
            spelled = [... if _is_ellipsis(item) else _type(item) for item in elements]
            return tuple[tuple(spelled)]  # type: ignore[misc]
    raise TypeError(f"line {node.lineno}: `{ast.unparse(node)}` cannot be an option's type")


def _is_ellipsis(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is ...
