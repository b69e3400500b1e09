"""MERT (Li et al. 2024): HuBERT on music, at 24 kHz.

Version 1 is HuBERT's architecture under a class of its repository's own, written for transformers
4. Here transformers' HuBERT is given its weights, so that no code of the repository runs. Where the
config names MERT in `pretrained.remote_code`, that code runs instead; variants that HuBERT is not
(constant-Q input, deep normalisation) need it.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from songatlas.config.encoder_cards import Card
from songatlas.errors import SongatlasError
from songatlas.features.encoders.base import (
    AudioEncoder,
    Setting,
    from_pretrained,
    layers_named,
    token_means,
)
from songatlas.features.encoders.hidden_states import mend

BEYOND_HUBERT = ("feature_extractor_cqt", "deepnorm")
"""Switches of its config that change the architecture."""

ITS_OWN = ("model_type", "architectures", "auto_map")
"""What its config says of its own classes."""


class Encoder(AudioEncoder):
    """Hidden states before the first block and after each; the last is the model's own result."""

    def __init__(self, folder: Path, card: Card, setting: Setting) -> None:
        from transformers import Wav2Vec2FeatureExtractor

        super().__init__(folder, card, setting)
        self.processor = Wav2Vec2FeatureExtractor.from_pretrained(folder, local_files_only=True)
        self.model = self.ready(self.own() if setting.runs_remote_code else self.ported())
        config = self.model.config
        self.layers = layers_named("block", [config.hidden_size] * (config.num_hidden_layers + 1))

    def ported(self) -> Any:
        """Its weights in HuBERT's classes."""
        from transformers import HubertConfig, HubertModel

        stated = json.loads((self.folder / "config.json").read_text(encoding="utf-8"))
        beyond = [key for key in BEYOND_HUBERT if stated.get(key)]
        if beyond:
            raise SongatlasError(
                f"{self.folder}: this MERT has {beyond[0]}, which HuBERT has not: read the code "
                f"that comes with it, then add `{self.card.name}` to pretrained.remote_code"
            )
        kept = {key: value for key, value in stated.items() if key not in ITS_OWN}
        return from_pretrained(
            HubertModel, self.folder, config=HubertConfig(**kept), dtype=self.dtype
        )

    def own(self) -> Any:
        """The class that comes with the weights."""
        from transformers import AutoModel

        model = from_pretrained(
            AutoModel,
            self.folder,
            dtype=self.dtype,
            trust_remote_code=self.setting.runs_remote_code,
        )
        mend(model)
        return model

    def forward(self, clips: np.ndarray) -> list:
        inputs = self.processor(list(clips), sampling_rate=self.sample_rate_hz, return_tensors="pt")
        values = self.on_device({"input_values": inputs["input_values"]})
        found = self.model(**values, output_hidden_states=True)
        # Where blocks normalise what they are given, the result is normalised once more at the end.
        return token_means([*found.hidden_states[:-1], found.last_hidden_state])
