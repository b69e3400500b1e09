"""A training job as data: one process does it, or several that are started with it."""

import functools
import json
import logging
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from songatlas.config.training import Loss, Training
from songatlas.errors import NotApplicable
from songatlas.models.base import InputSpec
from songatlas.models.gather import rank
from songatlas.training.components import train_with_components
from songatlas.training.controls import controlled
from songatlas.training.data import read_inputs
from songatlas.training.fit import not_trained, train
from songatlas.training.weights import Description

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Request:
    """Everything that training one model with one seed takes."""

    inputs: dict[str, str | list[str]]
    """By names of the arguments of `read_windows`."""
    outputs: dict[str, str]
    """Paths of `weights`, `history` and `summary`."""
    model: str
    declared: dict[str, Any]
    options: dict[str, Any]
    spec: dict[str, Any]
    training: dict[str, Any]
    loss: dict[str, Any]
    seed: int
    resume: str
    """Folder for the state of an interrupted training."""
    save_every_s: float
    code: str
    """Identity of the code."""
    tensorboard: str | None

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> "Request":
        return cls(**json.loads(path.read_text(encoding="utf-8")))


def fulfil(request: Request) -> str:
    """Train, and write what came of it (rank 0 alone, of several processes); a line that says it.

    Raises:
        SongatlasError: as `read_windows` and `train`.
    """
    declared = request.declared
    training, loss = Training(**request.training), Loss(**request.loss)
    description = Description(
        declared["architecture"],
        InputSpec(**request.spec),
        declared["latent_dim"],
        dict(request.options),
        control=declared["control"],
        control_of=declared["control_of"],
        taught=declared.get("taught", "none"),
    )
    try:
        windows, spec = read_inputs(
            request.inputs,
            description.spec,
            condition_on=request.options.get("condition_on"),
            seed=request.seed,
        )
        if windows.note:
            logger.warning("%s: %s", request.model, windows.note)
        trained = train_with_components(
            controlled(windows, description.control, request.seed),
            replace(description, spec=spec),
            training,
            functools.partial(
                train,
                loss=loss,
                name=request.model,
                beta=declared["beta"],
                seed=request.seed,
                resume_folder=request.resume,
                resume_every_s=request.save_every_s,
                identity=request.code,
                progress_bar=sys.stderr.isatty(),
                tensorboard=request.tensorboard,
            ),
        )
    except NotApplicable as reason:
        logger.warning("%s: %s", request.model, reason)
        trained = not_trained(
            description,
            training,
            loss,
            name=request.model,
            seed=request.seed,
            note=str(reason),
        )
    if rank() == 0:
        outputs = request.outputs
        trained.write(outputs["weights"], outputs["history"], outputs["summary"])
    return trained.summary.in_words()
