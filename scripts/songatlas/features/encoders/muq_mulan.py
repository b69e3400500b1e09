"""MuQ-MuLan (Zhu et al. 2025) through the package `muq`: music and text in one space."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from songatlas.config.encoder_cards import Card
from songatlas.features.encoders.base import JointEncoder, Layer, Setting
from songatlas.features.encoders.hidden_states import mend


class Encoder(JointEncoder):
    """One layer, the joint space. Its authors warn of half precision."""

    def __init__(self, folder: Path, card: Card, setting: Setting) -> None:
        from muq import MuQMuLan

        super().__init__(folder, card, Setting(setting.device, False, setting.batch_size))
        self.model = self.ready(MuQMuLan.from_pretrained(str(folder), local_files_only=True))
        mend(self.model)
        self.layers = [Layer("joint", int(self.model.config.mulan.dim_latent))]

    def forward(self, clips: np.ndarray) -> list:
        import torch

        return [self.model(wavs=torch.from_numpy(clips).to(self.setting.device))]

    def embed_text(self, texts: Sequence[str]) -> np.ndarray:
        import torch

        if not texts:
            return np.zeros((0, self.layers[-1].dim), np.float32)
        with torch.inference_mode():
            found = self.model(texts=list(texts))
        return np.asarray(found.float().cpu().numpy())
