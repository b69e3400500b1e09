"""What the Snakefile asks of the config: names, paths, and what each job's result depends on.

Built once per Snakemake process. It imports nothing heavy, since every job's process parses the
Snakefile anew.
"""

import functools
import hashlib
from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from songatlas.config import encoder_cards as cards
from songatlas.config import feature_registry as features
from songatlas.config.corpus import EXCERPTS, MANY_SONGS
from songatlas.config.run import Config, load, models_in, problems_error, problems_of
from songatlas.config.yaml_files import repeated_keys
from songatlas.corpus.shards import shard_name
from songatlas.errors import ConfigError
from songatlas.models import registry
from songatlas.plan.sound_files import SoundFiles, with_decoder
from songatlas.run.fingerprint import entry_script, fingerprint
from songatlas.run.running import begun_with


class Plan(SoundFiles):
    """The jobs of one run, from its config."""

    def __init__(self, values: Mapping[str, Any], files: Iterable[str | Path] = ()) -> None:
        """Validate the merged config, and the `files` that it was merged from.

        Raises:
            ConfigError: with one line per problem, all of them at once.
        """
        problems = [
            *chain.from_iterable(repeated_keys(Path(file)) for file in files),
            *problems_of(values),
            *registry.problems(models_in(values)),
        ]
        if problems:
            raise problems_error(problems)
        self.config: Config = load(values)
        self.results = f"results/{self.config.run}"
        if self.config.excerpts == "auto":
            self.config = self.config.model_copy(update={"excerpts": self._excerpts()})
        selected = self.config.selected_models
        self.config = with_decoder(self.config)
        self.added_decoder = self.config.selected_models != selected
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

    def code_of_feature(self, script: str, feature: str) -> str:
        """Fingerprint of a script that runs a feature's module."""
        return fingerprint(entry_script(script), [features.module_of(feature)])

    def code_of_baseline(self, script: str, name: str) -> str:
        """Fingerprint of a script that makes a baseline's vectors of its feature."""
        return self.code_of_feature(script, self.feature_of(name))

    def code_of_encoder(self, script: str, encoder: str) -> str:
        """Fingerprint of a script that runs an encoder: its family's module and its card, too."""
        card = cards.card(encoder)
        code = fingerprint(entry_script(script), [f"songatlas.features.encoders.{card.family}"])
        return f"{code} {hashlib.sha256(repr(card).encode()).hexdigest()[:16]}"

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

    def explorer(self) -> dict[str, Any]:
        """The explorer's section; what the config leaves open, only the demo has."""
        section = self.section("explorer")
        for key in ("previews", "music_view"):
            if section[key] is None:
                section[key] = self.config.corpus == "demo"
        return section

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
        return fingerprint(entry_script(script), modules)

    def code_of_assign(self) -> str:
        """Fingerprint of what embeds new songs: models, and features that they are described by."""
        modules = [features.module_of(name) for name in self.new_song_settings()]
        described = fingerprint(entry_script("assign"), modules)
        return f"{self.code_of_models('assign', *self.models)} {described}"

    def code_of_reader(self, script: str) -> str:
        """Fingerprint of a script that reads the corpus with the configured reader."""
        from songatlas.corpus.readers import modules_of

        modules = modules_of(self.config.corpus, self.corpus_path)
        return fingerprint(entry_script(script), modules)
