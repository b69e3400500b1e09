"""The audio tower of Qwen2-Audio (Chu et al. 2024), without its language model."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from songatlas.config.encoder_cards import Card
from songatlas.errors import SongatlasError
from songatlas.features.encoders.base import (
    AudioEncoder,
    Setting,
    check_family,
    layers_named,
    token_means,
)

STRIDE = 2
"""Frames of the spectrogram per token; the last layer pools two tokens into one."""

TOWER = ("audio_tower.", "model.audio_tower.")
"""How names of the tower's weights begin in files of the whole model."""


class Encoder(AudioEncoder):
    """Hidden states of every block, then the pooled result, over the tokens that hold sound."""

    def __init__(self, folder: Path, card: Card, setting: Setting) -> None:
        from transformers import Qwen2AudioConfig, Qwen2AudioEncoder, WhisperFeatureExtractor

        super().__init__(folder, card, setting)
        check_family(Qwen2AudioConfig, folder)
        self.processor = WhisperFeatureExtractor.from_pretrained(folder, local_files_only=True)
        config: Any = Qwen2AudioConfig.from_pretrained(folder, local_files_only=True).audio_config
        tower = Qwen2AudioEncoder(config)
        # Only the tower's tensors are read: the language model is twelve times as large.
        weights = _tower_weights(folder)
        missing, unknown = tower.load_state_dict(weights, strict=False)
        if missing or unknown:
            raise SongatlasError(
                f"{folder}: the weights of the audio tower do not fit its config "
                f"({(missing or unknown)[0]})"
            )
        self.model = self.ready(tower)
        dims = [config.d_model] * (config.encoder_layers + 1)
        self.layers = layers_named("block", dims)

    def forward(self, clips: np.ndarray) -> list:
        inputs = self.processor(list(clips), sampling_rate=self.sample_rate_hz, return_tensors="pt")
        values = self.on_device({"input_features": inputs["input_features"]})
        found = self.model(**values, output_hidden_states=True)
        heard = math.ceil(clips.shape[1] / (self.processor.hop_length * STRIDE))
        before = token_means(found.hidden_states[:-1], heard)
        return [*before, *token_means([found.last_hidden_state], math.ceil(heard / 2))]


def _tower_weights(folder: Path) -> dict:
    """Tensors of the audio tower out of the model's files."""
    from safetensors import safe_open

    index = folder / "model.safetensors.index.json"
    if index.is_file():
        places = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        names = sorted({file for key, file in places.items() if key.startswith(TOWER)})
    else:
        names = ["model.safetensors"]
    found = {}
    for name in names:
        with safe_open(folder / name, "pt") as file:
            for key in file.keys():  # noqa: SIM118 - safetensors' files are no mappings
                start = next((start for start in TOWER if key.startswith(start)), None)
                if start is not None:
                    found[key.removeprefix(start)] = file.get_tensor(key).float()
    return found
