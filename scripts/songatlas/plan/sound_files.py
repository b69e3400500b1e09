"""Sounds that the models of a plan decode for the explorer: whose, how many, at what cost."""

from songatlas.config.models import Model
from songatlas.config.run import Config
from songatlas.errors import ConfigError
from songatlas.models import registry
from songatlas.plan.model_files import ModelFiles
from songatlas.report.explorer.sound_list import (
    BYTES_PER_S,
    MOST_RECONSTRUCTIONS,
    SECONDS_PER_VALUE,
    SOUND_S,
    most_sounds,
)

DECODER = "conv_vae"
"""The model that is added where the explorer decodes sounds and no selected model does."""


class SoundFiles(ModelFiles):
    """The decoded sounds of one run."""

    added_decoder: bool
    """Whether `DECODER` was added for them."""

    def dangers(self) -> list[str]:
        """What a user has to know before any job, the cost of decoded sounds included."""
        return [*super().dangers(), *self._decoding()]

    def _decoding(self) -> list[str]:
        """What decoded sounds cost, where the explorer has them."""
        if not self.decoded:
            return []
        said = (
            f"explorer.decode: the explorer gets at most {self.most_sounds:,} sounds of "
            f"{self.sound_s:g} s, decoded by {', '.join(self.decoded)}: about "
            f"{self.decoded_bytes / 1e6:.0f} MB and {self.decoded_s / 60:.0f} min on one core"
        )
        if self.added_decoder:
            said += f"; `{DECODER}` is trained for them, since no selected model decodes sounds"
        return [said]

    @property
    def decoded(self) -> list[str]:
        """Names of the models whose decoded sounds the explorer has; none unless it is asked to."""
        if not self.config.explorer.decode:
            return []
        return [name for name in self.models if _decodes(self.config.models[name])]

    @property
    def first_decoded(self) -> list[tuple[str, int]]:
        """The first seed of each of them."""
        return [(name, self.config.seeds[0]) for name in self.decoded]

    @property
    def not_decoded(self) -> dict[str, str]:
        """By name of every other row: why it has no decoded sounds."""
        reasons = dict.fromkeys(self.baselines, "a baseline decodes nothing")
        for name in self.models:
            of_vectors = bool(self.config.models[name].vectors)
            reads = "it reads vectors of features, and decodes no spectrogram"
            latent = "its latent alone has no way back to a spectrogram"
            reasons[name] = reads if of_vectors else latent
        return {name: why for name, why in reasons.items() if name not in self.decoded}

    @property
    def reconstructions(self) -> int:
        """Windows that are heard as each of these models reconstructs them."""
        return MOST_RECONSTRUCTIONS // max(1, len(self.decoded))

    @property
    def most_sounds(self) -> int:
        """As many decoded sounds as the run can have."""
        return len(self.decoded) * most_sounds(self.reconstructions)

    @property
    def decoded_bytes(self) -> int:
        """Bytes of so many sounds."""
        return round(self.most_sounds * self.sound_s * BYTES_PER_S)

    @property
    def decoded_s(self) -> float:
        """Seconds on one core that they take."""
        logmel = self.config.logmel
        values = logmel.n_mels * logmel.n_frames(self.sound_s)
        return self.most_sounds * values * SECONDS_PER_VALUE

    @property
    def sound_s(self) -> float:
        """Length of each of them."""
        return min(SOUND_S, self.config.windows.length_s)


def _decodes(model: Model) -> bool:
    """Whether a model's latents decode to spectrograms."""
    return not model.vectors and registry.decodes(model.architecture)


def with_decoder(config: Config) -> Config:
    """The same config, or where the explorer decodes and no selected model does: with `DECODER`.

    Raises:
        ConfigError: when another kind of model has that name.
    """
    selected = (config.models[name] for name in config.selected_models)
    if not config.explorer.decode or any(map(_decodes, selected)):
        return config
    model = config.models.get(DECODER, Model(architecture=DECODER))
    if not _decodes(model):
        raise ConfigError(
            f"explorer.decode: no selected model decodes sounds, and models.{DECODER} is declared "
            "as another kind; give that one another name"
        )
    include = [*config.include, DECODER] if config.include else []
    return config.model_copy(
        update={"models": {**config.models, DECODER: model}, "include": include}
    )
