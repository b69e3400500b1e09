"""The one configuration model: every key, its default, range and help.

`config/schema.json` and `config/README.md` are generated from here (`make docs`), and the
Snakefile validates the merged YAML files with `load`. Library functions never see this object:
entry scripts hand them the section that they need.
"""

import contextlib
import copy
import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from songatlas.errors import ConfigError

READERS = ("demo", "folder", "library", "manifest", "jamendolyrics", "ultrastar", "several")

RESERVED = ("overview", "own")
"""Names that files and rows of Songatlas's own have."""

DESCRIPTOR_BANDS = 20
"""Mel bands that descriptors need at least: their MFCCs are so many."""

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]*$"
"""Names become folder names, so they hold no separator and no dot."""

EXCERPTS, MANY_SONGS = 10, 2_000
"""Patches of a song that are heard, and the number of songs from which on."""

VECTOR_LATENT_DIM = 16
"""Dimensions of the latent of a model of vectors, where the config leaves them open."""

Name = Annotated[str, Field(pattern=NAME_PATTERN, max_length=80)]
DetectLanguage = Literal["fill", "check", "off"]
Task = Literal["language", "genre", "language_genre", "artist", "song"]
Algorithm = Literal["kmeans", "agglomerative", "gmm", "dbscan", "hdbscan", "spectral"]
Level = Literal["window", "song", "song_vote"]
Attribute = Literal["tempo", "brightness", "loudness"]
Control = Literal["shuffled_labels", "random_windows", "untrained"]
Modality = Literal["audio", "lyrics"]
SongSet = Literal["all", "train", "validation", "test"]
Target = Literal["names", "explorer"]
Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Positive = Annotated[float, Field(gt=0.0)]


def _split_commas(value: Any) -> Any:
    """Let `--config include=pca,raw` and `seeds=0` stand for lists."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    if isinstance(value, int) and not isinstance(value, bool):
        return [value]
    return value


def _as_text(value: Any) -> Any:
    """Let `--config run=2026`, which arrives as a number, stand for a name."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _no_for_false(value: Any) -> Any:
    """YAML reads the plain word `no`, Norwegian, as false."""
    return "no" if value is False else value


def _off_for_false(value: Any) -> Any:
    """YAML reads the plain word `off` as false."""
    return "off" if value is False else value


def _once(values: list[Any]) -> list[Any]:
    """Refuse a list that names an entry twice."""
    if len(set(values)) != len(values):
        raise ValueError("names an entry twice")
    return values


class Section(BaseModel):
    """A part of the configuration: unknown keys are errors, values do not change."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False
    )


class Windows(Section):
    length_s: float = Field(30.0, ge=0.5, le=3600.0, description="Length of a window, in seconds.")
    hop_s: float = Field(
        20.0, ge=0.1, le=3600.0, description="Distance between window starts, in seconds."
    )


class LogMel(Section):
    """The log-mel spectrogram (librosa's definition: Slaney mel scale, centred, zero padding)."""

    sample_rate_hz: int = Field(22050, ge=4000, le=192000, description="Analysis sample rate.")
    n_mels: int = Field(128, ge=16, le=512, description="Number of mel bands.")
    n_fft: int = Field(2048, ge=64, le=16384, description="STFT length, in samples.")
    hop_length: int = Field(512, ge=16, le=8192, description="STFT hop, in samples.")
    f_min_hz: float = Field(0.0, ge=0.0, description="Lowest mel frequency.")
    f_max_hz: float | None = Field(
        None, gt=0.0, description="Highest mel frequency (null: half the sample rate)."
    )
    top_db: Positive = Field(
        80.0, description="Dynamic range within a window: what is lower is raised to this floor."
    )

    @model_validator(mode="after")
    def _possible(self) -> "LogMel":
        problems = []
        half = self.sample_rate_hz / 2
        highest = half if self.f_max_hz is None else self.f_max_hz
        if highest > half:
            problems.append(f"f_max_hz is above half the sample rate ({half:g} Hz)")
        if self.f_min_hz >= highest:
            problems.append(f"f_min_hz is not below the highest frequency ({highest:g} Hz)")
        if self.hop_length > self.n_fft:
            problems.append("hop_length is larger than n_fft: samples between frames are not heard")
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def n_frames(self, length_s: float) -> int:
        """Number of frames of a centred STFT over `length_s` seconds."""
        return 1 + round(length_s * self.sample_rate_hz) // self.hop_length


class Lyrics(Section):
    encoder: str = Field(
        "tfidf",
        min_length=1,
        description="`tfidf` (character n-grams and SVD, fitted on the corpus), `e5` "
        "(multilingual-e5-small, sentences of about a hundred languages; set `dim` to 384), "
        "`word_vectors` (see `vectors`), or the name of a Hugging Face encoder such as "
        "`xlm-roberta-base`, `intfloat/multilingual-e5-base` or `sentence-transformers/LaBSE`, or "
        "a folder.",
    )
    ngram_min: int = Field(1, ge=1, le=8, description="tfidf: shortest character n-gram.")
    ngram_max: int = Field(3, ge=1, le=8, description="tfidf: longest character n-gram.")
    dim: int = Field(
        32,
        ge=2,
        le=4096,
        description="tfidf: dimensions kept by the SVD. Others: those that the encoder has.",
    )
    max_lines: int = Field(
        16, ge=1, le=512, description="Lines of lyrics kept per window for attention fusion."
    )
    max_tokens: int = Field(512, ge=8, le=8192, description="Hugging Face: tokens per chunk.")
    pooling: Literal["auto", "mean", "cls", "max", "pooler"] = Field(
        "auto",
        description="Hugging Face: a text's vector from those of its tokens. `auto`: what a "
        "checkpoint of sentence-transformers says of itself, else the mean.",
    )
    prefix: str | None = Field(
        None,
        max_length=200,
        description="Hugging Face: put before every text. null: `query: ` for E5, nothing for "
        "others.",
    )
    revision: str | None = Field(
        None,
        description="Hugging Face: commit of the encoder. null: what `pretrained.lock` pins, else "
        "what was fetched last.",
    )
    vectors: Annotated[list[str], BeforeValidator(_split_commas)] = Field(
        [],
        description="word_vectors: text files in the format of fastText and word2vec (`.vec`), the "
        "first with a word counts; aligned ones where there are several languages.",
    )
    trust_remote_code: str | None = Field(
        None,
        description="Hugging Face: name of the encoder (as in `encoder`) that may run code which "
        "comes with it. Off unless you name the model: another encoder does not inherit it.",
    )

    @field_validator("trust_remote_code", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if value is True:
            raise ValueError("name the encoder whose code may run, instead of `true`")
        return None if value is False else value

    @property
    def runs_remote_code(self) -> bool:
        """Whether the encoder in use may run code that comes with it."""
        own = self.encoder in ("tfidf", "word_vectors", "e5")
        return not own and self.trust_remote_code == self.encoder

    @property
    def supervision(self) -> Literal["none", "elsewhere"]:
        """Whether people's labels taught the encoder: masked language models need none."""
        unlabelled = ("tfidf", "word_vectors")
        masked = re.search(r"roberta|bert-base|bert-large", self.encoder.lower())
        return "none" if self.encoder in unlabelled or masked else "elsewhere"

    @model_validator(mode="after")
    def _ordered(self) -> "Lyrics":
        if self.ngram_min > self.ngram_max:
            raise ValueError("ngram_min is larger than ngram_max")
        if self.encoder == "word_vectors" and not self.vectors:
            raise ValueError("`encoder: word_vectors` needs files in `vectors`")
        return self


class Split(Section):
    method: Literal["hashed", "exact", "folds"] = Field(
        "hashed",
        description="`hashed`: a pure function of artist (or track) and seed, so a song never "
        "changes split when others are added. `exact`: stratified by language and genre with exact "
        "counts, artists disjoint where known (the reference study). `folds`: cross-validation by "
        "song; the run with seed s trains, baselines too, without fold s mod `folds` and is scored "
        "on it (set `seeds` to as many and `evaluation.evaluate_on` to `test`).",
    )
    folds: int = Field(
        5, ge=2, le=20, description="`folds`: how many; they differ by as few songs as artists let."
    )
    validation: Fraction = Field(
        0.1, description="Share of songs for validation (`folds` has none)."
    )
    test: Fraction = Field(0.1, description="Share of songs for test (not with `folds`).")
    seed: int = Field(42, ge=0, description="Seed of the split.")

    @model_validator(mode="after")
    def _leaves_training(self) -> "Split":
        if self.validation + self.test >= 1.0:
            raise ValueError("validation + test must leave songs for training (sum below 1)")
        return self


class Training(Section):
    max_epochs: int = Field(100, ge=1, le=100_000, description="Upper bound on epochs.")
    batch_size: int = Field(
        32, ge=2, le=65536, description="Windows per optimiser step (batch norm needs two)."
    )
    learning_rate: Positive = Field(1e-4, description="AdamW learning rate.")
    weight_decay: float = Field(1e-4, ge=0.0, description="AdamW weight decay.")
    gradient_clip: float = Field(0.5, ge=0.0, description="Largest gradient norm (0: no clipping).")
    plateau_factor: float = Field(0.5, gt=0.0, lt=1.0, description="ReduceLROnPlateau factor.")
    plateau_patience: int = Field(5, ge=0, description="ReduceLROnPlateau patience, in epochs.")
    early_stopping_patience: int = Field(
        15, ge=1, description="Epochs without a better validation loss before training stops."
    )
    max_minutes: Positive | None = Field(
        None,
        description="Minutes after which a training ends, at the end of its epoch, with the best "
        "epoch so far (null: no limit; pretraining ends in any case). How far it came then depends "
        "on the machine, and `tables/training` says so.",
    )
    precision: Literal["auto", "bf16-mixed", "16-mixed", "32"] = Field(
        "auto",
        description="`auto`: bf16 autocast where the device computes in bf16, fp16 autocast on "
        "older CUDA cards, else fp32.",
    )
    device: Literal["auto", "cuda", "mps", "cpu"] = Field(
        "auto",
        description="`auto`: CUDA when there, else Apple MPS, else CPU. Another value re-runs "
        "training; with `auto`, another machine does not: name the device where results of another "
        "must not stand in.",
    )
    deterministic: bool = Field(
        False,
        description="On a GPU: the same seed gives the same weights to the last bit, with slower "
        "kernels. On a CPU it always does.",
    )
    cuda_graphs: bool = Field(
        True,
        description="On a CUDA card: record a training step once and replay it (bf16 and fp32), so "
        "that small models do not wait for the processor. `false` where a step cannot be recorded.",
    )


class Loss(Section):
    scale: Literal["paper", "elbo"] = Field(
        "elbo",
        description="`paper`: squared error averaged over values plus beta times the KL averaged "
        "over latent dimensions (collapses the posterior). `elbo`: both terms summed, decoder "
        "variance calibrated (sigma-VAE, Rybkin et al. 2021).",
    )
    kl_warmup_epochs: int = Field(
        20, ge=0, description="Epochs of linear KL annealing, or of one cycle of it."
    )
    kl_schedule: Literal["linear", "cyclic"] = Field(
        "linear",
        description="`linear`: one ramp. `cyclic`: `kl_cycles` ramps, each followed by as many "
        "epochs at the full weight (Fu et al. 2019).",
    )
    kl_cycles: int = Field(4, ge=1, le=1000, description="Cycles of the cyclic schedule.")
    free_bits: float = Field(
        0.0,
        ge=0.0,
        description="Nats per latent dimension that cost nothing (Kingma et al. 2016): keeps "
        "dimensions from collapsing. 0: off.",
    )
    attributes: dict[Attribute, Annotated[int, Field(ge=0)]] = Field(
        {},
        description="Attribute regularisation (AR-VAE, Pati & Lerch 2020): which latent dimension "
        "is bound to `tempo`, `brightness` or `loudness` of the window, for instance "
        "`{tempo: 0, brightness: 1}`.",
    )
    attribute_weight: float = Field(
        1.0, ge=0.0, description="Weight of the attributes' term beside the distortion."
    )
    attribute_delta: Positive = Field(
        1.0, description="How soon a distance along a bound dimension counts as large."
    )

    @field_validator("attributes")
    @classmethod
    def _one_dimension_each(cls, value: dict[str, int]) -> dict[str, int]:
        if len(set(value.values())) != len(value):
            raise ValueError("binds two attributes to one dimension")
        return value


SPECTROGRAMS = {"audio": "logmel"}
"""What `reads` says of a model that reads spectrograms, if it says anything."""


def _unreadable(modality: str, name: str) -> list[str]:
    """What keeps the feature `name` from being read as vectors of `modality`."""
    from songatlas.features import registry

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
        from songatlas.features import registry

        if value not in registry.kinds():
            raise ValueError(_unknown("kind", value, tuple(registry.kinds())))
        return value

    @property
    def standardised(self) -> bool:
        """Whether it is, where the config leaves that open too."""
        from songatlas.features import registry

        own = registry.kind(self.kind).standardise
        return own if self.standardise is None else self.standardise

    @model_validator(mode="after")
    def _names_an_encoder(self) -> "Baseline":
        from songatlas.features import registry

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


class Pretrained(Section):
    """Pretrained encoders of audio (docs/encoders.md)."""

    allow_restricted: bool = Field(
        False,
        description="Use encoders whose licence forbids commercial use or is not stated. Off "
        "unless you opt in.",
    )
    remote_code: Annotated[list[Name], BeforeValidator(_split_commas)] = Field(
        [],
        description="Names of the encoders (MERT's) that run the code which comes with their "
        "weights, with all your rights. None unless you name it.",
    )
    weights: dict[Name, str] = Field(
        {},
        description="By name of an encoder: a folder, or another repository of the same family, "
        "whose weights are used instead of those in the table.",
    )
    lock: str = Field(
        "config/weights.lock.json",
        min_length=1,
        description="File in which `snakemake fetch_weights` writes down the commit and the sha256 "
        "of all that it fetches; later fetches and runs must agree with it.",
    )
    batch_size: int = Field(8, ge=1, le=4096, description="Clips at once.")
    half_precision: bool = Field(True, description="Compute in fp16 where the device is CUDA.")
    device: Literal["auto", "cuda", "mps", "cpu"] = Field(
        "auto", description="`auto`: CUDA when there, else Apple MPS, else CPU."
    )


class Adaptation(Section):
    """LoRA adaptation of a pretrained encoder to the corpus (needs the package `peft`)."""

    rank: int = Field(8, ge=1, le=1024, description="Rank of the added matrices.")
    alpha: Positive = Field(16.0, description="Their scale is alpha / rank.")
    dropout: float = Field(0.0, ge=0.0, lt=1.0, description="Dropout on what they read.")
    targets: Annotated[list[str], BeforeValidator(_split_commas)] = Field(
        ["q_proj", "v_proj", "query", "value", "linear_q", "linear_v"],
        min_length=1,
        description="Ends of the names of the linear layers that get them (attention queries and "
        "values, as the families call them).",
    )
    steps: int = Field(200, ge=1, le=1_000_000, description="Optimiser steps.")
    songs_per_step: int = Field(
        8, ge=2, le=4096, description="Songs of a batch; each gives two windows (a positive pair)."
    )
    learning_rate: Positive = Field(1e-4, description="AdamW learning rate.")
    temperature: Positive = Field(0.1, description="NT-Xent temperature.")
    seed: int = Field(0, ge=0, description="Seed of initialisation and of batches.")


class Probes(Section):
    """Probes of every representation (target `probes`)."""

    include: bool = Field(
        False,
        description="Whether a run makes `tables/probes` with everything else; without, "
        "`snakemake ... probes` does.",
    )
    tasks: Annotated[list[Name], BeforeValidator(_split_commas)] = Field(
        ["language", "genre", "artist", "key", "tempo_bpm"],
        min_length=1,
        description="What is read from the vectors: `language`, `genre`, `artist`, or what follows "
        "`factor_` in the names of columns that the corpus brings.",
    )
    folds: int = Field(5, ge=2, le=20, description="Folds of the cross-validation.")
    hidden: int = Field(512, ge=1, le=8192, description="Units of the probe that is not linear.")
    seed: int = Field(0, ge=0, description="Seed of folds, probes and chance levels.")

    _no_duplicates = field_validator("tasks")(_once)


class Clustering(Section):
    algorithms: Annotated[list[Algorithm], BeforeValidator(_split_commas)] = Field(
        list(get_args(Algorithm)), min_length=1, description="Which algorithms to run."
    )
    k: Annotated[list[Annotated[int, Field(ge=2)]], BeforeValidator(_split_commas)] = Field(
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
    levels: Annotated[list[Level], BeforeValidator(_split_commas)] = Field(
        ["window", "song", "song_vote"],
        min_length=1,
        description="`window`: windows are clustered. `song`: mean-pooled latents are clustered. "
        "`song_vote`: windows are clustered, a song takes the majority label (the study's way).",
    )

    _no_duplicates = field_validator("algorithms", "k", "levels")(_once)


class Evaluation(Section):
    tasks: Annotated[list[Task], BeforeValidator(_split_commas)] = Field(
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
    summary_algorithms: Annotated[list[Algorithm], BeforeValidator(_split_commas)] = Field(
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

    _no_duplicates = field_validator("tasks", "summary_algorithms")(_once)


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


class Disentanglement(Section):
    factors: Annotated[list[Name], BeforeValidator(_split_commas)] = Field(
        ["language", "genre", "tempo_bpm", "key", "voice"],
        min_length=1,
        description="Which known factors: `language`, `genre`, and what follows `factor_` in the "
        "names of columns that the corpus brings (the demo brings them all).",
    )
    levels: Annotated[list[Literal["window", "song"]], BeforeValidator(_split_commas)] = Field(
        ["window", "song"], min_length=1, description="Latents of windows, or their means by song."
    )
    permutations: int = Field(
        20, ge=0, le=100_000, description="Deals of the factors to songs behind every chance level."
    )
    trees: int = Field(10, ge=2, le=10_000, description="Trees of each random forest behind DCI.")

    _no_duplicates = field_validator("factors", "levels")(_once)


class Figures(Section):
    umap_neighbors: int = Field(15, ge=2, le=1000, description="UMAP: neighbours.")
    umap_min_dist: float = Field(0.1, ge=0.0, lt=1.0, description="UMAP: minimum distance.")
    tsne_perplexity: Positive = Field(
        30.0, description="t-SNE: perplexity (at most a third of the vectors)."
    )
    png_dpi: int = Field(150, ge=50, le=1200, description="Resolution of the PNG copies.")


class Paper(Section):
    """The reference study's tables and figures (target `paper`)."""

    include: bool = Field(
        False,
        description="Whether a run makes them with everything else; without, `snakemake ... paper` "
        "does.",
    )
    level: Level = Field(
        "song_vote",
        description="Level of `tables/paper_*`: `song_vote` and `window` are the study's (its "
        "validation windows were clustered).",
    )


class Explorer(Section):
    """The page for the browser (`report/explorer`)."""

    projections: Annotated[list[Literal["umap", "tsne", "pca"]], BeforeValidator(_split_commas)] = (
        Field(
            ["umap", "tsne", "pca"],
            min_length=1,
            description="Maps of every model (t-SNE only up to 5,000 points).",
        )
    )
    neighbours: int = Field(10, ge=0, le=100, description="Nearest songs that are listed.")
    previews: bool | None = Field(
        None,
        description="Put a short, low-rate copy of every window (mono MP3, 16 kHz) beside the "
        "page, so that the folder can be moved. False: the page plays your own files where they "
        "lie. null: previews of the demo, whose songs are CC0, and of nothing else.",
    )
    preview_s: float = Field(
        30.0, ge=1.0, le=60.0, description="Longest preview, in seconds (at most a window)."
    )
    previews_despite_licence: bool = Field(
        False,
        description="Previews also of songs whose licence forbids derivatives (CC ... ND, all "
        "rights reserved). Off unless you opt in.",
    )
    music_view: bool | None = Field(
        None,
        description="Add the panel `Feel`, for those who do not hear: beat, loudness and timbre as "
        "movement, size and colour, and as vibration. All songs are decoded once more for it. "
        "null: for the demo and for nothing else.",
    )

    _no_duplicates = field_validator("projections")(_once)


class Assign(Section):
    """Giving new songs to the clusters of a finished run (targets `assign` and `drift`)."""

    path: str | None = Field(
        None, description="Folder (or manifest file) of the new songs; as `corpus_path`."
    )
    reader: str = Field("folder", description="Reader of `path`; as `corpus`, but for `demo`.")
    name: Name = Field("new", description="Names the folder `results/<run>/assign/<name>`.")
    models: Annotated[list[Name], BeforeValidator(_split_commas)] = Field(
        [],
        description="Models and baselines of the run to use (empty: all that read audio alone).",
    )
    false_alarm_rate: Fraction = Field(
        0.05, description="Share of songs like the run's that may be flagged as novel."
    )
    calibrate_on: Literal["held_out", "all"] = Field(
        "held_out",
        description="Songs that say how far is far. `held_out`: validation and test songs, which "
        "no model was trained on. `all`: every song, each against the others, for small runs; more "
        "songs than stated are then flagged, since models and scales know their songs.",
    )
    neighbours: int = Field(
        5, ge=1, le=100, description="Nearest songs that are listed, and averaged for the distance."
    )
    drift_level: Fraction = Field(
        0.05, description="The new songs as a whole have drifted where p is at most this."
    )
    permutations: int = Field(999, ge=99, le=1_000_000, description="Permutations behind that p.")

    @field_validator("reader")
    @classmethod
    def _known_reader(cls, value: str) -> str:
        known = tuple(name for name in READERS if name != "demo")
        if value in known or (value.startswith("mirdata:") and value != "mirdata:"):
            return value
        raise ValueError(_unknown("reader", value, (*known, "mirdata:<data set>")))

    _no_duplicates = field_validator("models")(_once)


class Trainer(Section):
    """Processes that train one model together, each with a part of every batch."""

    devices: int = Field(
        1,
        ge=1,
        le=1024,
        description="GPUs (where there are none: processes) of a training job on each machine.",
    )
    nodes: int = Field(
        1, ge=1, le=1024, description="Machines of a training job (more than 1: on Slurm)."
    )
    strategy: Literal["auto", "ddp"] = Field(
        "auto",
        description="`ddp`: one process for each device, each with a part of every batch and the "
        "whole batch's loss. `auto`: that, where there is more than one device.",
    )

    @property
    def processes(self) -> int:
        return self.devices * self.nodes


class Transcription(Section):
    """Lyrics for songs that have none (docs/words.md)."""

    include: bool = Field(
        False, description="Transcribe songs before the corpus is built; needs Whisper's weights."
    )
    songs: Literal["missing", "all"] = Field(
        "missing",
        description="`missing`: songs without lyrics. `all`: every song, for the target `wer`; "
        "lyrics that songs have stay.",
    )
    encoder: Name = Field(
        "whisper",
        description="An encoder of the family `whisper`, whose whole checkpoint is used.",
    )
    language: Annotated[str | None, BeforeValidator(_no_for_false)] = Field(
        None, description="Whisper's code of the language of all songs (null: told by ear)."
    )
    separation: str | None = Field(
        None,
        description="File with torchaudio's weights of HDemucs (`hdemucs_high_trained.pt`): the "
        "voice is separated first, and songs in which nobody sings are left alone.",
    )
    no_speech: Fraction = Field(
        0.6, description="Above it nobody sings: a song throughout, a segment if unsure too."
    )
    log_probability: float = Field(
        -1.0, le=0.0, description="Segments with a lower mean log probability are not believed."
    )
    compression_ratio: float = Field(
        2.4, gt=1.0, description="Segments that zlib makes smaller than this repeat themselves."
    )


Languages = Literal["any", "same", "other"]
"""Of a song's neighbours."""


class Query(Section):
    """What answers `text`, or which song's neighbours are listed (target `query`)."""

    like: str | None = Field(
        None,
        description="Instead of `text`, the song whose neighbours are listed: its title, its path "
        "or the path's end, its id.",
    )
    languages: Languages = Field(
        "any", description="Neighbours in any language, in the song's own, or in others only."
    )
    model: Name | None = Field(
        None,
        description="For `text`, a model with a shared block (`fusion`, but not `late`), or a "
        "baseline of an encoder that embeds texts (`clap`, `muq_mulan`). Null: such a baseline "
        "where there is one, else lyrics, titles, tags, genres and languages are compared with "
        "the text. For `like`, the representation that songs are near in (null: the run's best).",
    )
    top: int = Field(10, ge=1, le=10_000, description="How many songs to return.")


class Playlist(Section):
    """Playlists (targets `playlists` and `playlist`)."""

    model: Name | None = Field(
        None, description="The representation that they are made in (null: the run's best one)."
    )
    like: str | None = Field(
        None, description="Songs like this one: its title, its path or the path's end, its id."
    )
    start: str | None = Field(None, description="The way from this song ...")
    end: str | None = Field(None, description="... to this one.")
    songs: int = Field(30, ge=2, le=100_000, description="Songs of `playlist`, at most.")
    languages: Languages = Field(
        "any", description="Songs like one: in any language, in its own, or in others only."
    )


PromptLanguage = Literal["en", "es", "fr", "de"]
"""Languages of `resources/vocabulary.csv`."""


class Names(Section):
    """Words for clusters (target `names`) and for songs (`song_captions`, `captions`)."""

    words: int = Field(3, ge=1, le=10, description="Words in a name beside a language, at most.")
    prompt_languages: Annotated[list[PromptLanguage], BeforeValidator(_split_commas)] = Field(
        ["en"],
        min_length=1,
        description="Languages in which a joint model of audio and texts is asked.",
    )
    listener: Name | None = Field(
        None,
        description="Who writes captions by ear (target `captions`): `qwen2-audio-instruct` or "
        "`qwen2-audio` (null: captions are by template).",
    )
    request: str = Field(
        "Describe this music in one sentence: genre, mood, instruments and voice.",
        min_length=1,
        description="What the listener is asked for; it is told what was measured, too.",
    )
    caption_tokens: int = Field(64, ge=1, le=1024, description="The most that it may write.")


class Compute(Section):
    """What changes no result but by rounding: what jobs declare, and what they show meanwhile."""

    training_threads: int = Field(1, ge=1, description="CPU threads of a training job.")
    gpu_memory_gb: float = Field(12.0, gt=0.0, description="GPU memory a training job declares.")
    tensorboard: bool = Field(
        False,
        description="Write TensorBoard logs under `results/<run>/tensorboard/` while models train.",
    )
    save_every_s: float = Field(
        120.0,
        ge=0.0,
        description="Seconds of training that a sudden end (power cut, kill -9) may cost at most; "
        "a time limit or Ctrl-C costs none.",
    )
    container: str | None = Field(
        None,
        description="Image that jobs run in with `--software-deployment-method apptainer`: "
        "`docker://REGISTRY/songatlas:0.1.0`, or the path of a .sif file.",
    )
    resume_path: str | None = Field(
        None,
        description="Folder for the states of interrupted trainings (null: this one, under "
        "`results/`). For jobs whose folder goes when they end (Kubernetes): one on a volume.",
    )


class Config(Section):
    """Everything a run depends on. Flat keys first: people set those on the command line."""

    run: Annotated[Name, BeforeValidator(_as_text)] = Field(
        "demo", description="Names the folder `results/<run>`."
    )
    corpus: str = Field(
        "demo",
        description="Reader: `demo`, `folder`, `library`, `manifest`, `jamendolyrics`, "
        "`ultrastar`, `mirdata:<data set>`, or `several` of them at once.",
    )
    corpus_path: str | None = Field(
        None,
        description="Folder (or manifest file) of the corpus; not used by `demo`. For `several`: "
        "`<reader>=<path>,<reader>=<path>` (paths without commas).",
    )
    include: Annotated[list[Name], BeforeValidator(_split_commas)] = Field(
        [], description="Names of the models and baselines to run (empty: all that are declared)."
    )
    seeds: Annotated[list[Annotated[int, Field(ge=0)]], BeforeValidator(_split_commas)] = Field(
        [0], min_length=1, description="Training seeds; each is a run of every trained model."
    )
    shards: int = Field(
        4,
        ge=1,
        le=100_000,
        description="Shards of the corpus (rule of thumb: 256 songs a shard, "
        "at most 1,000 shards).",
    )
    detect_language: Annotated[DetectLanguage, BeforeValidator(_off_for_false)] = Field(
        "fill",
        description="Languages of lyrics: `fill` takes a sure one where no language is given and "
        "warns where one contradicts the label, `check` only warns, `off` does neither.",
    )
    targets: Annotated[list[Target], BeforeValidator(_split_commas)] = Field(
        [],
        description="What a run makes beside its tables and figures: `names` (words for clusters "
        "and songs), `explorer` (the page for the browser). Each can also be asked for by name.",
    )
    excerpts: Literal["auto"] | Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        "auto",
        description="How many patches of 3 s, spread evenly over a song, `musicnn` and "
        "`descriptors` are computed on (null: the whole song). `auto`: "
        f"{EXCERPTS} where a run begins with more than {MANY_SONGS:,} songs, else the whole song; "
        "a run that grows keeps what it began with.",
    )
    text: Annotated[str | None, BeforeValidator(_as_text)] = Field(
        None, description="What `snakemake query` looks for, in plain words."
    )
    windows: Windows = Field(Windows(), description="Cutting songs into windows.")
    logmel: LogMel = Field(LogMel(), description="The log-mel spectrogram.")
    lyrics: Lyrics = Field(Lyrics(), description="Cleaning and embedding lyrics.")
    split: Split = Field(Split(), description="Training, validation and test songs.")
    training: Training = Field(Training(), description="Optimisation, for every model.")
    loss: Loss = Field(Loss(), description="Loss of every VAE.")
    models: dict[Name, Model] = Field({}, description="Trained models by name.")
    baselines: dict[Name, Baseline] = Field({}, description="Baselines by name.")
    pretrained: Pretrained = Field(
        Pretrained(), description="Pretrained encoders of audio: which may be used, and how."
    )
    adaptation: Adaptation = Field(
        Adaptation(),
        description="LoRA weights for encoders that baselines with `adapted: true` name.",
    )
    clustering: Clustering = Field(Clustering(), description="Clustering of latents.")
    evaluation: Evaluation = Field(Evaluation(), description="Scores and their uncertainty.")
    consensus: Consensus = Field(
        Consensus(),
        description="Consensus of the clusterings of songs that take k (all seeds, "
        "`clustering.algorithms`), and the number of clusters that is suggested.",
    )
    disentanglement: Disentanglement = Field(
        Disentanglement(), description="Whether dimensions stand for one factor each."
    )
    probes: Probes = Field(Probes(), description="What probes read from every representation.")
    figures: Figures = Field(Figures(), description="Figures.")
    paper: Paper = Field(Paper(), description="The reference study's tables and figures.")
    explorer: Explorer = Field(Explorer(), description="The page for the browser.")
    assign: Assign = Field(
        Assign(), description="New songs, given to the clusters of a finished run."
    )
    transcription: Transcription = Field(
        Transcription(), description="Lyrics by ear for songs that have none."
    )
    names: Names = Field(Names(), description="Words for clusters.")
    query: Query = Field(Query(), description="Songs for a text.")
    playlist: Playlist = Field(Playlist(), description="Playlists.")
    trainer: Trainer = Field(Trainer(), description="Several GPUs for one training.")
    compute: Compute = Field(
        Compute(),
        description="What jobs declare, and show meanwhile. Another number of threads changes "
        "results by rounding only; nothing here re-runs anything.",
    )

    @field_validator("corpus")
    @classmethod
    def _known_reader(cls, value: str) -> str:
        if value in READERS or (value.startswith("mirdata:") and value != "mirdata:"):
            return value
        raise ValueError(_unknown("reader", value, (*READERS, "mirdata:<data set>")))

    _no_duplicates = field_validator("seeds", "include", "targets")(_once)

    @model_validator(mode="after")
    def _consistent(self) -> "Config":
        problems = []
        for name in sorted({*self.models, *self.baselines} & set(RESERVED)):
            problems.append(f"`{name}` is a name of Songatlas's own; give the model another")
        missing = set(self.evaluation.summary_algorithms) - set(self.clustering.algorithms)
        if missing:
            problems.append(
                f"evaluation.summary_algorithms names `{min(missing)}`, which "
                "clustering.algorithms does not run"
            )
        if self.paper.include and self.paper.level not in self.clustering.levels:
            problems.append(
                f"paper.level is `{self.paper.level}`, which clustering.levels does not have"
            )
        both = sorted(set(self.models) & set(self.baselines))
        if both:
            problems.append(f"`{both[0]}` names both a model and a baseline; rename one")
        declared = (*self.models, *self.baselines)
        problems += [
            _unknown("model or baseline in `include`", name, declared)
            for name in self.include
            if name not in declared
        ]
        problems += _read_as_html(self.model_dump(mode="json"), "")
        if self.corpus != "demo" and not self.corpus_path:
            problems.append(
                f"the reader `{self.corpus}` needs `corpus_path` "
                "(--config corpus_path=<folder or manifest>)"
            )
        problems += self._refused_encoders()
        for name in self.selected_baselines:
            try:
                self.lyrics_for(name)
            except ValidationError as error:
                lines = describe(error, Lyrics)
                problems += [f"baselines.{name}.lyrics.{line}" for line in lines]
        for name in self.selected_baselines:
            if self.baselines[name].kind == "descriptors" and self.logmel.n_mels < DESCRIPTOR_BANDS:
                problems.append(
                    f"logmel.n_mels: the baseline `{name}` needs at least {DESCRIPTOR_BANDS} mel "
                    f"bands (given: {self.logmel.n_mels}); raise it, or leave `{name}` out of "
                    "`include`"
                )
        if self.corpus == "several" and self.corpus_path:
            try:
                several_corpora(self.corpus_path)
            except ValueError as error:
                problems.append(f"corpus_path: {error}")
        if self.split.method == "folds" and self.evaluation.evaluate_on != "test":
            problems.append(
                "split.method `folds` needs evaluation.evaluate_on `test`: only the songs that a "
                "fold holds out are scored"
            )
        if self.split.method == "folds":
            held_out = [seed % self.split.folds for seed in self.seeds]
            if len(set(held_out)) < len(held_out):
                problems.append(
                    "seeds: two of them hold out the same fold (seed mod split.folds); give each "
                    "fold one, and repeat with another split.seed in another run"
                )
        for name in self.models:
            for key, root, section in (
                ("training", Training, self.training_for),
                ("loss", Loss, self.loss_for),
            ):
                try:
                    section(name)
                except ValidationError as error:
                    problems += [f"models.{name}.{key}.{line}" for line in describe(error, root)]
            problems += self._unbound(name)
            problems += self._without_twin(name)
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _refused_encoders(self) -> list[str]:
        """What keeps the selected baselines from using the encoders that they name."""
        from songatlas.encoders import cards

        named = {
            str(self.baselines[name].encoder): name
            for name in self.selected_baselines
            if self.baselines[name].encoder is not None
        }
        allowed = self.pretrained
        lines = [
            f"pretrained.{key}: {cards.unknown(name)}"
            for key, names in (("weights", allowed.weights), ("remote_code", allowed.remote_code))
            for name in names
            if name not in cards.CARDS
        ]
        lines += [
            f"baselines.{name}.adapted: an encoder is adapted once, to one set of training songs; "
            "not with split.method `folds`"
            for name in self.selected_baselines
            if self.baselines[name].adapted and self.split.method == "folds"
        ]
        if self.transcription.include:
            card = cards.CARDS.get(self.transcription.encoder)
            if card is None or card.family != "whisper":
                known = [one.name for one in cards.CARDS.values() if one.family == "whisper"]
                lines.append(
                    f"transcription.encoder: `{self.transcription.encoder}` is no Whisper; there "
                    f"is {', '.join(known)}"
                )
        listener = self.names.listener
        if listener is not None:
            known = [one.name for one in cards.CARDS.values() if one.writes]
            if listener not in known:
                lines.append(
                    f"names.listener: `{listener}` writes no captions; there is {', '.join(known)}"
                )
        for encoder, baseline in named.items():
            lines += [
                f"baselines.{baseline}: {line}"
                for line in cards.problems(
                    encoder,
                    allow_restricted=allowed.allow_restricted,
                    remote_code=tuple(allowed.remote_code),
                )
            ]
        return lines

    @model_validator(mode="before")
    @classmethod
    def _controls_as_their_models(cls, values: Any) -> Any:
        models = values.get("models") if isinstance(values, Mapping) else None
        if not isinstance(models, Mapping):
            return values
        return {**values, "models": {name: _as_its_model(m, models) for name, m in models.items()}}

    def _unbound(self, name: str) -> list[str]:
        """Attributes bound to dimensions that the model does not have."""
        declared = self.models[name]
        bound = declared.loss.get("attributes", {} if declared.vectors else self.loss.attributes)
        bound = bound if isinstance(bound, dict) else {}
        return [
            f"models.{name}: loss.attributes binds {attribute} to dimension {dimension}, but "
            f"latent_dim is {declared.latent_dim} (the first dimension is 0)"
            for attribute, dimension in bound.items()
            if isinstance(dimension, int) and dimension >= declared.latent_dim
        ]

    def twin(self, name: str) -> str | None:
        """The model that a control is a control of: named, or the first declared the same."""
        declared = self.models[name]
        if declared.control_of is not None:
            return declared.control_of
        same = (other for other in self.models if _twins(declared, self.models[other]))
        return next(same, None)

    @property
    def controls(self) -> dict[str, tuple[Control, str]]:
        """By name of every selected control: its kind, and the model that it is a control of."""
        found = {}
        for name in self.selected_models:
            control, twin = self.models[name].control, self.twin(name)
            if control is not None and twin is not None:
                found[name] = (control, twin)
        return found

    def _without_twin(self, name: str) -> list[str]:
        """What keeps a control from being compared with the model that it is a control of."""
        declared = self.models[name]
        if declared.control is None:
            return [f"models.{name}.control_of: says of what, but `control` does not say which"] * (
                declared.control_of is not None
            )
        twin = self.twin(name)
        if twin is None:
            return [
                f"models.{name}.control: no model is declared the same but for `control`; "
                "declare it, or correct this one"
            ]
        if twin not in self.models:
            return [f"models.{name}.control_of: {_unknown('model', twin, tuple(self.models))}"]
        if not _twins(declared, self.models[twin]):
            return [
                f"models.{name}.control_of: `{twin}` is another control or is declared otherwise; "
                f"give `{name}` its architecture, options, latent_dim, beta, loss and training"
            ]
        if name in self.selected_models and twin not in self.selected_models:
            return [f"include: `{name}` is a control of `{twin}`, which is left out; add it"]
        return []

    def training_for(self, model: str) -> Training:
        """Training settings of one model: the common ones and what differs for it."""
        return Training.model_validate(self.training.model_dump() | self.models[model].training)

    def loss_for(self, model: str) -> Loss:
        """Loss settings of one model: the common ones and what differs for it.

        Attributes of the sound are measured in spectrograms: models of vectors bind none.
        """
        common = self.loss.model_dump()
        if self.models[model].vectors:
            common["attributes"] = {}
        return Loss.model_validate(common | self.models[model].loss)

    def lyrics_for(self, baseline: str) -> Lyrics:
        """Lyrics settings of one baseline: the common ones and what differs for it."""
        return Lyrics.model_validate(self.lyrics.model_dump() | self.baselines[baseline].lyrics)

    @property
    def selected_models(self) -> list[str]:
        return [name for name in self.models if not self.include or name in self.include]

    @property
    def selected_baselines(self) -> list[str]:
        return [name for name in self.baselines if not self.include or name in self.include]


def _as_its_model(declared: Any, models: Mapping[str, Any]) -> Any:
    """What a config declares of a model, and of a control also what its model declares."""
    of = declared.get("control_of") if isinstance(declared, Mapping) else None
    twin = models.get(of) if isinstance(of, str) else None
    if not isinstance(twin, Mapping):
        return declared
    return {**{key: value for key, value in twin.items() if key != "change"}, **declared}


def _twins(control: Model, model: Model) -> bool:
    """Whether a control is declared as the model is, but for being a control."""
    own = {"control", "control_of", "change"}
    same = control.model_dump(exclude=own) == model.model_dump(exclude=own)
    return same and control.control is not None and model.control is None


def several_corpora(corpus_path: str) -> tuple[tuple[str, str], ...]:
    """Reader and path of every corpus in `<reader>=<path>,<reader>=<path>`.

    Raises:
        ValueError: naming the part that is wrong.
    """
    known = tuple(name for name in READERS if name not in ("demo", "several"))
    found: dict[str, str] = {}
    for part in corpus_path.split(","):
        reader, equals, path = (word.strip() for word in part.partition("="))
        if not (reader and equals and path):
            raise ValueError(
                f"`{part.strip()}` is not <reader>=<path>; the reader `several` takes "
                "<reader>=<path>,<reader>=<path>, and no path with a comma"
            )
        if reader not in known and not re.fullmatch(r"mirdata:.+", reader):
            raise ValueError(_unknown("reader", reader, (*known, "mirdata:<data set>")))
        if reader in found:
            raise ValueError(f"names the reader `{reader}` twice")
        found[reader] = path
    return tuple(found.items())


def _unknown(what: str, value: str, known: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(value, known, n=1)
    hint = f"did you mean `{close[0]}`?" if close else f"known: {', '.join(known) or 'none'}"
    return f"unknown {what} `{value}`; {hint}"


def _known_keys(location: tuple[int | str, ...], root: type[BaseModel]) -> tuple[str, ...]:
    """Keys that the section at `location` has (for the closest valid key in a message)."""
    section: Any = root
    for part in location:
        if isinstance(section, type) and issubclass(section, BaseModel):
            field = section.model_fields.get(str(part))
            annotation = field.annotation if field else None
            if getattr(annotation, "__origin__", None) is dict:
                annotation = annotation.__args__[1]  # type: ignore[union-attr]
                section = {None: annotation}
            else:
                section = annotation
        elif isinstance(section, dict):
            section = section[None]
    if isinstance(section, type) and issubclass(section, BaseModel):
        return tuple(section.model_fields)
    return ()


def _read_as_html(value: Any, where: str) -> list[str]:
    """Texts that the HTML report, which shows parameters, would read as the end of its script."""
    if isinstance(value, dict):
        inside = [(f"{where}.{key}".lstrip("."), item) for key, item in value.items()]
        return [line for name, item in inside for line in _read_as_html(item, name)]
    if isinstance(value, list):
        return [line for item in value for line in _read_as_html(item, where)]
    if not isinstance(value, str) or not re.search(r"</script|<!--", value, re.I):
        return []
    return [f"{where}: may hold neither `</script` nor `<!--`, which the HTML report would act on"]


def describe(
    error: ValidationError, root: type[BaseModel], more_keys: tuple[str, ...] = ()
) -> list[str]:
    """One line per problem: the key, what is wrong, the closest valid key.

    `root` is the model that was validated; `more_keys` are valid at its top level too.
    """
    lines = []
    for item in error.errors():
        key = ".".join(str(part) for part in item["loc"])
        if item["type"] == "extra_forbidden":
            known = _known_keys(item["loc"][:-1], root)
            known += more_keys if len(item["loc"]) == 1 else ()
            lines.append(f"{key}: {_unknown('key', str(item['loc'][-1]), known)}")
            continue
        message = item["msg"].removeprefix("Value error, ")
        given = "" if item["type"] == "value_error" else f" (given: {item['input']!r})"
        lines += [f"{key}: {part}{given}" if key else part for part in message.split("\n")]
    return lines


def load(values: Mapping[str, Any]) -> Config:
    """Validate the merged configuration.

    Raises:
        ConfigError: with one line per problem, all of them at once.
    """
    try:
        return Config.model_validate(dict(values))
    except ValidationError:
        raise problems_error(problems_of(values)) from None


def problems_of(values: Mapping[str, Any]) -> list[str]:
    """One line per problem of the merged configuration; empty where there is none.

    Keys are checked together only where each is right by itself, so wrong ones are taken out and
    the rest is checked again. What follows from a key that was taken out is not told.
    """
    lines: list[str] = []
    gone: set[str] = set()
    left: dict[str, Any] = copy.deepcopy(dict(values))
    while True:
        try:
            Config.model_validate(left)
        except ValidationError as error:
            found = describe(error, Config)
            lines += [line for line in found if not any(key in line for key in gone)]
            places = [_place(item["loc"], left) for item in error.errors()]
            places = [place for place in dict.fromkeys(places) if place]
            if not places:
                return lines
            for place in places:
                _take_out(left, place)
                # Plain words such as `run` count only where they are quoted as a key.
                gone |= {".".join(map(str, place))} if len(place) > 1 else set()
                gone.add(f"`{place[-1]}`")
        else:
            return lines


def problems_error(lines: Sequence[str]) -> ConfigError:
    """The one message that lists every problem of a configuration."""
    listed = "\n".join(f"  - {line}" for line in lines)
    return ConfigError(f"The configuration has problems:\n{listed}")


def models_in(values: Mapping[str, Any]) -> dict[str, Model]:
    """The declared models that are right by themselves, of a configuration that may be wrong."""
    declared = values.get("models")
    found = {}
    for name, model in declared.items() if isinstance(declared, Mapping) else ():
        with contextlib.suppress(ValidationError):
            found[str(name)] = Model.model_validate(model)
    return found


def repeated_keys(path: Path) -> list[str]:
    """One line per key that a YAML file has twice in one mapping, where the last silently counts.

    A file that is no YAML has none: whoever loads it says what is wrong with it.
    """
    import yaml

    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return []
    lines = []
    waiting: list[tuple[yaml.Node | None, str]] = [(root, "")]
    while waiting:
        node, prefix = waiting.pop()
        if not isinstance(node, yaml.MappingNode):
            continue
        first: dict[str, int] = {}
        for key, value in node.value:
            name = f"{prefix}{key.value}" if isinstance(key, yaml.ScalarNode) else prefix
            line = key.start_mark.line + 1
            if name in first and key.value != "<<":
                lines.append(
                    f"{name}: stands twice in {path} (lines {first[name]} and {line}); the second "
                    "would replace the first: rename or remove one"
                )
            first.setdefault(name, line)
            waiting.append((value, f"{name}."))
    return sorted(lines)


def _place(location: tuple[int | str, ...], values: Mapping[str, Any]) -> tuple[int | str, ...]:
    """The innermost key of `values` that a problem at `location` is about."""
    place: list[int | str] = []
    here: Any = values
    for part in location:
        if not isinstance(here, Mapping) or part not in here:
            break
        place.append(part)
        here = here[part]
    return tuple(place)


def _take_out(values: Any, place: tuple[int | str, ...]) -> None:
    for part in place[:-1]:
        values = values.get(part, {})
    values.pop(place[-1], None)


def load_yaml(*paths: Path) -> Config:
    """Validate YAML files merged in order, as Snakemake merges `--configfile`."""
    import yaml

    merged: dict[str, Any] = {}
    for path in paths:
        merged = _merge(merged, yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    return load(merged)


def _merge(base: dict[str, Any], update: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in update.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merge(merged[key], value) if both else value
    return merged
