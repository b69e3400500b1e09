"""Wav2Vec2, XLS-R, HuBERT and WavLM: transformers over convolutions of the waveform.

Baevski et al. 2020, Babu et al. 2021, Hsu et al. 2021, Chen et al. 2022.
"""

from pathlib import Path

import numpy as np

from songatlas.config.encoder_cards import Card
from songatlas.features.encoders.base import (
    AudioEncoder,
    Setting,
    from_pretrained,
    layers_named,
    token_means,
)


class Encoder(AudioEncoder):
    """Hidden states before the first block and after each; the last is the model's own result."""

    def __init__(self, folder: Path, card: Card, setting: Setting) -> None:
        from transformers import AutoModel, Wav2Vec2FeatureExtractor

        super().__init__(folder, card, setting)
        self.processor = Wav2Vec2FeatureExtractor.from_pretrained(folder, local_files_only=True)
        self.model = self.ready(from_pretrained(AutoModel, folder, dtype=self.dtype))
        config = self.model.config
        self.layers = layers_named("block", [config.hidden_size] * (config.num_hidden_layers + 1))

    def forward(self, clips: np.ndarray) -> list:
        inputs = self.processor(list(clips), sampling_rate=self.sample_rate_hz, return_tensors="pt")
        # Clips of a batch are equally long: there is no padding to mask.
        values = self.on_device({"input_values": inputs["input_values"]})
        found = self.model(**values, output_hidden_states=True)
        # Where blocks normalise what they are given, the result is normalised once more at the end.
        return token_means([*found.hidden_states[:-1], found.last_hidden_state])
