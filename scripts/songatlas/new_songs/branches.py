"""Which of a run's models new songs are given to."""

from collections.abc import Sequence
from typing import Any

from songatlas.config import feature_registry as registry
from songatlas.config.new_songs import Assign
from songatlas.errors import ConfigError
from songatlas.new_songs.finished import Branch

LABELS = ("language", "genre")
"""What a model may also be shown: new songs have none (zeros)."""


def chosen(declared: Sequence[dict[str, Any]], settings: Assign) -> list[Branch]:
    """The branches of `Plan.assign_branches` that `assign.models` names, or all that can be used.

    Raises:
        ConfigError: when there are no songs to assign, when a name is none of the run's, or when
            a named model reads something else than these songs' audio.
    """
    if settings.path is None:
        raise ConfigError(
            "assign.path: names no folder of new songs; add --config 'assign={path: FOLDER}' "
            "(make assign SONGS=FOLDER)"
        )
    names = [item["name"] for item in declared]
    for name in settings.models:
        if name not in names:
            raise ConfigError(
                f"assign.models: `{name}` is no model of this run; it has {', '.join(names)}"
            )
    wanted = [item for item in declared if item["name"] in (settings.models or names)]
    found = []
    for item in wanted:
        branch = _branch(item)
        if branch is not None:
            found.append(branch)
        elif settings.models:
            raise ConfigError(
                f"assign.models: `{item['name']}` reads lyrics, or is an encoder with rules "
                "of its own; new songs are assigned by models and baselines that read "
                f"{', '.join(feature.name for feature in registry.heard())}"
            )
    if not found:
        raise ConfigError("assign: no model of this run reads audio alone")
    return found


def _branch(item: dict[str, Any]) -> Branch | None:
    heard = {feature.name for feature in registry.heard()}
    if item["baseline"] is not None:
        [feature] = item["inputs"]
        if feature not in heard:
            return None
        return Branch(item["name"], item["seed"], (feature,), item["baseline"])
    read = [name for name in item["inputs"] if name not in LABELS]
    if set(read) <= heard:  # a model of vectors
        return Branch(item["name"], item["seed"], tuple(read))
    features = [feature.name for name in read for feature in registry.read_as(name)]
    if "mel" not in read or not set(features) <= heard:
        return None
    return Branch(item["name"], item["seed"], tuple(features))
