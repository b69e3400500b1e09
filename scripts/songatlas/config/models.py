"""`models` and `baselines`: what stands under one name."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from songatlas.config.base import Name, Section, Task, unknown

VECTOR_LATENT_DIM = 16
"""Dimensions of the latent of a model of vectors, where the config leaves them open."""

Control = Literal["shuffled_labels", "random_windows", "untrained"]

Modality = Literal["audio", "lyrics"]

SPECTROGRAMS = {"audio": "logmel"}
"""What `reads` says of a model that reads spectrograms, if it says anything."""


def _unreadable(modality: str, name: str) -> list[str]:
    """What keeps the feature `name` from being read as vectors of `modality`."""
    from songatlas.config import feature_registry as registry

    able = registry.readable()
    if name not in able:
        known = ", ".join(f"{one} ({of})" for one, of in able.items())
        return [f"{modality}: `{name}` is no feature that is read as vectors; there is {known}"]
    if able[name] != modality:
        return [f"{modality}: `{name}` is a feature of {able[name]}; write `{able[name]}: {name}`"]
    return []


class Model(BaseModel):
    """A trained model: keys beyond these are options of its architecture."""

    model_config = ConfigDict(extra="allow", frozen=True, validate_default=True)

    architecture: Name = Field(description="File under `scripts/songatlas/models/`, without `.py`.")
    reads: dict[Modality, str] = Field(
        {},
        description="Vectors that it reads instead of spectrograms: a feature of "
        "`scripts/songatlas/features/` under `audio`, `lyrics` or both, such as `{audio: musicnn}` "
        "or `{lyrics: e5}` (`{audio: logmel}`, as without: spectrograms).",
    )
    level: Literal["window", "song"] | None = Field(
        None,
        description="Of models that read vectors: what a row of training and of the latents is "
        "(null: `song` where it reads lyrics, else `window`).",
    )
    latent_dim: int = Field(
        128,
        ge=1,
        le=65536,
        description="Dimensions of the latent (left open, of models that read vectors: "
        f"{VECTOR_LATENT_DIM}).",
    )
    beta: float = Field(1.0, ge=0.0, description="Weight of the KL term.")
    loss: dict[str, Any] = Field({}, description="Keys of `loss` that differ for this model.")
    training: dict[str, Any] = Field(
        {}, description="Keys of `training` that differ for this model."
    )
    change: str | None = Field(
        None,
        min_length=1,
        description="What this model changes against the one listed before it: models that say so "
        "are the rows of `tables/changes`, in the order of the config.",
    )
    control: Control | None = Field(
        None,
        description="Makes this model a control of another one, which is declared the same but for "
        "this. `shuffled_labels`: the labels that it is shown are permuted between songs, so what "
        "it scores above an unconditioned model is due to conditioning alone. `random_windows`: "
        "windows, not songs, are dealt to training, validation and test, so what it scores above "
        "the other is leakage (`tables/leakage`). `untrained`: the same network without a training "
        "step (`max_epochs` and the like then change nothing), so what the other scores above it "
        "is what training gives.",
    )
    control_of: Name | None = Field(
        None,
        description="The model that it is a control of (null: the one declared the same). What the "
        "control does not declare it takes from that model.",
    )

    @model_validator(mode="before")
    @classmethod
    def _small_latent_of_vectors(cls, values: Any) -> Any:
        if not isinstance(values, Mapping) or "latent_dim" in values:
            return values
        reads = values.get("reads")
        vectors = isinstance(reads, Mapping) and bool(reads) and dict(reads) != SPECTROGRAMS
        return {**values, "latent_dim": VECTOR_LATENT_DIM} if vectors else values

    @field_validator("reads")
    @classmethod
    def _known_features(cls, value: dict[Modality, str]) -> dict[Modality, str]:
        if value == SPECTROGRAMS:
            return value
        problems = [line for key, name in value.items() for line in _unreadable(key, name)]
        if problems:
            raise ValueError("\n".join(problems))
        return value

    @model_validator(mode="after")
    def _level_of_vectors(self) -> "Model":
        if self.level is not None and not self.vectors:
            raise ValueError("`level` is for models that read vectors; set `reads`, or remove it")
        if self.level == "window" and list(self.vectors) == ["lyrics"]:
            raise ValueError("`level: window` needs `audio` in `reads`: lyrics are of songs")
        if self.of_songs and self.control == "random_windows":
            raise ValueError("`control: random_windows` deals windows; this model's rows are songs")
        bound = self.loss.get("attributes")
        if self.vectors and bound:
            raise ValueError("loss.attributes needs spectrograms, which this model does not read")
        return self

    @property
    def vectors(self) -> dict[Modality, str]:
        """The features that it reads as vectors; none where it reads spectrograms."""
        return {} if self.reads == SPECTROGRAMS else dict(self.reads)

    @property
    def of_songs(self) -> bool:
        """Whether its rows are songs instead of windows."""
        return self.level == "song" or (self.level is None and "lyrics" in self.vectors)

    @property
    def options(self) -> dict[str, Any]:
        """Options of the architecture (keyword-only arguments of its class)."""
        return dict(self.model_extra or {})


class Baseline(Section):
    """A representation computed without training."""

    kind: str = Field(
        description="Where the vector comes from: standardised log-mel (`raw`), its principal "
        "components (`pca`), log-mel averaged over time (`mean_mel`), `descriptors`, the lyrics "
        "embedding that models read (`lyrics_tfidf`, whatever `lyrics.encoder` is), one of its own "
        "(`text`), a pretrained model of audio (`encoder`), or another feature of "
        "`scripts/songatlas/features/`: `musicnn`, `e5`, `language_id`."
    )
    standardise: bool | None = Field(
        None,
        description="Each dimension to zero mean and unit variance over the corpus (null: as the "
        "kind has it; `musicnn`, `e5` and `language_id` are not standardised, others are).",
    )
    pca: int | None = Field(None, ge=1, description="Keep this many principal components.")
    unit_length: bool = Field(False, description="Scale every vector to length 1, last.")
    centre: Literal["language"] | None = Field(
        None,
        description="Of lyrics: `language` subtracts the mean of each language, as it is detected "
        "and never as it is labelled, and scales to length 1: meaning is left.",
    )
    lyrics: dict[str, Any] = Field(
        {},
        description="kind `text`: keys of `lyrics` that differ for it, such as `{encoder: "
        "sentence-transformers/LaBSE, dim: 768}`.",
    )
    encoder: Name | None = Field(
        None, description="kind `encoder`: which one, by its name in docs/encoders.md."
    )
    layer: int | Literal["mean", "probe"] = Field(
        -1,
        description="kind `encoder`: number of the layer (0 the first, -1 the last), `mean` of all "
        "that are as wide as the last, or `probe`: the layer from which a linear probe reads "
        "`probe_task` best from training songs. The last sees labels, and tables say so.",
    )
    probe_task: Task = Field(
        "genre", description="kind `encoder`: the task that `layer: probe` chooses by."
    )
    adapted: bool = Field(
        False,
        description="kind `encoder`: with the LoRA weights that `adaptation` trains on this "
        "corpus's training songs.",
    )

    @field_validator("kind")
    @classmethod
    def _known_kind(cls, value: str) -> str:
        from songatlas.config import feature_registry as registry

        if value not in registry.kinds():
            raise ValueError(unknown("kind", value, tuple(registry.kinds())))
        return value

    @property
    def standardised(self) -> bool:
        """Whether it is, where the config leaves that open too."""
        from songatlas.config import feature_registry as registry

        own = registry.kind(self.kind).standardise
        return own if self.standardise is None else self.standardise

    @model_validator(mode="after")
    def _names_an_encoder(self) -> "Baseline":
        from songatlas.config import feature_registry as registry

        as_it_is = registry.kind(self.kind).as_it_is
        if self.standardise and as_it_is:
            raise ValueError(f"`standardise` must be false for `kind: {self.kind}`: {as_it_is}")
        if (self.kind == "encoder") is not (self.encoder is not None):
            raise ValueError("`kind: encoder` and `encoder: <name>` go together; set both or none")
        if self.centre and not registry.of_songs(self.kind):
            raise ValueError(f"`centre` is for kinds of lyrics, not for `{self.kind}`")
        if self.lyrics and self.kind != "text":
            raise ValueError("`lyrics` is for `kind: text`")
        if self.adapted and self.encoder is None:
            raise ValueError("`adapted` is for `kind: encoder`")
        return self
