"""The disk that a run needs, before it starts."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path

from songatlas.config import feature_registry as registry
from songatlas.errors import SongatlasError
from songatlas.files import free_bytes
from songatlas.plan.amounts import FULL_SIZE, amounts, rates, training_of
from songatlas.plan.workflow import Plan

DEMO_BYTES = 60_000_000
"""The demo's songs as FLAC."""

BRANCH_BYTES = 4_000_000
"""Figures, analyses and pages of one representation."""

ROW_BYTES = 4
"""A clustered window takes so much per clustering, compressed."""

MARGIN = 1.2


class NoSpaceError(SongatlasError):
    """The disk does not hold what the run needs."""


@dataclass(frozen=True)
class Need:
    """Bytes that a run will have written when it has finished, by folder under `results/<run>`."""

    windows: int
    known: bool
    """Whether the windows were counted; otherwise they follow from the sizes of audio files."""
    stages: dict[str, int] = field(default_factory=dict)
    temporary: int = 0
    """Bytes beside that while a model trains: what an interrupted training goes on from."""

    def only(self, stages: Collection[str]) -> "Need":
        """What some stages need of it."""
        kept = {stage: size for stage, size in self.stages.items() if stage in stages}
        return replace(self, stages=kept, temporary=self.temporary if "models" in stages else 0)

    def missing(self, results: Path) -> int:
        """Bytes that are still to be written."""
        there = {stage: _size(results / stage) for stage in self.stages}
        left = sum(max(0, need - there[stage]) for stage, need in self.stages.items())
        return left + (self.temporary if left else 0)


def weight_bytes(plan: Plan) -> dict[str, int]:
    """About how large each model's weights are: they grow with the spectrograms it reads.

    An architecture that was never measured counts as the largest one.
    """
    config, known = plan.config, rates()
    frames = config.logmel.n_frames(config.windows.length_s)
    size = config.logmel.n_mels * frames / FULL_SIZE
    most = max(rate.weights_mb for rate in known.values())
    sizes = {}
    for name in plan.models:
        rate = known.get(training_of(config.models[name]))
        grows = 1.0 if config.models[name].vectors else size
        sizes[name] = round(1e6 * grows * (most if rate is None else rate.weights_mb))
    return sizes


def need(plan: Plan) -> Need:
    """Estimate of what a plan writes."""
    config = plan.config
    music = amounts(plan)
    windows = music.windows
    row_bytes = [registry.feature(name).row_bytes(config, name) for name in plan.features]
    seeds = len(config.seeds)
    weights = list(weight_bytes(plan).values())
    dims = [config.models[name].latent_dim for name in plan.models] * seeds
    dims += [config.clustering.pca_dim] * len(plan.untrained)
    clusterings = len(config.clustering.levels) * len(config.clustering.k) * 6
    # Sound alone and words alone beside both together.
    clustered = len(plan.branches) + 2 * len(plan.branches_of(plan.multimodal))
    stages = {
        "features": windows * sum(row_bytes),
        "models": seeds * sum(weights),
        "latents": sum(windows * 4 * dim for dim in dims),
        "clusters": clustered * windows * clusterings * ROW_BYTES,
        "figures": BRANCH_BYTES * len(plan.first_branches),
    }
    if plan.decoded:  # beside the page's own copy
        stages["report"] = 2 * plan.decoded_bytes
    if config.corpus == "demo":
        stages["../corpora/demo"] = DEMO_BYTES
    # Weights, Adam's two moments and the best weights; the old state stays until the new one is
    # whole. Models train one after another.
    temporary = 2 * 4 * max(weights, default=0)
    scaled = {stage: round(MARGIN * size) for stage, size in stages.items()}
    return Need(windows, music.known, scaled, temporary)


def preflight(plan: Plan, stages: Collection[str] | None = None) -> str:
    """What the run (or those of its stages that jobs will write to) needs, and what is free.

    Raises:
        NoSpaceError: when the windows are known and the disk holds less than the run needs.
    """
    results = Path(plan.results)
    needed = need(plan)
    if stages is not None:
        needed = needed.only(stages)
    missing, free = needed.missing(results), free_bytes(results)
    said = f"disk: {results} needs about {_shown(missing)} more, {_shown(free)} are free"
    if not needed.known:
        said += f" (for about {needed.windows} windows; songs have not been opened yet)"
    if missing <= free:
        return said
    largest = max(needed.stages, key=lambda stage: needed.stages[stage])
    advice = (
        f"; most of it is {largest}/ ({_shown(needed.stages[largest])}). Free some space, select "
        "fewer models or seeds (`include`, `seeds`), or put results/ on a larger disk"
    )
    if needed.known:
        raise NoSpaceError(said + advice)
    return f"{said}{advice}; it starts all the same, since this is a guess"


def _size(folder: Path) -> int:
    if not folder.is_dir():
        return 0
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _shown(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e8 else f"{n_bytes / 1e6:.1f} MB"
