"""Which of a run's models new songs are given to."""

from collections.abc import Sequence
from typing import Any

from songatlas.config import Assign
from songatlas.errors import ConfigError
from songatlas.incremental.finished import Branch

HEARD = {"mel": "logmel", "descriptors": "descriptors", "language": None, "genre": None}
"""What a trained model may read: the feature behind it; None for labels (unknown: zeros)."""


def chosen(declared: Sequence[dict[str, Any]], settings: Assign) -> list[Branch]:
    """The branches of `Plan.assign_branches` that `assign.models` names, or all that can be used.

    Raises:
        ConfigError: when there are no songs to assign, when a name is none of the run's, or when
            a named model reads something else than these songs' log-mel and descriptors.
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
                f"assign.models: `{item['name']}` reads lyrics, or is a pretrained encoder; new "
                "songs are assigned by models and baselines of their own log-mel and descriptors"
            )
    if not found:
        raise ConfigError("assign: no model of this run reads audio alone")
    return found


def _branch(item: dict[str, Any]) -> Branch | None:
    read = item["inputs"]
    if item["baseline"] is not None:
        [feature] = read
        if feature not in ("logmel", "descriptors"):
            return None
        return Branch(item["name"], item["seed"], (feature,), item["baseline"])
    if not set(read) <= set(HEARD) or "mel" not in read:
        return None
    features = [HEARD[name] for name in read]
    return Branch(item["name"], item["seed"], tuple(name for name in features if name))
