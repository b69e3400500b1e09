"""MuQ (Zhu et al. 2025) through the package `muq`."""

from pathlib import Path

import numpy as np

from songatlas.config.encoder_cards import Card
from songatlas.features.encoders.base import AudioEncoder, Setting, layers_named, token_means
from songatlas.features.encoders.hidden_states import mend


class Encoder(AudioEncoder):
    """Hidden states before the first block and after each. Its authors warn of half precision."""

    def __init__(self, folder: Path, card: Card, setting: Setting) -> None:
        from muq import MuQ

        super().__init__(folder, card, Setting(setting.device, False, setting.batch_size))
        self.model = self.ready(MuQ.from_pretrained(str(folder), local_files_only=True))
        mend(self.model)
        config = self.model.config
        self.layers = layers_named("block", [config.encoder_dim] * (config.encoder_depth + 1))

    def forward(self, clips: np.ndarray) -> list:
        import torch

        values = torch.from_numpy(clips).to(self.setting.device)
        return token_means(self.model(values, output_hidden_states=True).hidden_states)
