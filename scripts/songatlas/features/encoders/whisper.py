"""The encoder of Whisper (Radford et al. 2022)."""

import math
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

STRIDE = 2
"""Frames of the spectrogram per token: the second convolution's."""


class Encoder(AudioEncoder):
    """Hidden states of every block over the tokens that hold sound, not the padding to 30 s."""

    def __init__(self, folder: Path, card: Card, setting: Setting) -> None:
        from transformers import WhisperFeatureExtractor, WhisperModel

        super().__init__(folder, card, setting)
        self.processor = WhisperFeatureExtractor.from_pretrained(folder, local_files_only=True)
        whole = from_pretrained(WhisperModel, folder, dtype=self.dtype)
        self.model = self.ready(whole.get_encoder())
        config = self.model.config
        self.layers = layers_named("block", [config.d_model] * (config.encoder_layers + 1))

    def forward(self, clips: np.ndarray) -> list:
        inputs = self.processor(list(clips), sampling_rate=self.sample_rate_hz, return_tensors="pt")
        values = self.on_device({"input_features": inputs["input_features"]})
        found = self.model(**values, output_hidden_states=True)
        heard = math.ceil(clips.shape[1] / (self.processor.hop_length * STRIDE))
        return token_means(found.hidden_states, heard)
