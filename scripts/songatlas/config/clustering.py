"""`clustering` and `consensus`."""

from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator, Field, field_validator, model_validator

from songatlas.config.base import Algorithm, Level, Section, once, split_commas


class Clustering(Section):
    algorithms: Annotated[list[Algorithm], BeforeValidator(split_commas)] = Field(
        list(get_args(Algorithm)), min_length=1, description="Which algorithms to run."
    )
    k: Annotated[list[Annotated[int, Field(ge=2)]], BeforeValidator(split_commas)] = Field(
        [3, 4, 5, 10, 12, 15],
        description="Numbers of clusters; each task's number of classes is added.",
    )
    n_init: int = Field(10, ge=1, le=1000, description="Starts of k-means and GMM.")
    gmm: Literal["bic", "full"] = Field(
        "bic",
        description="Covariances of GMM. `bic`: one shared by all components or a diagonal one for "
        "each, on at most 32 principal components, whichever has the better BIC. `full`: one for "
        "each (the study's); in many dimensions EM then does not leave its k-means start, and the "
        "scores' notes say where so.",
    )
    max_dim: int = Field(256, ge=2, description="Latents wider than this are PCA-reduced first.")
    pca_dim: int = Field(128, ge=2, description="... to min(this, n - 1) dimensions.")
    levels: Annotated[list[Level], BeforeValidator(split_commas)] = Field(
        ["window", "song", "song_vote"],
        min_length=1,
        description="`window`: windows are clustered. `song`: mean-pooled latents are clustered. "
        "`song_vote`: windows are clustered, a song takes the majority label (the study's way).",
    )

    _no_duplicates = field_validator("algorithms", "k", "levels")(once)


class Consensus(Section):
    """Consensus clusterings of songs, and the number of clusters that is suggested."""

    algorithm: Literal["kmeans", "agglomerative", "gmm", "spectral"] = Field(
        "kmeans",
        description="What finds the clusters behind stability, silhouette and gap statistic.",
    )
    k_min: int = Field(2, ge=2, le=1000, description="Smallest number of clusters compared.")
    k_max: int = Field(
        15, ge=2, le=1000, description="Largest number of clusters compared, at most n - 1."
    )
    draws: int = Field(20, ge=2, le=1000, description="Bootstrap draws behind the stability.")
    references: int = Field(
        20, ge=2, le=1000, description="Reference data sets behind the gap statistic."
    )

    @model_validator(mode="after")
    def _ordered(self) -> "Consensus":
        if self.k_min > self.k_max:
            raise ValueError("k_min is larger than k_max")
        return self
