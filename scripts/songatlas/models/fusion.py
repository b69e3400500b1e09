"""Audio and lyrics in one latent of named blocks, fused in five ways."""

import functools
from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from songatlas.errors import ConfigError
from songatlas.models.base import LOGVAR_LIMIT, Batch, InputSpec, Model, Pass
from songatlas.models.blocks import SLOPE, check_dropout
from songatlas.models.losses import Scale, Weight, calibrated_nll, paid
from songatlas.models.pooling import FrameEncoder, mean_and_deviation
from songatlas.models.towers import (
    CrossAttention,
    IsometricTower,
    Standardiser,
    info_nce,
    mean_of_rows,
    pooled_statistics,
    product_of_experts,
    similarity_loss,
)
from songatlas.models.vectors import learn_scale, rows_that_have

TYPE = "multimodal VAE"
KEY_FEATURE = "audio and lyrics fused, both decoded, either alone is enough"
INPUTS = ("mel", "lyrics", "songs")
VECTORS = ("audio", "lyrics")

Kind = Literal["early", "late", "attention", "contrastive", "poe"]


class Fusion(Model):
    """A VAE of audio and lyrics whose latent is [audio | lyrics | shared].

    A subclass says what the vectors of a row's audio and lyrics are (`vectors`), and what its
    `ears` make of the sound (`hear`). The first two blocks belong to one modality each and keep the
    geometry of its vectors (`IsometricTower`); a block whose modality is missing is zeros. The
    shared block is where modalities meet:

    - `early`: one network reads both side by side, and keeps the geometry of what it reads: the
      similarity of two windows is `audio_weight` times that of their audio plus the rest times that
      of their lyrics.
    - `late`: there is none.
    - `attention`: audio frames and lyric lines attend to each other with `n_heads` heads.
    - `contrastive`: a projection of each modality, drawn together for pairs by symmetric InfoNCE
      (Huang et al. 2022, Wu et al. 2023); the normalised mean of those that exist.
    - `poe`: the product of the modalities' Gaussian experts and the prior (Wu and Goodman 2018).

    The vectors of audio and lyrics are decoded from their block and the shared one, each with a
    calibrated variance, per value: 32 values of lyrics weigh as much as all of audio's. In training
    `modality_dropout` hides one modality of that share of the rows that have both; a fusion with a
    shared block decodes the hidden one too.
    """

    lyrics_length = 1
    """Mean squared length of a vector of lyrics."""

    def __init__(
        self,
        spec: InputSpec,
        latent_dim: int,
        ears: nn.Module,
        n_audio_values: int,
        n_heard: int,
        *,
        fusion: Kind,
        audio_weight: float,
        modality_dropout: float,
        lyrics_share: float,
        shared_share: float,
        width: int,
        temperature: float,
        dropout: float,
        n_heads: int = 1,
    ) -> None:
        """`ears` hear `n_heard` features, `vectors` has `n_audio_values` of audio."""
        super().__init__(spec, latent_dim)
        check_dropout(dropout)
        if not 0.0 < audio_weight < 1.0:
            raise ConfigError(f"audio_weight: must be between 0 and 1 (given: {audio_weight})")
        if not 0.0 <= modality_dropout <= 1.0:
            raise ConfigError(
                f"modality_dropout: must be between 0 and 1 (given: {modality_dropout})"
            )
        if temperature <= 0.0:
            raise ConfigError(f"temperature: must be above 0 (given: {temperature})")
        n_lyrics = max(1, round(lyrics_share * latent_dim))
        n_shared = 0 if fusion == "late" else max(1, round(shared_share * latent_dim))
        n_audio = latent_dim - n_lyrics - n_shared
        if min(lyrics_share, shared_share) <= 0.0 or n_audio < 1:
            raise ConfigError(
                "lyrics_share: with shared_share it must leave dimensions for audio, both above 0 "
                f"(given: {lyrics_share} and {shared_share} of {latent_dim})"
            )
        self.fusion, self.audio_weight = fusion, audio_weight
        self.modality_dropout, self.temperature = modality_dropout, temperature
        self.sizes = (n_audio, n_lyrics, n_shared)
        self.frames = ears
        self.statistics = Standardiser(n_audio_values)
        self.audio = IsometricTower(n_audio_values, n_audio, n_heard, width, dropout)
        self.read = _dense(spec.lyrics_dim, width, dropout)
        self.lyrics = IsometricTower(spec.lyrics_dim, n_lyrics, width, width, dropout)
        if fusion == "early":
            self.side_by_side = IsometricTower(
                n_audio_values + spec.lyrics_dim, n_shared, n_heard + width + 2, width, dropout
            )
        elif fusion == "attention":
            self.attention = CrossAttention(width, spec.lyrics_dim, width, n_heads, dropout)
            self.join = _mlp(2 * width + 2, width, 2 * n_shared)
        elif fusion == "poe":
            self.audio_expert = _mlp(n_heard, width, 2 * n_shared)
            self.lyrics_expert = _mlp(width, width, 2 * n_shared)
        elif fusion == "contrastive":
            self.audio_projection = _mlp(n_heard, width, n_shared)
            self.lyrics_projection = _mlp(width, width, n_shared)
        self.audio_decoder = _mlp(n_audio + n_shared, width, n_audio_values)
        self.lyrics_decoder = _mlp(n_lyrics + n_shared, width, spec.lyrics_dim)

    @abstractmethod
    def vectors(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Of audio, standardised, and of lyrics: (B, n) each, which the latent keeps and decodes.

        What stands where a modality is missing has no effect.
        """

    @abstractmethod
    def hear(self, batch: Batch, heard: Tensor, audio: Tensor) -> tuple[Tensor, Tensor]:
        """Steps in time that attention looks at, and features of the whole, (B, n_heard).

        `audio` are the vectors of `vectors`, zeros in rows that `heard` (B,) bool leaves out.
        """

    @property
    def blocks(self) -> dict[str, tuple[int, int]]:
        n_audio, n_lyrics, n_shared = self.sizes
        blocks = {"audio": (0, n_audio), "lyrics": (n_audio, n_audio + n_lyrics)}
        if n_shared:
            blocks["shared"] = (n_audio + n_lyrics, self.latent_dim)
        return blocks

    def encode(
        self, batch: Batch, heard: Tensor, read: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, dict[str, Tensor]]:
        """Mean, log variance (B, latent_dim), which of them are there, and unit projections.

        Only what `heard` and `read` (B,) bool name is looked at.
        """
        statistics, vector = self.vectors(batch)
        statistics = torch.where(heard[:, None], statistics, 0.0)
        vector = torch.where(read[:, None], vector, 0.0)
        steps, sound = self.hear(batch, heard, statistics)
        words = self.read(vector)
        audio = self.audio(statistics, sound)
        lyrics = self.lyrics(vector, words)
        mus, logvars = [audio[0], lyrics[0]], [audio[1], lyrics[1]]
        there = [heard, read]
        extra: dict[str, Tensor] = {}
        weight = self.audio_weight
        flags = torch.stack([heard, read], 1).to(sound.dtype)
        n_shared = self.sizes[2]
        if self.fusion == "early":
            # Standardised values have as many units of squared length as there are of them.
            level = (weight / statistics.shape[1]) ** 0.5
            lyrics_level = ((1.0 - weight) / self.lyrics_length) ** 0.5
            extra["joined"] = torch.cat([statistics * level, vector * lyrics_level], 1)
            sound = torch.where(heard[:, None], sound, 0.0)
            words = torch.where(read[:, None], words, 0.0)
            features = torch.cat([sound, words, flags], 1)
            joined = torch.cat(self.side_by_side(extra["joined"], features), 1)
        elif self.fusion == "attention":
            lines = torch.where(read[:, None, None], batch["lyrics_lines"], 0.0)
            attended, weights = self.attention(steps, lines, heard)
            extra["attention"] = weights
            joined = self.join(torch.cat([attended, flags], 1))
        elif self.fusion == "poe":
            experts = torch.stack([self.audio_expert(sound), self.lyrics_expert(words)]).float()
            limited = experts[..., n_shared:].clamp(-LOGVAR_LIMIT, LOGVAR_LIMIT)
            product = product_of_experts(
                experts[..., :n_shared], limited, torch.stack([heard, read])
            )
            joined = torch.cat(product, 1)
        elif self.fusion == "contrastive":
            extra["audio"] = F.normalize(self.audio_projection(sound).float(), dim=1)
            extra["lyrics"] = F.normalize(self.lyrics_projection(words).float(), dim=1)
            both = extra["audio"] * heard[:, None] + extra["lyrics"] * read[:, None]
            # Directions alone are learned: the block is a point, without a posterior.
            joined = torch.cat([F.normalize(both, dim=1), torch.zeros_like(both)], 1)
        if n_shared:
            mus.append(joined[:, :n_shared].float())
            logvars.append(joined[:, n_shared:].float())
            there.append(heard | read)
        mu = torch.cat(mus, 1).float()
        logvar = torch.cat(logvars, 1).float().clamp(-LOGVAR_LIMIT, LOGVAR_LIMIT)
        present = torch.cat(
            [
                flag[:, None].expand(-1, stop - start)
                for flag, (start, stop) in zip(there, self.blocks.values(), strict=True)
            ],
            1,
        )
        # A missing block is the prior: no KL, no noise, zero mean.
        return torch.where(present, mu, 0.0), torch.where(present, logvar, 0.0), present, extra

    def forward(self, batch: Batch) -> Pass:
        heard, read = batch["has_mel"], batch["has_lyrics"]
        if self.training:
            heard, read = drop_modality(heard, read, self.modality_dropout)
        mu, logvar, present, extra = self.encode(batch, heard, read)
        noisy = present & self._gaussian(mu)
        z = torch.where(noisy, mu + torch.exp(0.5 * logvar) * torch.randn_like(mu), mu)
        seen = {"heard": heard, "read": read, "gaussian": noisy}
        return Pass(mu, logvar, z, self.decode(z, batch), {**extra, **seen})

    def _gaussian(self, mu: Tensor) -> Tensor:
        """Which dimensions have a posterior, (latent_dim,) bool: all but unit directions."""
        which = torch.ones(self.latent_dim, dtype=torch.bool, device=mu.device)
        if self.fusion == "contrastive":
            which[self.blocks["shared"][0] :] = False
        return which

    def kl_per_unit(self, mu: Tensor, logvar: Tensor) -> Tensor:
        return super().kl_per_unit(mu, logvar) * self._gaussian(mu)

    def _halves(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """What the two decoders read."""
        n_audio, n_lyrics, _ = self.sizes
        shared = z[:, n_audio + n_lyrics :]
        lyrics = z[:, n_audio : n_audio + n_lyrics]
        return torch.cat([z[:, :n_audio], shared], 1), torch.cat([lyrics, shared], 1)

    def terms(
        self, batch: Batch, done: Pass, *, kl_weight: Weight, scale: Scale, free_bits: float = 0.0
    ) -> dict[str, Tensor]:
        """Per modality: reconstruction, KL and the loss of geometry, each per value and weighted.

        The shared block's KL is paid per value of both modalities together.
        """
        assert done.z is not None
        assert done.logvar is not None
        assert done.extra is not None
        extra = done.extra
        from_audio, from_lyrics = self._halves(done.z)
        statistics, vector = self.vectors(batch)
        units = self.kl_per_unit(done.mu, done.logvar)
        weights = {"audio": self.audio_weight, "lyrics": 1.0 - self.audio_weight}
        n_values = {"audio": statistics.shape[1], "lyrics": self.spec.lyrics_dim}
        distortion = rate = done.mu.new_zeros(())
        shown: dict[str, Tensor] = {}
        for name, target, decoded, has, kept in (
            ("audio", statistics, self.audio_decoder(from_audio), "has_mel", "heard"),
            ("lyrics", vector, self.lyrics_decoder(from_lyrics), "has_lyrics", "read"),
        ):
            # Hidden modalities are decoded where something else could tell.
            rows = extra[kept] if self.fusion == "late" else batch[has]
            error = _mean_squared_error(decoded, target, rows)
            start, stop = self.blocks[name]
            geometry = similarity_loss(target, done.mu[:, start:stop], extra[kept])
            shown[name] = error.detach()
            here = error
            if scale == "elbo":
                here = torch.where(rows.any(), calibrated_nll(error), error)
            distortion = distortion + 2.0 * weights[name] * (here + geometry)
            values = n_values[name] if scale == "elbo" else self.latent_dim
            rate = rate + 2.0 * weights[name] * (
                paid(units[:, start:stop], free_bits, stop - start) / values
            )
        if "shared" in self.blocks and self.fusion != "contrastive":
            start, stop = self.blocks["shared"]
            values = sum(n_values.values()) if scale == "elbo" else self.latent_dim
            rate = rate + paid(units[:, start:stop], free_bits, stop - start) / values
        if self.fusion == "early":
            start, stop = self.blocks["shared"]
            either = extra["heard"] | extra["read"]
            geometry = similarity_loss(extra["joined"], done.mu[:, start:stop], either)
            distortion = distortion + geometry
        if self.fusion == "contrastive":
            pairs = extra["heard"] & extra["read"]
            contrast, right = info_nce(extra["audio"], extra["lyrics"], self.temperature, pairs)
            distortion = distortion + contrast
            shown |= {"contrastive": contrast.detach(), "accuracy": right}
        return {
            "loss": distortion + kl_weight * rate,
            "distortion": distortion.detach(),
            "rate": rate.detach(),
            "reconstruction": shown.pop("audio"),
            "reconstruction_lyrics": shown.pop("lyrics"),
            "kl": units.mean(0).sum().detach(),
            **shown,
        }

    def embed(self, batch: Batch) -> Tensor:
        """[audio | lyrics | shared], (B, latent_dim); a missing modality's block is zeros."""
        return self.encode(batch, batch["has_mel"], batch["has_lyrics"])[0]

    def summary(self, batch: Batch, z: Tensor) -> Tensor:
        """The embedding, and which modalities are there, (B, latent_dim + 2)."""
        flags = torch.stack([batch["has_mel"], batch["has_lyrics"]], 1)
        return torch.cat([z, flags.float()], 1)

    def embed_song(self, summaries: Tensor) -> Tensor:
        """Block by block the mean of the windows that have it, (latent_dim,).

        The lyrics block is scaled to its windows' mean length: a song is a direction there, and one
        whose windows differ is not a smaller one.
        """
        z, heard, read = summaries[:, :-2], summaries[:, -2] > 0, summaries[:, -1] > 0
        song = z.new_zeros(self.latent_dim)
        present = {"audio": heard, "lyrics": read, "shared": heard | read}
        for name, (start, stop) in self.blocks.items():
            rows = z[present[name], start:stop]
            if len(rows):
                mean = rows.mean(0)
                if name == "lyrics":
                    mean = F.normalize(mean, dim=0) * rows.norm(dim=1).mean()
                song[start:stop] = mean
        return song


class Architecture(Fusion):
    """Fusion of spectrograms and lyrics, in five ways (see `Fusion`).

    Audio's vector is the spectrogram's statistics over time, each standardised over the training
    windows; lyrics' is what the text encoder gives, of unit length.
    """

    def __init__(
        self,
        spec: InputSpec,
        latent_dim: int,
        *,
        fusion: Literal["early", "late", "attention", "contrastive", "poe"] = "attention",
        audio_weight: float = 0.5,
        n_heads: int = 8,
        modality_dropout: float = 0.3,
        lyrics_share: float = 0.25,
        shared_share: float = 0.25,
        width: int = 128,
        channels: tuple[int, ...] = (16, 32, 64),
        temperature: float = 0.1,
        dropout: float = 0.1,
    ) -> None:
        super().__init__(
            spec,
            latent_dim,
            FrameEncoder(spec, width, channels, dropout),
            3 * spec.n_mels,
            2 * width,
            fusion=fusion,
            audio_weight=audio_weight,
            n_heads=n_heads,
            modality_dropout=modality_dropout,
            lyrics_share=lyrics_share,
            shared_share=shared_share,
            width=width,
            temperature=temperature,
            dropout=dropout,
        )

    def vectors(self, batch: Batch) -> tuple[Tensor, Tensor]:
        return self.statistics(pooled_statistics(batch["mel"])), batch["lyrics"]

    def hear(self, batch: Batch, heard: Tensor, audio: Tensor) -> tuple[Tensor, Tensor]:
        steps = self.frames(torch.where(heard[:, None, None, None], batch["mel"], 0.0))
        return steps, mean_and_deviation(steps)

    def forward(self, batch: Batch) -> Pass:
        heard = batch["has_mel"]
        if self.training:
            self.statistics.see(pooled_statistics(batch["mel"]), heard)
        return super().forward(batch)

    def decode(self, z: Tensor, batch: Batch) -> Tensor:
        """Spectrograms (B, 1, n_mels, n_frames): the decoded mean of each band, at every frame."""
        decoded = self.statistics.back(self.audio_decoder(self._halves(z)[0]).float())
        means = decoded[:, : self.spec.n_mels]
        return means[:, None, :, None].expand(-1, 1, -1, self.spec.n_frames)


class OfVectors(Fusion):
    """Fusion of a vector of audio and one of lyrics in four ways: all of `Fusion` but attention.

    Attention weighs frames and lines against each other; of one vector each, all weight is on it.
    Both vectors are standardised over the training rows, by one scale where `spec.one_unit` says
    so, and the blocks of one modality start as its principal components, at a variance of 1 on
    average. Each modality has a dense layer of `width` units.
    """

    def __init__(
        self,
        spec: InputSpec,
        latent_dim: int,
        *,
        fusion: Literal["early", "late", "contrastive", "poe"] = "poe",
        audio_weight: float = 0.5,
        modality_dropout: float = 0.3,
        lyrics_share: float = 0.25,
        shared_share: float = 0.25,
        width: int = 128,
        temperature: float = 0.1,
        dropout: float = 0.1,
    ) -> None:
        super().__init__(
            spec,
            latent_dim,
            _dense(spec.audio_dim, width, dropout),
            spec.audio_dim,
            width,
            fusion=fusion,
            audio_weight=audio_weight,
            modality_dropout=modality_dropout,
            lyrics_share=lyrics_share,
            shared_share=shared_share,
            width=width,
            temperature=temperature,
            dropout=dropout,
        )
        self.lyrics_scale = Standardiser(spec.lyrics_dim)
        self.lyrics_length = spec.lyrics_dim
        self.widths = {"audio": (width,), "lyrics": (width,)}

    @torch.no_grad()
    def begin(self, batches: Callable[[], Iterable[Batch]]) -> None:
        """Learn the scales of the vectors, and start as their principal components."""
        for name, scaler, tower in (
            ("audio", self.statistics, self.audio),
            ("lyrics", self.lyrics_scale, self.lyrics),
        ):
            rows = functools.partial(rows_that_have, batches, name)
            tower.start(learn_scale(scaler, rows, one_unit=name in self.spec.one_unit))

    def vectors(self, batch: Batch) -> tuple[Tensor, Tensor]:
        # What stands for a missing vector may be anything: masked later, it would spoil gradients.
        audio = torch.where(batch["has_mel"][:, None], batch["audio"].float(), 0.0)
        lyrics = torch.where(batch["has_lyrics"][:, None], batch["lyrics"].float(), 0.0)
        return self.statistics(audio), self.lyrics_scale(lyrics)

    def hear(self, batch: Batch, heard: Tensor, audio: Tensor) -> tuple[Tensor, Tensor]:
        return audio, self.frames(audio)

    def decode(self, z: Tensor, batch: Batch) -> Tensor:
        """Standardised vectors of audio and of lyrics side by side, (B, n_values)."""
        from_audio, from_lyrics = self._halves(z)
        return torch.cat([self.audio_decoder(from_audio), self.lyrics_decoder(from_lyrics)], 1)


def _dense(n_in: int, width: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(nn.Linear(n_in, width), nn.LeakyReLU(SLOPE), nn.Dropout(dropout))


def _mlp(n_in: int, width: int, n_out: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(n_in, width), nn.LeakyReLU(SLOPE), nn.Linear(width, n_out))


def _mean_squared_error(decoded: Tensor, target: Tensor, rows: Tensor) -> Tensor:
    """Over the values of some rows; 0 without any."""
    return mean_of_rows((decoded.float() - target.float()).square(), rows).mean()


def drop_modality(heard: Tensor, read: Tensor, rate: float) -> tuple[Tensor, Tensor]:
    """Hide one modality, either with the same chance, in a share `rate` of the rows with both."""
    dropped = heard & read & (torch.rand(len(heard), device=heard.device) < rate)
    audio = torch.rand(len(heard), device=heard.device) < 0.5
    return heard & ~(dropped & audio), read & ~(dropped & ~audio)
