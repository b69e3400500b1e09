"""MusicFM (Won et al. 2024): a conformer over log-mel spectrograms, ported.

Its authors publish code that is no package, and weights as a checkpoint of their training. Here are
its two convolutions; the conformer is that of transformers, with the settings of
`facebook/wav2vec2-conformer-rope-large-960h-ft`, which MusicFM takes. Nothing of the checkpoint but
tensors and plain values is loaded.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from songatlas.config.encoder_cards import Card
from songatlas.errors import SongatlasError
from songatlas.features.encoders.base import AudioEncoder, Setting, layers_named, token_means
from songatlas.features.encoders.hidden_states import mend

N_FFT, HOP_LENGTH = 2048, 240
FEATURE = f"melspec_{N_FFT}"
"""How the spectrogram is called in the file of statistics."""

HEAD_DIM = 64
"""Of an attention head: 16 heads of 64 make the published model's 1024."""

PARTS = ("conv", "conformer")
"""What has weights."""

PREFIX = "model."
"""How names of weights begin in a checkpoint of training."""


class Residual(nn.Module):
    """Two convolutions that halve both axes, beside one that does so at once."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride=2, padding=1)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels_in, channels, 3, stride=2, padding=1)
        self.bn3 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(b, channels_in, f, t) to (b, channels, f / 2, t / 2)."""
        deep = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(self.bn3(self.conv3(x)) + deep)


class Subsampling(nn.Module):
    """Spectrograms (b, n_mels, t) to tokens (b, t / 4, width)."""

    def __init__(self, channels: int, n_mels: int, width: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(Residual(1, channels), Residual(channels, channels))
        self.linear = nn.Linear(channels * n_mels // 4, width)

    def forward(self, x: Tensor) -> Tensor:
        found = self.conv(x.unsqueeze(1))
        tokens: Tensor = self.linear(found.permute(0, 3, 1, 2).flatten(2))
        return tokens


class MusicFM(nn.Module):
    """Hidden states of waveforms. Sizes are those of the weights that it is given."""

    def __init__(self, weights: dict[str, Tensor], mean: float, std: float) -> None:
        from torchaudio.transforms import AmplitudeToDB, MelSpectrogram
        from transformers import Wav2Vec2ConformerConfig
        from transformers.models.wav2vec2_conformer.modeling_wav2vec2_conformer import (
            Wav2Vec2ConformerEncoder,
        )

        super().__init__()
        width, flat = weights["conv.linear.weight"].shape
        channels = len(weights["conv.conv.0.conv1.weight"])
        n_mels = 4 * flat // channels
        blocks = {key.split(".")[2] for key in weights if key.startswith("conformer.layers.")}
        first = "conformer.layers.0"
        config = Wav2Vec2ConformerConfig(
            hidden_size=width,
            num_hidden_layers=len(blocks),
            num_attention_heads=width // HEAD_DIM,
            intermediate_size=len(weights[f"{first}.ffn1.intermediate_dense.weight"]),
            conv_depthwise_kernel_size=weights[f"{first}.conv_module.depthwise_conv.weight"].shape[
                2
            ],
            hidden_act="swish",
            position_embeddings_type="rotary",
            layerdrop=0.0,
        )
        config._attn_implementation = "eager"
        self.mean, self.std = mean, std
        self.spectrogram = MelSpectrogram(24_000, n_fft=N_FFT, hop_length=HOP_LENGTH, n_mels=n_mels)
        self.decibel = AmplitudeToDB()
        self.conv = Subsampling(channels, n_mels, width)
        self.conformer = Wav2Vec2ConformerEncoder(config)
        mend(self)
        # What the checkpoint has beside is for training: codebooks, a head, its own spectrogram.
        own = {key: value for key, value in weights.items() if key.split(".")[0] in PARTS}
        missing, unknown = self.load_state_dict(own, strict=False)
        constant = ("spectrogram.", "conformer.embed_positions.")
        wrong = [key for key in (*missing, *unknown) if not key.startswith(constant)]
        if wrong:
            raise ValueError(f"no weights of MusicFM: {wrong[0]}")
        self.width, self.blocks = width, len(blocks)

    def forward(self, waves: Tensor) -> tuple[Tensor, ...]:
        """Hidden states of waves (b, samples): what goes into every block, and the result."""
        mel = self.decibel(self.spectrogram(waves))[..., :-1]
        x = self.conv((mel - self.mean) / self.std)
        states: tuple[Tensor, ...] = self.conformer(x, output_hidden_states=True)["hidden_states"]
        return states


class Encoder(AudioEncoder):
    """Hidden states before the first block and after each, in single precision."""

    def __init__(self, folder: Path, card: Card, setting: Setting) -> None:
        super().__init__(folder, card, Setting(setting.device, False, setting.batch_size))
        weights, statistics = _files(folder)
        content = load(weights)
        named = {
            key.removeprefix(PREFIX): value
            for key, value in content.get("state_dict", content).items()
        }
        stated = json.loads(statistics.read_text(encoding="utf-8"))
        model = MusicFM(named, stated[f"{FEATURE}_mean"], stated[f"{FEATURE}_std"])
        self.model = self.ready(model)
        self.layers = layers_named("block", [model.width] * (model.blocks + 1))

    def forward(self, clips: np.ndarray) -> list:
        values = torch.from_numpy(np.ascontiguousarray(clips)).to(self.setting.device)
        return token_means(self.model(values))


def load(path: Path) -> Any:
    """Tensors and plain values of a checkpoint."""
    from songatlas.run.plain_weights import load_plain

    return load_plain(path)


def _files(folder: Path) -> tuple[Path, Path]:
    """The checkpoint and the file of statistics that belongs to it."""
    weights = sorted(folder.glob("pretrained_*.pt"))
    statistics = [path.with_name(f"{path.stem.split('_', 1)[1]}_stats.json") for path in weights]
    if len(weights) != 1 or not statistics[0].is_file():
        raise SongatlasError(
            f"{folder}: must hold one pretrained_<corpus>.pt and its <corpus>_stats.json; fetch it "
            "again"
        )
    return weights[0], statistics[0]
