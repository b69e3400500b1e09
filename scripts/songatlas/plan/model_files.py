"""Models of a plan: what each reads, its sizes and its kind."""

from typing import Any

from songatlas.config import encoder_cards as cards
from songatlas.config import feature_registry as features
from songatlas.errors import ConfigError
from songatlas.models import registry
from songatlas.plan.feature_files import FeatureFiles


class ModelFiles(FeatureFiles):
    """The models of one run."""

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
