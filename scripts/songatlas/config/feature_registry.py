"""What features there are: a new one is one module in `features/` and one entry in the config.

A module declares `FEATURES`, what it writes, and `KINDS`, what baselines make of it. The plan, the
estimate of disk, the rules, baselines, the summary and the assignment of new songs iterate what is
declared. Every job's process reads these modules, so they import what is heavy inside functions.
"""

import functools
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from songatlas.errors import SongatlasError

if TYPE_CHECKING:
    import numpy as np

    from songatlas.config.models import Baseline
    from songatlas.config.run import Config

FOLDER = Path(__file__).parents[1] / "features"

Supervision = Literal["none", "elsewhere"]


@dataclass(frozen=True)
class Job:
    """What a job that writes a feature is given.

    `inputs`: of audio the table `shard` (`tables.SHARD`), of lyrics the table `tracks`. `outputs`:
    `part`; of audio also `rejects` and `warnings`; `songs` where the feature has vectors of songs.
    """

    inputs: Mapping[str, Path]
    outputs: Mapping[str, Path]
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Pretrained:
    """What is known of published weights that a feature is computed with."""

    title: str
    trained_on: str
    licence: str
    citation: str
    parameters: int
    supervision: Supervision
    """`elsewhere`: other people's labels (tags, languages) taught them."""


@dataclass(frozen=True)
class Feature:
    """A feature: what it is of, what it needs, how large it is, and who writes it."""

    name: str
    """Of its folder under `results/<run>/features`; of a family, what comes before `-<member>`."""
    title: str
    """In messages: what is written."""
    reads: Literal["audio", "lyrics"]
    """Audio: one part a shard. Lyrics: one part."""
    key: Literal["window_id", "track_id"]
    """What a row is of."""
    row_bytes: "Callable[[Config, str], int]"
    """Bytes of a row, by the config and the feature's full name."""
    write: Callable[[Job], str] | None = None
    """Writes a part and says in words what it wrote; None: a rule of its own does."""
    settings: "Callable[[Config], dict[str, Any]]" = lambda config: {}
    """What of the config decides its values: a job re-runs when this changes."""
    songs: bool = False
    """It also has vectors of songs, which are not the means of their windows'."""
    read_as: str | None = None
    """Which input of trained models it is (`INPUTS` of an architecture)."""
    environment: str = "torch"
    """The file under `envs/` that its job needs."""
    family: bool = False
    """There are several: `<name>-<member>`."""
    pretrained: Pretrained | None = None
    weights: Callable[[], str | None] = lambda: None
    """Identity of the weights on this machine; None where there are none."""
    to_fetch: Callable[[], list[str]] = list
    """Repositories of the Hugging Face Hub that `fetch_weights` fetches for this machine."""
    missing: Callable[[], str | None] = lambda: None
    """Why this machine cannot compute it, and what to do; None where it can."""

    def fits(self, full_name: str) -> bool:
        """Whether a feature of that name is this one, or a member of this family."""
        return full_name.startswith(f"{self.name}-") if self.family else full_name == self.name


@dataclass(frozen=True)
class Kind:
    """What a baseline of this kind makes of a feature: `vectors` maps (n, ...) to (n, d)."""

    feature: str
    vectors: "Callable[[np.ndarray], np.ndarray]"
    of: "Callable[[str, Baseline], str] | None" = None
    """Of a family: the feature's full name, by the baseline's name and declaration."""
    standardise: bool = True
    """Whether its dimensions are standardised where the config leaves that open."""
    as_it_is: str | None = None
    """Why it must not be standardised, whatever the config says; None: it may be."""
    width: int | None = None
    """Values of a vector, where that is known before any file is read."""


@dataclass(frozen=True)
class _Declared:
    features: Mapping[str, Feature] = field(default_factory=dict)
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    module_of: Mapping[str, str] = field(default_factory=dict)


@functools.cache
def _declared() -> _Declared:
    features: dict[str, Feature] = {}
    kinds: dict[str, Kind] = {}
    module_of: dict[str, str] = {}
    for path in sorted(FOLDER.glob("*.py")):
        if path.stem in ("__init__",):
            continue
        module = _module(path.stem)
        for feature in module.FEATURES:
            features[feature.name] = feature
            module_of[feature.name] = module.__name__
        kinds |= getattr(module, "KINDS", {})
    return _Declared(features, kinds, module_of)


def _module(stem: str) -> ModuleType:
    name = f"songatlas.features.{stem}"
    module = importlib.import_module(name)
    if not getattr(module, "FEATURES", None):
        raise SongatlasError(
            f"{module.__file__}: declares no FEATURES; see config/feature_registry.py"
        )
    return module


def features() -> list[Feature]:
    """Every feature and family that there is, by module."""
    return list(_declared().features.values())


def feature(full_name: str) -> Feature:
    """The feature of that name, or the family that it is of.

    Raises:
        SongatlasError: when there is none.
    """
    for one in features():
        if one.fits(full_name):
            return one
    raise SongatlasError(f"there is no feature `{full_name}`; there are {', '.join(_names())}")


def write(full_name: str, job: Job) -> str:
    """Have a feature's module write it, and say in words what it wrote.

    Raises:
        SongatlasError: when this machine lacks what the feature is computed with.
    """
    one = feature(full_name)
    if why := one.missing():
        raise SongatlasError(f"{full_name}: {why}")
    assert one.write is not None, full_name
    return one.write(job)


def kinds() -> dict[str, Kind]:
    """Every kind of baseline."""
    return dict(_declared().kinds)


def kind(name: str) -> Kind:
    """A kind of baseline.

    Raises:
        SongatlasError: when there is none of that name.
    """
    if name not in _declared().kinds:
        raise SongatlasError(f"there is no kind `{name}`; there are {', '.join(kinds())}")
    return _declared().kinds[name]


def readable() -> dict[str, str]:
    """By name of every feature that models read as vectors: `audio` or `lyrics`.

    They are those with a kind of their own name, which says what the vectors are.
    """
    named = [one for one in features() if one.name in kinds() and not one.family]
    return {one.name: one.reads for one in named}


def module_of(full_name: str) -> str:
    """The module that declares a feature, which fingerprints count whole."""
    return _declared().module_of[feature(full_name).name]


def feature_of(name: str, baseline: "Baseline") -> str:
    """Full name of the feature that a baseline's vectors come from."""
    of = kind(baseline.kind)
    return of.feature if of.of is None else of.of(name, baseline)


def of_songs(kind_name: str) -> bool:
    """Whether a kind's vectors are of songs alone."""
    return _declared().features[kind(kind_name).feature].key == "track_id"


def read_as(model_input: str) -> list[Feature]:
    """The features behind an input of trained models; none behind labels."""
    return [one for one in features() if one.read_as == model_input]


def heard() -> list[Feature]:
    """Features of audio that the registry writes: what new songs are described by."""
    return [one for one in features() if one.reads == "audio" and one.write is not None]


def _names() -> list[str]:
    return [f"{one.name}-<member>" if one.family else one.name for one in features()]


def flat(values: "np.ndarray") -> "np.ndarray":
    """Values of shape (n, ...) as vectors of shape (n, d) float64."""
    import numpy as np

    return values.reshape(len(values), -1).astype(np.float64)
