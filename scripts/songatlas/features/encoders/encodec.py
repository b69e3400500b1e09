"""EnCodec (Défossez et al. 2022): what it encodes before quantisation, after it, and its codes."""

from pathlib import Path

import numpy as np

from songatlas.config.encoder_cards import Card
from songatlas.errors import SongatlasError
from songatlas.features.encoders.base import AudioEncoder, Layer, Setting, from_pretrained

BANDWIDTH_KBPS = 6.0
"""Of the bit rates a checkpoint knows, the largest up to this: eight codebooks at 24 kHz."""


class Encoder(AudioEncoder):
    """Three layers: `codes`, `quantised`, and last `continuous`.

    `codes` has, per codebook, the share of frames that have each code; `quantised` and
    `continuous` are means over time of the latents after and before quantisation.
    """

    def __init__(self, folder: Path, card: Card, setting: Setting) -> None:
        from transformers import EncodecFeatureExtractor, EncodecModel

        super().__init__(folder, card, setting)
        self.processor = EncodecFeatureExtractor.from_pretrained(folder, local_files_only=True)
        self.model = self.ready(from_pretrained(EncodecModel, folder, dtype=self.dtype))
        config = self.model.config
        if config.audio_channels != 1 or config.chunk_length_s is not None:
            raise SongatlasError(
                f"{folder}: only EnCodec for mono without chunks is supported (24 and 32 kHz)"
            )
        known = [rate for rate in config.target_bandwidths if rate <= BANDWIDTH_KBPS]
        self.bandwidth = max(known or config.target_bandwidths)
        self.codebook_size = config.codebook_size
        self.codebooks = self.model.quantizer.get_num_quantizers_for_bandwidth(self.bandwidth)
        self.layers = [
            Layer("codes", self.codebooks * self.codebook_size),
            Layer("quantised", config.hidden_size),
            Layer("continuous", config.hidden_size),
        ]

    def forward(self, clips: np.ndarray) -> list:
        from torch.nn.functional import one_hot

        inputs = self.processor(list(clips), sampling_rate=self.sample_rate_hz, return_tensors="pt")
        values = self.on_device(inputs)
        codes = self.model.encode(**values, bandwidth=self.bandwidth).audio_codes[0]
        latents = self.model.encoder(values["input_values"])
        quantised = self.model.quantizer.decode(codes.transpose(0, 1))
        shares = one_hot(codes, self.codebook_size).float().mean(dim=2).flatten(1)
        return [shares, quantised.float().mean(dim=2), latents.float().mean(dim=2)]
