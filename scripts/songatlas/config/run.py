"""The one configuration model: every key, its default, range and help.

`config/schema.json` and `config/README.md` are generated from here (`make docs`), and the
Snakefile validates the merged YAML files with `load`. Library functions never see this object:
entry scripts hand them the section that they need."""

import contextlib
import copy
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator

from songatlas.config.base import (
    DESCRIPTOR_BANDS,
    Name,
    Section,
    as_text,
    off_for_false,
    once,
    split_commas,
    unknown,
)
from songatlas.config.clustering import Clustering, Consensus
from songatlas.config.corpus import (
    EXCERPTS,
    MANY_SONGS,
    READERS,
    DetectLanguage,
    Split,
    Windows,
    several_corpora,
)
from songatlas.config.evaluation import Disentanglement, Evaluation, Probes
from songatlas.config.features import Adaptation, LogMel, Lyrics, Pretrained
from songatlas.config.messages import describe, read_as_html
from songatlas.config.models import Baseline, Control, Model
from songatlas.config.new_songs import Assign
from songatlas.config.report import Explorer, Figures, Paper
from songatlas.config.training import Compute, Loss, Trainer, Training
from songatlas.config.words import Names, Playlist, Query, Transcription
from songatlas.errors import ConfigError

RESERVED = ("overview", "own")
"""Names that files and rows of Songatlas's own have."""

Target = Literal["names", "explorer"]


class Config(Section):
    """Everything a run depends on. Flat keys first: people set those on the command line."""

    run: Annotated[Name, BeforeValidator(as_text)] = Field(
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
    include: Annotated[list[Name], BeforeValidator(split_commas)] = Field(
        [], description="Names of the models and baselines to run (empty: all that are declared)."
    )
    seeds: Annotated[list[Annotated[int, Field(ge=0)]], BeforeValidator(split_commas)] = Field(
        [0], min_length=1, description="Training seeds; each is a run of every trained model."
    )
    shards: int = Field(
        4,
        ge=1,
        le=100_000,
        description="Shards of the corpus (rule of thumb: 256 songs a shard, "
        "at most 1,000 shards).",
    )
    detect_language: Annotated[DetectLanguage, BeforeValidator(off_for_false)] = Field(
        "fill",
        description="Languages of lyrics: `fill` takes a sure one where no language is given and "
        "warns where one contradicts the label, `check` only warns, `off` does neither.",
    )
    targets: Annotated[list[Target], BeforeValidator(split_commas)] = Field(
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
    text: Annotated[str | None, BeforeValidator(as_text)] = Field(
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
        raise ValueError(unknown("reader", value, (*READERS, "mirdata:<data set>")))

    _no_duplicates = field_validator("seeds", "include", "targets")(once)

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
            unknown("model or baseline in `include`", name, declared)
            for name in self.include
            if name not in declared
        ]
        problems += read_as_html(self.model_dump(mode="json"), "")
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
        from songatlas.config import encoder_cards as cards

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
            return [f"models.{name}.control_of: {unknown('model', twin, tuple(self.models))}"]
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
