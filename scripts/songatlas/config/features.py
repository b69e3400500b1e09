"""`logmel`, `lyrics`, `pretrained`, `adaptation`."""

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from songatlas.config.base import Name, Positive, Section, split_commas


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
    vectors: Annotated[list[str], BeforeValidator(split_commas)] = Field(
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


class Pretrained(Section):
    """Pretrained encoders of audio (docs/encoders.md)."""

    allow_restricted: bool = Field(
        False,
        description="Use encoders whose licence forbids commercial use or is not stated. Off "
        "unless you opt in.",
    )
    remote_code: Annotated[list[Name], BeforeValidator(split_commas)] = Field(
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
    targets: Annotated[list[str], BeforeValidator(split_commas)] = Field(
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
