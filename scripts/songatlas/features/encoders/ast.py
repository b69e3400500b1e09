"""AST, the Audio Spectrogram Transformer (Gong et al. 2021)."""

from pathlib import Path

import numpy as np

from songatlas.config.encoder_cards import Card
from songatlas.features.encoders.base import (
    AudioEncoder,
    Layer,
    Setting,
    from_pretrained,
    layers_named,
    token_means,
)

SPECIAL_TOKENS = 2
"""Class and distillation token, before the patches."""


class Encoder(AudioEncoder):
    """Patches after each block, averaged, then the model's pooled result."""

    def __init__(self, folder: Path, card: Card, setting: Setting) -> None:
        from transformers import ASTFeatureExtractor, ASTModel

        super().__init__(folder, card, setting)
        self.processor = ASTFeatureExtractor.from_pretrained(folder, local_files_only=True)
        self.model = self.ready(from_pretrained(ASTModel, folder, dtype=self.dtype))
        config = self.model.config
        dims = [config.hidden_size] * (config.num_hidden_layers + 1)
        self.layers = [*layers_named("block", dims), Layer("pooled", config.hidden_size)]

    def forward(self, clips: np.ndarray) -> list:
        inputs = self.processor(list(clips), sampling_rate=self.sample_rate_hz, return_tensors="pt")
        found = self.model(**self.on_device(inputs), output_hidden_states=True)
        patches = [state[:, SPECIAL_TOKENS:] for state in found.hidden_states]
        return [*token_means(patches), found.pooler_output]
