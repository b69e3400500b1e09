"""CLAP (Wu et al. 2023): audio and text in one space."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from songatlas.config.encoder_cards import Card
from songatlas.errors import SongatlasError
from songatlas.features.encoders.base import JointEncoder, Layer, Setting, from_pretrained

TEXTS_AT_ONCE = 64


class Encoder(JointEncoder):
    """Stages of the audio branch, its pooled result, and last the joint space at unit length."""

    def __init__(self, folder: Path, card: Card, setting: Setting) -> None:
        from transformers import ClapModel, ClapProcessor

        super().__init__(folder, card, setting)
        self.processor = ClapProcessor.from_pretrained(folder, local_files_only=True)
        self.model = self.ready(from_pretrained(ClapModel, folder, dtype=self.dtype))
        config = self.model.config.audio_config
        if config.enable_fusion:
            raise SongatlasError(
                f"{folder}: CLAP with fusion draws its excerpts at random; take an unfused one"
            )
        stages = len(config.depths)
        first = config.patch_embeds_hidden_size
        dims = [first, *(first * 2 ** min(i + 1, stages - 1) for i in range(stages))]
        self.layers = [
            *(Layer(f"stage {index}", dim) for index, dim in enumerate(dims)),
            Layer("pooled", config.hidden_size),
            Layer("joint", self.model.config.projection_dim),
        ]

    def forward(self, clips: np.ndarray) -> list:
        inputs = self.processor.feature_extractor(
            list(clips), sampling_rate=self.sample_rate_hz, return_tensors="pt"
        )
        found = self.model.audio_model(**self.on_device(inputs), output_hidden_states=True)
        joint = self.model.audio_projection(found.pooler_output).float()
        joint = joint / joint.norm(dim=-1, keepdim=True)
        # (b, channels, frequency, time): the whole excerpt is one picture to this transformer.
        stages = [state.float().mean(dim=(2, 3)) for state in found.hidden_states]
        return [*stages, found.pooler_output, joint]

    def embed_text(self, texts: Sequence[str]) -> np.ndarray:
        import torch

        parts = []
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            inputs = self.processor.tokenizer(
                list(texts[start : start + TEXTS_AT_ONCE]),
                padding=True,
                truncation=True,
                return_tensors="pt",
            )
            with torch.inference_mode():
                found = self.model.get_text_features(
                    input_ids=inputs["input_ids"].to(self.setting.device),
                    attention_mask=inputs["attention_mask"].to(self.setting.device),
                )
            parts.append(found.pooler_output.float().cpu().numpy())
        dim = self.layers[-1].dim
        return np.concatenate(parts) if parts else np.zeros((0, dim), np.float32)
