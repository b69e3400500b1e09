"""How many components a mixture has, where the config leaves that to the corpus."""

import logging
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from songatlas.config.training import Training
from songatlas.errors import NotApplicable
from songatlas.models import registry
from songatlas.training.data import Windows
from songatlas.training.fit import Trained
from songatlas.training.weights import Description

logger = logging.getLogger(__name__)

OPTION, AUTO = "n_components", "auto"

NUMBERS = (4, 6, 8, 10, 12, 15, 20, 25, 30)
"""That are compared."""

ROWS_PER_COMPONENT = 5
"""Training rows that a component needs on average."""

COMPARED_EPOCHS = 10
"""Epochs after pretraining in which numbers are compared, at most: seconds for all of them."""

HELD_OUT = 10
"""Every tenth song is held out for the comparison, where the corpus has no validation songs."""


def train_with_components(
    windows: Windows,
    description: Description,
    training: Training,
    train: Callable[[Windows, Description, Training], Trained],
) -> Trained:
    """What `train` gives, with the number of components that fits held-out songs best.

    Where the option `n_components` is `auto`, every one of `NUMBERS` that the training rows are
    enough for is trained for `COMPARED_EPOCHS`; the one with the best bound
    (`best_validation_loss`, the negative evidence lower bound at the full KL weight) is then
    trained in full. The summary's `bounds` holds each number's. Labels have no part in it.

    Raises:
        NotApplicable: when there are too few training rows for the least number.
    """
    if not _open(description):
        return train(windows, description, training)
    n = len(windows.rows("train"))
    numbers = [number for number in NUMBERS if number * ROWS_PER_COMPONENT <= n]
    if not numbers:
        raise NotApplicable(
            f"not trained: {NUMBERS[0]} components, the fewest that are compared, need "
            f"{NUMBERS[0] * ROWS_PER_COMPONENT} training rows, there are {n} (add songs, or set "
            "n_components)"
        )
    compared = _with_held_out(windows)
    epochs = min(training.max_epochs, COMPARED_EPOCHS)
    short = training.model_copy(update={"max_epochs": epochs})
    bounds = {}
    for number in numbers:
        found = train(compared, _with(description, number), short).summary
        assert found.best_validation_loss is not None
        bounds[number] = found.best_validation_loss
        logger.info("%d components: %.4f nats per value on held-out songs", number, bounds[number])
    best = min(bounds, key=lambda number: bounds[number])
    kept = train(windows, _with(description, best), training)
    return replace(kept, summary=replace(kept.summary, n_components=best, bounds=bounds))


def _open(description: Description) -> bool:
    """Whether its number of components is to be chosen."""
    accepted = registry.entry(description.architecture, description.spec.of_vectors).options
    return getattr(accepted.model_validate(description.options), OPTION, None) == AUTO


def _with(description: Description, number: int) -> Description:
    return replace(description, options={**description.options, OPTION: number})


def _with_held_out(windows: Windows) -> Windows:
    """The same with validation songs: its own or, where it has none, some of the training songs."""
    if len(windows.rows("validation")):
        return windows
    splits = np.array(windows.splits, dtype=object)
    songs = np.unique(windows.track[windows.rows("train")])
    chosen = np.isin(windows.track, songs[::HELD_OUT]) & (splits == "train")
    splits[chosen] = "validation"
    return replace(windows, splits=tuple(splits))
