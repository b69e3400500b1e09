"""What runs there are: models and baselines by seed, and the paths of what they write."""

from collections.abc import Collection
from typing import Any

from songatlas.config.run import Config


class Branches:
    """The branches of one run: every (model, seed), and paths under `results/<run>`."""

    config: Config
    results: str
    shards: list[str]
    left_out: dict[str, str]
    models: list[str]
    baselines: list[str]

    @property
    def trained(self) -> list[tuple[str, int]]:
        """Every (model, seed) that is trained."""
        return [(name, seed) for name in self.models for seed in self.config.seeds]

    @property
    def first_trained(self) -> list[tuple[str, int]]:
        """The first seed of every model: it stands for the model in pictures."""
        return [(name, self.config.seeds[0]) for name in self.models]

    @property
    def untrained(self) -> list[tuple[str, int]]:
        """Baselines: one branch, since nothing is random; in cross-validation one per fold."""
        return [(name, seed) for name in self.baselines for seed in self.baseline_seeds]

    @property
    def first_untrained(self) -> list[tuple[str, int]]:
        """One branch per baseline."""
        return [(name, self.baseline_seeds[0]) for name in self.baselines]

    @property
    def baseline_seeds(self) -> list[int]:
        """What a baseline has branches for: in cross-validation, a seed says what is held out."""
        return self.config.seeds if self.folds else [0]

    @property
    def folds(self) -> int:
        """Folds of a cross-validation; 0 where there is none."""
        return self.config.split.folds if self.config.split.method == "folds" else 0

    @property
    def changes(self) -> list[tuple[str, str]]:
        """(model, what it changes against the one before it), in the order of the config."""
        said = [(name, self.config.models[name].change) for name in self.models]
        return [(name, change) for name, change in said if change is not None]

    @property
    def leaky(self) -> dict[str, str]:
        """By name of every control whose windows are dealt at random: what it is a control of."""
        return {
            name: twin
            for name, (control, twin) in self.config.controls.items()
            if control == "random_windows"
        }

    @property
    def leakage_branches(self) -> list[tuple[str, int]]:
        """Every (model, seed) of these controls and of the models that they control."""
        names = dict.fromkeys([*self.leaky.values(), *self.leaky])
        return [(name, seed) for name in names for seed in self.config.seeds]

    @property
    def changed(self) -> list[tuple[str, int]]:
        """Every (model, seed) that the table of changes shows."""
        names = dict(self.changes)
        return [(name, seed) for name, seed in self.trained if name in names]

    @property
    def branches(self) -> list[tuple[str, int]]:
        """Every (name, seed) that is clustered."""
        return [*self.trained, *self.untrained]

    @property
    def first_branches(self) -> list[tuple[str, int]]:
        """One branch per name."""
        return [*self.first_trained, *self.first_untrained]

    @property
    def first_names(self) -> list[str]:
        """The names in this order."""
        return [name for name, _ in self.first_branches]

    @property
    def controls(self) -> dict[str, str]:
        """By name of every control: what kind it is."""
        return {name: str(kind) for name, (kind, _) in self.config.controls.items()}

    def branches_of(self, names: Collection[str]) -> list[tuple[str, int]]:
        """Every (model, seed) of some trained models."""
        return [branch for branch in self.trained if branch[0] in names]

    def path(self, *parts: str) -> str:
        """A path under the run's folder."""
        return "/".join((self.results, *parts))

    @property
    def card(self) -> str:
        """The provenance card, which the run's tables and figures name."""
        return self.path("provenance.json")

    def branch_files(self, pattern: str, branches: list[tuple[str, int]]) -> list[str]:
        """`pattern` with `{model}` and `{seed}` filled in, under the run's folder."""
        return [self.path(pattern.format(model=name, seed=seed)) for name, seed in branches]

    def consensus_files(self, suffix: str) -> list[str]:
        """One file per name of those that the rule `consensus` writes."""
        return [self.path("analysis", "consensus", f"{name}{suffix}") for name in self.first_names]

    def section(self, name: str, *keys: str) -> dict[str, Any]:
        """A section of the config, or some of its keys, as plain values.

        Rules name the keys that their script reads where it does not read all: a job re-runs when
        one of its parameters changes.
        """
        dumped: dict[str, Any] = getattr(self.config, name).model_dump()
        return {key: dumped[key] for key in keys} if keys else dumped
