"""Features and pretrained encoders of a plan: files, settings, weights."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from songatlas.config import encoder_cards as cards
from songatlas.config import feature_registry as features
from songatlas.config.feature_registry import Feature
from songatlas.corpus.shards import shard_name
from songatlas.models import registry
from songatlas.plan.corpus_files import CorpusFiles

CENTRED_BY = "language_id"
"""The feature that names the language of lyrics where vectors are centred by language."""


class FeatureFiles(CorpusFiles):
    """The features of one run, and the encoders behind them."""

    def _selected_vectors(self) -> list[tuple[str, str]]:
        """(name, feature) of every selected baseline, and of every model that reads vectors."""
        config = self.config
        read = [(name, self.feature_of(name)) for name in config.selected_baselines]
        for name in config.selected_models:
            read += [(name, feature) for feature in config.models[name].vectors.values()]
        return read

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
        from songatlas.features.encoders import weights

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

    def lyrics_weights(self, baseline: str | None = None) -> str:
        """Whose weights the embedded lyrics encoder computes with; nothing for others."""
        used = self.config.lyrics if baseline is None else self.config.lyrics_for(baseline)
        if used.encoder != "e5":
            return ""
        feature = "lyrics_song" if baseline is None else f"text-{baseline}"
        return features.feature("e5").weights() or self._recorded_weights(feature)

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

    def model_inputs(self, name: str) -> tuple[str, ...]:
        """Of `mel`, `lyrics`, `songs`, `language`, `genre`: what a model reads.

        Of one that reads vectors: `audio`, `lyrics` or both.
        """
        model = self.config.models[name]
        if model.vectors:
            return tuple(model.vectors)
        return registry.inputs(model.architecture, model.options)


def _folder(name: str) -> bool:
    """Whether a text encoder is a folder on this machine."""
    return Path(name).expanduser().is_dir()
