"""`evaluation`, `disentanglement`, `probes`."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from songatlas.config.base import Algorithm, Name, Section, SongSet, Task, once, split_commas


class Probes(Section):
    """Probes of every representation (target `probes`)."""

    include: bool = Field(
        False,
        description="Whether a run makes `tables/probes` with everything else; without, "
        "`snakemake ... probes` does.",
    )
    tasks: Annotated[list[Name], BeforeValidator(split_commas)] = Field(
        ["language", "genre", "artist", "key", "tempo_bpm"],
        min_length=1,
        description="What is read from the vectors: `language`, `genre`, `artist`, or what follows "
        "`factor_` in the names of columns that the corpus brings.",
    )
    folds: int = Field(5, ge=2, le=20, description="Folds of the cross-validation.")
    hidden: int = Field(512, ge=1, le=8192, description="Units of the probe that is not linear.")
    seed: int = Field(0, ge=0, description="Seed of folds, probes and chance levels.")

    _no_duplicates = field_validator("tasks")(once)


class Evaluation(Section):
    tasks: Annotated[list[Task], BeforeValidator(split_commas)] = Field(
        ["language", "genre", "language_genre"],
        min_length=1,
        description="Labels that clusterings are compared with.",
    )
    evaluate_on: SongSet = Field(
        "all",
        description="Songs that are clustered and scored (`validation`: the study).",
    )
    fit_on: SongSet | None = Field(
        None,
        description="Songs that clusterers are fitted on, where these are not the ones scored "
        "(null: `evaluate_on`). Scored songs then take clusters as unseen ones: k-means and GMM "
        "predict; Ward gives the nearest centroid's cluster, spectral and HDBSCAN the nearest "
        "fitted point's, DBSCAN the nearest core point's within eps, else noise.",
    )
    paired_test: Literal["wilcoxon", "permutation", "t"] = Field(
        "wilcoxon",
        description="`tables/tests`: exact Wilcoxon signed-rank test, exact sign-flip permutation "
        "test of the mean, or t test of paired differences over seeds. The first two cannot go "
        "below 2 / 2^seeds (5 seeds: 0.0625); the t test can, and takes differences for normal.",
    )
    permutations: int = Field(
        100, ge=0, le=100_000, description="Label permutations behind every chance level."
    )
    bootstraps: int = Field(
        200, ge=0, le=100_000, description="Bootstrap draws over songs behind every interval."
    )
    summary_algorithms: Annotated[list[Algorithm], BeforeValidator(split_commas)] = Field(
        ["kmeans", "agglomerative", "gmm"],
        min_length=1,
        description="Algorithms that `<metric>_mean` and `<metric>_sd` average over.",
    )
    seed: int = Field(0, ge=0, description="Seed of permutations, bootstraps and clusterings.")

    @model_validator(mode="before")
    @classmethod
    def _score_on_is_gone(cls, values: Any) -> Any:
        if not isinstance(values, Mapping) or "score_on" not in values:
            return values
        if values["score_on"] is not None:
            raise ValueError("score_on was another name of evaluate_on: set evaluate_on")
        # Earlier runs wrote every key down.
        return {name: value for name, value in values.items() if name != "score_on"}

    @property
    def fitted_on(self) -> SongSet:
        """Songs that clusterers are fitted on."""
        return self.evaluate_on if self.fit_on is None else self.fit_on

    _no_duplicates = field_validator("tasks", "summary_algorithms")(once)


class Disentanglement(Section):
    factors: Annotated[list[Name], BeforeValidator(split_commas)] = Field(
        ["language", "genre", "tempo_bpm", "key", "voice"],
        min_length=1,
        description="Which known factors: `language`, `genre`, and what follows `factor_` in the "
        "names of columns that the corpus brings (the demo brings them all).",
    )
    levels: Annotated[list[Literal["window", "song"]], BeforeValidator(split_commas)] = Field(
        ["window", "song"], min_length=1, description="Latents of windows, or their means by song."
    )
    permutations: int = Field(
        20, ge=0, le=100_000, description="Deals of the factors to songs behind every chance level."
    )
    trees: int = Field(10, ge=2, le=10_000, description="Trees of each random forest behind DCI.")

    _no_duplicates = field_validator("factors", "levels")(once)
