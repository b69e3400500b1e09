"""What the Snakefile asks of the config: names, paths, and what each job's result depends on.

Built once per Snakemake process. It imports nothing heavy, since every job's process parses the
Snakefile anew.
"""

import functools
import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

from songatlas import config as configuration
from songatlas.config import EXCERPTS, MANY_SONGS, Config, several_corpora
from songatlas.corpus.listing import AUDIO_SUFFIXES
from songatlas.corpus.shards import shard_name
from songatlas.encoders import cards
from songatlas.errors import ConfigError, SongatlasError
from songatlas.features import registry as features
from songatlas.features.registry import Feature
from songatlas.fingerprint import ROOT, fingerprint
from songatlas.models import registry
from songatlas.running import begun_with

DEMO_FOLDER = "results/corpora/demo"
DEMO_NAME = "Synthetic demo corpus"
DEMO_SEED = 0
DEMO_SONGS, DEMO_SONG_S = 48, 40.0

BYTES_PER_S = {
    **dict.fromkeys(AUDIO_SUFFIXES, 16e3),
    **dict.fromkeys((".oga", ".ogg", ".opus", ".spx"), 14e3),
    **dict.fromkeys((".ape", ".flac", ".tak", ".tta", ".wv"), 80e3),
    **dict.fromkeys((".aif", ".aifc", ".aiff", ".au", ".caf", ".w64", ".wav"), 88e3),
}
"""Of small files of each kind: how long songs are before they have been opened, rather too long."""

CENTRED_BY = "language_id"
"""The feature that names the language of lyrics where vectors are centred by language."""


class Plan:
    """The jobs of one run, from its config."""

    def __init__(self, values: Mapping[str, Any], files: Iterable[str | Path] = ()) -> None:
        """Validate the merged config, and the `files` that it was merged from.

        Raises:
            ConfigError: with one line per problem, all of them at once.
        """
        problems = [
            *chain.from_iterable(configuration.repeated_keys(Path(file)) for file in files),
            *configuration.problems_of(values),
            *registry.problems(configuration.models_in(values)),
        ]
        if problems:
            raise configuration.problems_error(problems)
        self.config: Config = configuration.load(values)
        self.results = f"results/{self.config.run}"
        if self.config.excerpts == "auto":
            self.config = self.config.model_copy(update={"excerpts": self._excerpts()})
        self.shards = [shard_name(index) for index in range(self.config.shards)]
        self.left_out = self._left_out()
        self.models = [name for name in self.config.selected_models if name not in self.left_out]
        self.baselines = [
            name for name in self.config.selected_baselines if name not in self.left_out
        ]
        if self.left_out and not (self.models or self.baselines):
            raise ConfigError("\n".join(self.left_out.values()))
        self._check_lyrics_encoder()

    def _excerpts(self) -> int | None:
        """What the run began with; of one that begins, `EXCERPTS` where it has many songs."""
        begun = begun_with(self.config.run)
        if begun is not None:
            return begun["excerpts"]
        return EXCERPTS if self.n_audio_files > MANY_SONGS else None

    # --- names -------------------------------------------------------------------------------

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

    @property
    def multimodal(self) -> list[str]:
        """Names of the models that read audio and lyrics."""
        both = ({"mel", "lyrics"}, {"audio", "lyrics"})
        return [
            name
            for name in self.models
            if any(modalities <= set(self.model_inputs(name)) for modalities in both)
        ]

    @property
    def joint(self) -> list[str]:
        """Names of those of spectrograms that have both in one space: a block `shared`."""
        return [
            name
            for name in self.multimodal
            if name in self.of_spectrograms
            and self.config.models[name].architecture == "fusion"
            and self.model(name)["options"]["fusion"] != "late"
        ]

    @property
    def retrievable(self) -> list[str]:
        """Names of those that embed a song's audio alone and its lyrics alone in one space.

        Beside the joint ones, the product of experts of `multimodal_vade`, whose latent is shared.
        """
        of_experts = [
            name
            for name in self.multimodal
            if self.config.models[name].architecture == "multimodal_vade"
        ]
        return [*self.joint, *of_experts]

    @property
    def joint_encoders(self) -> list[str]:
        """Names of the baselines that are encoders of audio and texts, as they were published."""
        return [
            name
            for name in self.encoder_baselines
            if cards.card(self.encoder_of(name)).joint and not self.config.baselines[name].adapted
        ]

    @property
    def query_model(self) -> str | None:
        """What has words and sound in one space and answers a text.

        None: words are compared, or songs (`query.like`).

        Raises:
            ConfigError: when the config names something that cannot, or asks for both.
        """
        if self.config.query.like is not None:
            if self.config.text is not None:
                raise ConfigError("query.like: `text` is given too; a query answers one of them")
            return None
        able = [*self.joint_encoders, *self.joint]
        wanted = self.config.query.model
        if wanted is not None and wanted not in able:
            raise ConfigError(
                f"query.model: `{wanted}` does not have words and sound in one space; what does: "
                f"{', '.join(able) or 'nothing of this run'}"
            )
        # What a model of few songs learned of words finds by chance: it answers on request alone.
        return wanted or (self.joint_encoders[0] if self.joint_encoders else None)

    @property
    def of_spectrograms(self) -> list[str]:
        """Names of the models that read spectrograms, which figures can show."""
        return [name for name in self.models if not self.config.models[name].vectors]

    @property
    def variational(self) -> list[str]:
        """Names of the VAEs of spectrograms, whose latents have a prior to move through."""
        return [
            name
            for name in self.of_spectrograms
            if registry.variational(self.config.models[name].architecture)
        ]

    @property
    def first_vaes(self) -> list[tuple[str, int]]:
        """The first seed of each of them."""
        return [(name, self.config.seeds[0]) for name in self.variational]

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

    # --- features ----------------------------------------------------------------------------

    def _left_out(self) -> dict[str, str]:
        """By name of every row whose features this machine cannot compute: why, and what to do.

        Where its feature is there, somebody computed it: a run that was restored is finished here.
        """
        found = {}
        for name, feature in self._selected_vectors():
            why = features.feature(feature).missing()
            if why and not any(Path(part).is_file() for part in self.parts(feature)):
                found[name] = f"the run does without the row `{name}`: {why}"
        return found

    def _selected_vectors(self) -> list[tuple[str, str]]:
        """(name, feature) of every selected baseline, and of every model that reads vectors."""
        config = self.config
        read = [(name, self.feature_of(name)) for name in config.selected_baselines]
        for name in config.selected_models:
            read += [(name, feature) for feature in config.models[name].vectors.values()]
        return read

    def _check_lyrics_encoder(self) -> None:
        """Refuse `lyrics.encoder: e5` where nothing on this machine computes it.

        Raises:
            ConfigError: saying what to do.
        """
        reads = self.features & {"lyrics_window", "lyrics_song"}
        if self.config.lyrics.encoder != "e5" or not reads:
            return
        why = features.feature("e5").missing()
        if why and not all(Path(self.parts(name)[0]).is_file() for name in reads):
            raise ConfigError(f"lyrics.encoder: {why}")

    def parts(self, feature: str) -> list[str]:
        """Files of one feature."""
        return self._shards_of(feature, "part")

    def song_parts(self, feature: str) -> list[str]:
        """Files of a feature's own vectors of songs; none where it has none."""
        return self._shards_of(feature, "songs") if features.feature(feature).songs else []

    def _shards_of(self, feature: str, kind: str) -> list[str]:
        reads_audio = features.feature(feature).reads == "audio"
        shards = self.shards if reads_audio else [shard_name(0)]
        return [self.path("features", feature, f"{kind}-{shard}.parquet") for shard in shards]

    def feature_outputs(self, feature: str) -> dict[str, str]:
        """What the job of a feature writes, by name, with `{shard}` open where it reads audio."""
        declared = features.feature(feature)
        if declared.reads == "lyrics":
            return {"part": self.parts(feature)[0]}
        kinds = ["part", *(["songs"] if declared.songs else []), "rejects", "warnings"]
        return {kind: self.path("features", feature, f"{kind}-{{shard}}.parquet") for kind in kinds}

    def baseline_supervision(self, name: str) -> str:
        """Whose labels taught a baseline: nobody's, or other people's."""
        if self.config.baselines[name].kind in ("text", "lyrics_tfidf"):
            return self.config.lyrics_for(name).supervision
        pretrained = features.feature(self.feature_of(name)).pretrained
        return "none" if pretrained is None else pretrained.supervision

    def problem_files(self, kind: str) -> list[str]:
        """Tables of `rejects` or `warnings` of the features that this run extracts.

        Log-mel's come first: what several features say of a song is told once, by the first.
        """
        return [
            path
            for feature in sorted(self.features, key=lambda name: (name != "logmel", name))
            if features.feature(feature).reads == "audio"
            for path in self._shards_of(feature, kind)
        ]

    @property
    def features(self) -> set[str]:
        """Features that the selected models and baselines read."""
        read = {self.feature_of(name) for name in self.baselines}
        read |= {CENTRED_BY for name in self.baselines if self.config.baselines[name].centre}
        for name in self.models:
            read |= {feature.name for feature in self.features_of_model(name)}
        return read

    @property
    def near_copies(self) -> str | None:
        """The groups of near copies; None where no `musicnn` is there to find them by."""
        found_by_sound = "musicnn" in self.features
        return self.path("features", "near_copies", "groups.parquet") if found_by_sound else None

    def features_of_model(self, name: str) -> list[Feature]:
        """The features that a trained model reads."""
        vectors = self.config.models[name].vectors
        if vectors:
            return [features.feature(feature) for feature in vectors.values()]
        return [one for read in self.model_inputs(name) for one in features.read_as(read)]

    def feature_of(self, name: str) -> str:
        """The feature that a baseline's vectors come from."""
        return features.feature_of(name, self.config.baselines[name])

    def feature_settings(self, feature: str) -> dict[str, Any]:
        """What decides the values of a feature: of the config, and whose weights they are."""
        declared = features.feature(feature)
        settings = declared.settings(self.config)
        if declared.pretrained is None:
            return settings
        return settings | {"weights": declared.weights() or self._recorded_weights(feature)}

    def _recorded_weights(self, feature: str) -> str:
        """Of a feature that was computed elsewhere: whose weights they were."""
        from songatlas import tables

        there = [part for part in self.parts(feature) if Path(part).is_file()]
        about = tables.read_metadata(there[0]) if there else {}
        return str(about.get("weights") or about.get("revision") or "")

    def new_song_settings(self) -> dict[str, dict[str, Any]]:
        """Settings of every feature that new songs are described by, by its name."""
        return {
            one.name: self.feature_settings(one.name)
            for one in features.heard()
            if one.name in self.features
        }

    def code_of_feature(self, script: str, feature: str) -> str:
        """Fingerprint of a script that runs a feature's module."""
        return fingerprint(ROOT / f"{script}.py", [features.module_of(feature)])

    def code_of_baseline(self, script: str, name: str) -> str:
        """Fingerprint of a script that makes a baseline's vectors of its feature."""
        return self.code_of_feature(script, self.feature_of(name))

    # --- pretrained encoders -----------------------------------------------------------------

    @property
    def encoder_baselines(self) -> list[str]:
        """Names of the baselines that are pretrained encoders."""
        return [name for name in self.baselines if self.config.baselines[name].kind == "encoder"]

    @property
    def encoders(self) -> list[str]:
        """Names of the pretrained encoders that this run uses, each once."""
        return list(dict.fromkeys(map(self.encoder_of, self.encoder_baselines)))

    @property
    def pretrained_rows(self) -> list[dict[str, Any]]:
        """Every baseline of pretrained weights, for the architecture table and the summary."""
        rows = []
        for name in self.encoder_baselines:
            card = cards.card(self.encoder_of(name))
            keys = ("title", "trained_on", "licence", "citation", "supervision")
            about = {key: getattr(card, key) for key in keys}
            rows.append({"name": name, "parameters": card.parameters_m * 1_000_000, **about})
        for name in self.baselines:
            pretrained = features.feature(self.feature_of(name)).pretrained
            if pretrained is not None:
                rows.append({"name": name, **asdict(pretrained)})
        return rows

    def encoder_of(self, baseline: str) -> str:
        """The encoder that a baseline of the kind `encoder` names."""
        return str(self.config.baselines[baseline].encoder)

    @property
    def encoder_features(self) -> list[str]:
        """Their features, each once."""
        return list(dict.fromkeys(self.feature_of(name) for name in self.encoder_baselines))

    @property
    def adapted_encoders(self) -> list[str]:
        """Names of the encoders that get LoRA weights, each once."""
        baselines = (self.config.baselines[name] for name in self.encoder_baselines)
        return list(dict.fromkeys(str(one.encoder) for one in baselines if one.adapted))

    def encoder_source(self, encoder: str) -> str:
        """The folder or repository that an encoder's weights come from."""
        return self.config.pretrained.weights.get(encoder) or cards.card(encoder).repository

    def pretrained(self, encoder: str) -> dict[str, Any]:
        """Of the section `pretrained`, what decides the vectors of one encoder."""
        section = self.section("pretrained", "half_precision", "device")
        weights = self.config.pretrained.weights
        # What is said of other encoders is no reason to run this one again.
        return section | {
            "weights": {encoder: weights[encoder]} if encoder in weights else {},
            "remote_code": [encoder] if encoder in self.config.pretrained.remote_code else [],
            "allow_restricted": cards.card(encoder).restricted,
        }

    def weights_identity(self, encoder: str) -> str:
        """Which weights those are: the pinned commit, or what lies in a local folder."""
        from songatlas.encoders import weights

        source = self.encoder_source(encoder)
        folder = Path(source).expanduser()
        if folder.is_dir():
            return weights.identity(folder)
        pinned = weights.read_lock(self.config.pretrained.lock).get(source)
        return f"{source} {pinned.revision if pinned else 'not pinned'}"

    def weights_to_fetch(self) -> tuple[dict[str, str | None], list[str]]:
        """Audio encoders with what the config gives instead of their own weights; text encoders."""
        given = self.config.pretrained.weights
        text = dict.fromkeys(one.encoder for one in self.text_encoders)
        here = ("tfidf", "word_vectors", "e5")
        absent = [name for name in text if name not in here and not _folder(name)]
        read = {feature for _, feature in self._selected_vectors()}
        read |= {"e5"} if "e5" in text else set()
        absent += [one for name in sorted(read) for one in features.feature(name).to_fetch()]
        ears = [self.config.transcription.encoder] if self.config.transcription.include else []
        ears += [self.config.names.listener] if self.config.names.listener else []
        audio = dict.fromkeys([*self.encoders, *ears])
        return {name: given.get(name) for name in audio}, absent

    def code_of_encoder(self, script: str, encoder: str) -> str:
        """Fingerprint of a script that runs an encoder, its family's module included."""
        family = f"songatlas.encoders.{cards.card(encoder).family}"
        return fingerprint(ROOT / f"{script}.py", [family])

    def transcripts(self, kind: str) -> list[str]:
        """Tables of `segments` or of `songs` by ear, one per shard; none without transcription."""
        if not self.config.transcription.include:
            return []
        return [
            self.path("corpus", "transcripts", f"{kind}-{shard}.parquet") for shard in self.shards
        ]

    @property
    def captions_by_ear(self) -> list[str]:
        """Tables of what an audio language model wrote, one per shard; none without one."""
        if self.config.names.listener is None:
            return []
        return [self.path("analysis", "captions", f"{shard}.parquet") for shard in self.shards]

    # --- corpus ------------------------------------------------------------------------------

    @property
    def corpus_path(self) -> str:
        if self.config.corpus == "demo":
            return DEMO_FOLDER
        if self.config.corpus == "several":  # names corpora; each has a path of its own
            return str(self.config.corpus_path)
        return str(Path(str(self.config.corpus_path)).expanduser())

    @property
    def corpus_name(self) -> str:
        """What stands in every table and figure title."""
        if self.config.corpus == "several":
            readers = (reader for reader, _ in several_corpora(str(self.config.corpus_path)))
            return f"{' + '.join(readers)} corpus"
        return DEMO_NAME if self.config.corpus == "demo" else f"{self.config.corpus} corpus"

    @functools.cached_property
    def corpus_listing(self) -> str:
        """Digest of what lies in the corpus folder, so that a new or edited song is noticed.

        Where the folder is not on this machine, the songs of a finished run count as they were: a
        run that was restored elsewhere is finished there too.
        """
        if self.config.corpus == "demo":
            return f"{DEMO_SEED} {self.digest('demo')} {self.code('demo_corpus')}"
        from songatlas.corpus.readers import corpora, listing_digest

        if not all(path.exists() for _, path in corpora(self.config.corpus, self.corpus_path)):
            return self._recorded_listing() or "absent"
        return listing_digest(self.config.corpus, Path(self.corpus_path))

    @functools.cached_property
    def audio_bytes(self) -> list[tuple[str, int]]:
        """Suffix (lower case, with its dot) and bytes of every file that may be a song.

        None of the demo's, which is not there yet, and where the corpus cannot be listed: where it
        is needed, listing it says what is wrong with it.
        """
        from songatlas.corpus.readers import file_sizes

        if self.config.corpus == "demo":
            return []
        try:
            sizes = file_sizes(self.config.corpus, self.corpus_path)
        except SongatlasError:
            return []
        return [(suffix, size) for suffix, size in sizes if suffix in BYTES_PER_S]

    @property
    def n_audio_files(self) -> int:
        """Songs of a corpus that nobody has opened yet, by their files."""
        return DEMO_SONGS if self.config.corpus == "demo" else len(self.audio_bytes)

    def _recorded_listing(self) -> str | None:
        path = Path(self.path("corpus", "sources.parquet"))
        if not path.is_file():
            return None
        from songatlas import tables

        listing: str | None = tables.read_metadata(path).get("listing")
        return listing

    # --- new songs ---------------------------------------------------------------------------

    def assigned(self, name: str) -> str:
        """A file about the new songs."""
        return self.path("assign", self.config.assign.name, name)

    @property
    def assign_branches(self) -> list[dict[str, Any]]:
        """Name, seed, inputs (features, for a baseline) and baseline of every first branch."""
        trained = []
        for name, seed in self.first_trained:
            inputs = list(self.config.models[name].vectors.values() or self.model_inputs(name))
            trained.append({"name": name, "seed": seed, "inputs": inputs, "baseline": None})
        untrained = []
        for name, seed in self.first_untrained:
            baseline = self.baseline(name)
            inputs = [self.feature_of(name)]
            untrained.append({"name": name, "seed": seed, "inputs": inputs, "baseline": baseline})
        return [*trained, *untrained]

    @functools.cached_property
    def new_listing(self) -> str:
        """Digest of what lies in the folder of new songs."""
        from songatlas.corpus.readers import corpora, listing_digest

        reader, path = self.config.assign.reader, self.config.assign.path
        if path is None or not all(where.exists() for _, where in corpora(reader, path)):
            return "absent"
        return listing_digest(reader, Path(path))

    @functools.cached_property
    def finished_state(self) -> str:
        """Digest of the run's latents and clusters: what new songs are compared with."""
        digest = hashlib.sha256()
        for pattern in ("latents/{model}/seed-{seed}", "clusters/{model}/seed-{seed}"):
            for name in self.branch_files(pattern + ".parquet", self.first_branches):
                digest.update(name.encode() + b"\0")
                if Path(name).is_file():
                    with Path(name).open("rb") as file:
                        digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()[:16]

    # --- what a job's result depends on --------------------------------------------------------

    def section(self, name: str, *keys: str) -> dict[str, Any]:
        """A section of the config, or some of its keys, as plain values.

        Rules name the keys that their script reads where it does not read all: a job re-runs when
        one of its parameters changes.
        """
        dumped: dict[str, Any] = getattr(self.config, name).model_dump()
        return {key: dumped[key] for key in keys} if keys else dumped

    def lyrics(self, baseline: str | None = None) -> dict[str, Any]:
        """What the lyrics encoder in use, or a baseline's own one, reads of its section."""
        used = self.config.lyrics if baseline is None else self.config.lyrics_for(baseline)
        keys: tuple[str, ...] = ("encoder", "dim", "max_lines")
        if used.encoder == "tfidf":
            keys = ("encoder", "ngram_min", "ngram_max", "dim", "max_lines")
        elif used.encoder == "word_vectors":
            keys += ("vectors",)
        elif used.encoder == "e5":
            pass
        else:
            keys += ("max_tokens", "trust_remote_code", "pooling", "prefix", "revision")
        dumped = used.model_dump()
        section = {key: dumped[key] for key in keys}
        if "revision" in section and section["revision"] is None:
            from songatlas.encoders.weights import read_lock

            pinned = read_lock(self.config.pretrained.lock).get(used.encoder)
            section["revision"] = pinned.revision if pinned else None
        return section

    def lyrics_weights(self, baseline: str | None = None) -> str:
        """Whose weights the embedded lyrics encoder computes with; nothing for others."""
        used = self.config.lyrics if baseline is None else self.config.lyrics_for(baseline)
        if used.encoder != "e5":
            return ""
        feature = "lyrics_song" if baseline is None else f"text-{baseline}"
        return features.feature("e5").weights() or self._recorded_weights(feature)

    @property
    def text_baselines(self) -> list[str]:
        """Names of the baselines with a text encoder of their own."""
        return [name for name in self.baselines if self.config.baselines[name].kind == "text"]

    @property
    def text_encoders(self) -> list[configuration.Lyrics]:
        """Settings of every text encoder in use, the one that models read first."""
        return [self.config.lyrics, *map(self.config.lyrics_for, self.text_baselines)]

    def dangers(self) -> list[str]:
        """What the config allows that a reader should know of whenever the run starts."""
        said = "REMOTE CODE IS ON: `{}` runs code that comes with the model, with all your rights"
        trusted = [one.encoder for one in self.text_encoders if one.runs_remote_code]
        dangers = list(self.left_out.values())
        dangers += [
            f"{said.format(name)} (lyrics.trust_remote_code)" for name in dict.fromkeys(trusted)
        ]
        dangers += [
            f"{said.format(self.encoder_source(name))} (pretrained.remote_code: {name})"
            for name in self.encoders
            if name in self.config.pretrained.remote_code
        ]
        return dangers

    def spec(self, *models: str) -> dict[str, float]:
        """Shape of what some models of spectrograms read; 0 for lyrics where none reads any."""
        logmel, lyrics = self.config.logmel, self.config.lyrics
        spectrograms = [name for name in models if not self.config.models[name].vectors]
        reads_lyrics = any("lyrics" in self.model_inputs(name) for name in spectrograms)
        return {
            "n_mels": logmel.n_mels,
            "n_frames": logmel.n_frames(self.config.windows.length_s),
            "lyrics_dim": lyrics.dim if reads_lyrics else 0,
            "max_lines": lyrics.max_lines if reads_lyrics else 0,
            "f_min_hz": logmel.f_min_hz,
            "f_max_hz": logmel.f_max_hz or logmel.sample_rate_hz / 2,
            "frame_rate_hz": logmel.sample_rate_hz / logmel.hop_length,
        }

    def _spec_of_vectors(self, name: str) -> dict[str, Any]:
        """Shape of what a model of vectors reads; 0 for widths that only the files say."""
        reads = self.config.models[name].vectors
        kinds = {key: features.kind(feature) for key, feature in reads.items()}
        return {
            "n_mels": 0,
            "n_frames": 0,
            "max_lines": 0,
            "audio_dim": (kinds["audio"].width or 0) if "audio" in kinds else 0,
            "lyrics_dim": (kinds["lyrics"].width or 0) if "lyrics" in kinds else 0,
            "songs": self.config.models[name].of_songs,
            "one_unit": [key for key, kind in kinds.items() if not kind.standardise],
        }

    def model_inputs(self, name: str) -> tuple[str, ...]:
        """Of `mel`, `lyrics`, `songs`, `language`, `genre`: what a model reads.

        Of one that reads vectors: `audio`, `lyrics` or both.
        """
        model = self.config.models[name]
        if model.vectors:
            return tuple(model.vectors)
        return registry.inputs(model.architecture, model.options)

    def model(self, name: str) -> dict[str, Any]:
        """A model's declaration as plain values, its own settings merged with the common ones."""
        model = self.config.models[name]
        accepted = registry.entry(model.architecture, bool(model.vectors)).options
        options = accepted.model_validate(model.options)
        return {
            "model": name,
            "architecture": model.architecture,
            "options": options.model_dump(),
            "latent_dim": model.latent_dim,
            "beta": model.beta,
            # Snakemake compares parameters without their names: a mapping keeps each with its own.
            "declared": {
                "architecture": model.architecture,
                "latent_dim": model.latent_dim,
                "beta": model.beta,
                # What it is called decides nothing, but stands in its latents and scores.
                "control": model.control or "",
                "control_of": (self.config.twin(name) or "") if model.control else "",
                # Only where it says something: what is as it was is no reason to train again.
                **({"taught": "elsewhere"} if self.taught_elsewhere(name) else {}),
            },
            "training": self.config.training_for(name).model_dump(),
            "loss": self.config.loss_for(name).model_dump(),
            "spec": self._spec_of_vectors(name) if model.vectors else self.spec(name),
        }

    def taught_elsewhere(self, name: str) -> bool:
        """Whether a model reads features whose weights saw other people's labels."""
        if self.config.models[name].vectors:
            known = (one.pretrained for one in self.features_of_model(name))
            return any(one is not None and one.supervision == "elsewhere" for one in known)
        reads_lyrics = "lyrics" in self.model_inputs(name)
        return reads_lyrics and self.config.lyrics.supervision == "elsewhere"

    def bound(self, name: str) -> dict[str, int]:
        """Which attribute of the sound a model binds to which dimension; baselines bind none."""
        if name not in self.config.models:
            return {}
        return {str(key): at for key, at in self.config.loss_for(name).attributes.items()}

    def declared_models(self) -> list[dict[str, Any]]:
        """Every selected model, for the architecture table; `spec` where it reads vectors."""
        keys = ("architecture", "options", "latent_dim", "beta")
        declared = []
        for name in self.models:
            model = self.model(name)
            own = ("spec",) if self.config.models[name].vectors else ()
            declared.append({"name": name, **{key: model[key] for key in (*keys, *own)}})
        return declared

    def baseline(self, name: str) -> dict[str, Any]:
        """A baseline's declaration as plain values."""
        dumped = self.config.baselines[name].model_dump()
        dumped["standardise"] = self.config.baselines[name].standardised
        if dumped["centre"] is None:
            del dumped["centre"]
        # Beyond its kind, what only encoders have is no reason to compute another vector anew.
        own = ("encoder", "layer", "probe_task", "adapted", "lyrics")
        if dumped["kind"] != "encoder":
            return {key: value for key, value in dumped.items() if key not in own}
        del dumped["lyrics"]
        if dumped["layer"] != "probe":
            del dumped["probe_task"]
        return dumped

    def digest(self, resource: str) -> str:
        """Digest of a file, or of all files of a folder, under `resources/`."""
        path = ROOT.parent / "resources" / resource
        files = [path] if path.is_file() else sorted(path.iterdir())
        digest = hashlib.sha256()
        for file in files:
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
        return digest.hexdigest()[:16]

    def explorer(self) -> dict[str, Any]:
        """The explorer's section; what the config leaves open, only the demo has."""
        section = self.section("explorer")
        for key in ("previews", "music_view"):
            if section[key] is None:
                section[key] = self.config.corpus == "demo"
        return section

    @property
    def explorer_bundle(self) -> str:
        """Digest of the explorer's page, which is built with npm and no Python code."""
        files = sorted((ROOT / "songatlas" / "explorer" / "bundle").iterdir())
        digest = hashlib.sha256()
        for file in files:
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
        return digest.hexdigest()[:16]

    def code(self, script: str, *architectures: str) -> str:
        """Fingerprint of an entry script's code, and of the architectures it builds."""
        modules = [f"songatlas.models.{architecture}" for architecture in architectures]
        return fingerprint(ROOT / f"{script}.py", modules)

    def code_of_models(self, script: str, *names: str) -> str:
        """Fingerprint of a script that builds some models, whatever these are built on included."""
        models = [self.config.models[name] for name in names]
        modules = [
            f"songatlas.models.{part}"
            for model in models
            for part in registry.parts(model.architecture, model.options, bool(model.vectors))
        ]
        # What vectors are made of a feature decides what a model of vectors reads.
        read = [feature for model in models for feature in model.vectors.values()]
        modules += [features.module_of(feature) for feature in read]
        return fingerprint(ROOT / f"{script}.py", modules)

    def code_of_assign(self) -> str:
        """Fingerprint of what embeds new songs: models, and features that they are described by."""
        modules = [features.module_of(name) for name in self.new_song_settings()]
        described = fingerprint(ROOT / "assign.py", modules)
        return f"{self.code_of_models('assign', *self.models)} {described}"

    def code_of_reader(self, script: str) -> str:
        """Fingerprint of a script that reads the corpus with the configured reader."""
        from songatlas.corpus.readers import modules_of

        modules = modules_of(self.config.corpus, self.corpus_path)
        return fingerprint(ROOT / f"{script}.py", modules)


def _folder(name: str) -> bool:
    """Whether a text encoder is a folder on this machine."""
    return Path(name).expanduser().is_dir()
