"""Convolutional VAE that reads audio and lyrics."""

from typing import Literal

import torch
from torch import Tensor, nn

from songatlas.errors import ConfigError
from songatlas.models.base import VAE, Batch, InputSpec
from songatlas.models.blocks import SLOPE, ConvDecoder, ConvEncoder

TYPE = "multimodal VAE"
KEY_FEATURE = "audio and lyrics fused, audio decoded"
INPUTS = ("mel", "lyrics")

LYRICS_WIDTH = 256
ATTENTION_WIDTH = 256


class Architecture(VAE):
    """The convolutional VAE with lyrics fused into its posterior; only audio is decoded.

    - `early`: the flattened audio features, scaled by `audio_weight`, and the embedded lyrics
      vector, scaled by 1 − `audio_weight`, are concatenated before the two heads.
    - `late`: each modality has heads of its own; means and log variances are averaged with weights
      `audio_weight` and 1 − `audio_weight`.
    - `attention`: audio frames (time steps of the last feature map) and lyric lines attend to each
      other with `n_heads` heads. Each side adds what it attended to, weighted as above, and is
      normalised; the frames in order and the mean line are concatenated before the two heads.

    A window without lyrics (all zeros) is normal: the lyrics' part is zero (`early`, `attention`)
    or gets no weight (`late`), so its posterior depends on the audio alone.
    """

    channels_last = True

    def __init__(
        self,
        spec: InputSpec,
        latent_dim: int,
        *,
        fusion: Literal["early", "late", "attention"] = "attention",
        audio_weight: float = 0.5,
        n_heads: int = 8,
        dropout: float = 0.2,
    ) -> None:
        super().__init__(spec, latent_dim)
        if not 0.0 < audio_weight < 1.0:
            raise ConfigError(f"audio_weight: must be between 0 and 1 (given: {audio_weight})")
        self.fusion = fusion
        self.audio_weight = audio_weight
        self.encoder = ConvEncoder(spec, dropout)
        n_audio = self.encoder.n_features
        if fusion == "attention":
            channels, mels, frames = self.encoder.map_shape
            self.attention = CrossAttention(
                channels * mels, spec.lyrics_dim, audio_weight, n_heads, dropout
            )
            n_joined = (frames + 1) * ATTENTION_WIDTH
        else:
            self.lyrics = nn.Sequential(
                nn.Linear(spec.lyrics_dim, LYRICS_WIDTH), nn.LeakyReLU(SLOPE), nn.Dropout(dropout)
            )
            n_joined = n_audio + LYRICS_WIDTH if fusion == "early" else n_audio
        self.mu = nn.Linear(n_joined, latent_dim)
        self.logvar = nn.Linear(n_joined, latent_dim)
        if fusion == "late":
            self.lyrics_mu = nn.Linear(LYRICS_WIDTH, latent_dim)
            self.lyrics_logvar = nn.Linear(LYRICS_WIDTH, latent_dim)
        self.decoder = ConvDecoder(latent_dim, self.encoder, dropout)

    def encode(self, batch: Batch) -> tuple[Tensor, Tensor]:
        maps = self.encoder(batch["mel"])
        if self.fusion == "attention":
            frames = maps.flatten(1, 2).transpose(1, 2)
            joined = self.attention(frames, batch["lyrics_lines"])
            return self.mu(joined), self.logvar(joined)
        audio = maps.flatten(1)
        lyrics = self.lyrics(batch["lyrics"])
        present = (batch["lyrics"] != 0).any(1, keepdim=True)
        if self.fusion == "early":
            lyrics = lyrics * present * (1.0 - self.audio_weight)
            joined = torch.cat([audio * self.audio_weight, lyrics], dim=1)
            return self.mu(joined), self.logvar(joined)
        share = (1.0 - self.audio_weight) * present
        mu = (1.0 - share) * self.mu(audio) + share * self.lyrics_mu(lyrics)
        logvar = (1.0 - share) * self.logvar(audio) + share * self.lyrics_logvar(lyrics)
        return mu, logvar

    def decode(self, z: Tensor, batch: Batch) -> Tensor:
        spectrogram: Tensor = self.decoder(z)
        return spectrogram


class CrossAttention(nn.Module):
    """Audio frames and lyric lines attend to each other."""

    def __init__(
        self, frame_dim: int, line_dim: int, audio_weight: float, n_heads: int, dropout: float
    ) -> None:
        super().__init__()
        if n_heads < 1 or ATTENTION_WIDTH % n_heads:
            raise ConfigError(f"n_heads: must divide {ATTENTION_WIDTH} (given: {n_heads})")
        self.audio_weight = audio_weight
        width = ATTENTION_WIDTH
        self.project_frames = nn.Linear(frame_dim, width)
        self.project_lines = nn.Linear(line_dim, width)
        self.to_lines = nn.MultiheadAttention(width, n_heads, dropout, batch_first=True)
        self.to_frames = nn.MultiheadAttention(width, n_heads, dropout, batch_first=True)
        self.norm_frames = nn.LayerNorm(width)
        self.norm_lines = nn.LayerNorm(width)

    def forward(self, frames: Tensor, lines: Tensor) -> Tensor:
        """(B, T', frame_dim), (B, L, line_dim; zero rows are padding) → (B, (T' + 1) · width)."""
        padding = (lines == 0).all(2)
        present = ~padding.all(1)[:, None, None]
        # A softmax over no key at all is NaN: rows without lyrics see one padded line, whose
        # effect is then removed.
        masked = padding & ~(padding.all(1, keepdim=True) & _first(padding))
        frames, lines = self.project_frames(frames), self.project_lines(lines)
        heard, _ = self.to_lines(frames, lines, lines, key_padding_mask=masked, need_weights=False)
        read, _ = self.to_frames(lines, frames, frames, need_weights=False)
        weight = self.audio_weight
        fused_frames = self.norm_frames(weight * frames + (1.0 - weight) * heard * present)
        fused_lines = self.norm_lines((1.0 - weight) * lines + weight * read)
        kept = (~padding).unsqueeze(2).to(fused_lines.dtype)
        line = (fused_lines * kept).sum(1) / kept.sum(1).clamp_min(1.0)
        return torch.cat([fused_frames.flatten(1), line], dim=1)


def _first(mask: Tensor) -> Tensor:
    """True in the first column alone."""
    return torch.arange(mask.shape[1], device=mask.device).expand_as(mask) == 0
