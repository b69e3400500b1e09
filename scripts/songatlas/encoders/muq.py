"""MuQ (Zhu et al. 2025) through the package `muq`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from songatlas.encoders.base import AudioEncoder, Setting, layers_named, token_means
from songatlas.encoders.cards import Card


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


def mend(model: Any) -> None:
    """Give `muq` 0.1.0, which was written for transformers 4, what transformers 5 no longer does.

    Configs say how attention is computed, and a conformer that is asked for hidden states by itself
    returns them: what goes into every block, and the result.
    """
    for module in model.modules():
        config = getattr(module, "config", None)
        if isinstance(config, dict) and "_attn_implementation" not in config:
            config._attn_implementation = "eager"  # type: ignore[attr-defined]
        if type(module).__name__ == "Wav2Vec2ConformerEncoder":
            module.forward = _with_hidden_states(module, module.forward)


def _with_hidden_states(conformer: Any, forward: Callable[..., Any]) -> Callable[..., Any]:
    def with_hidden_states(*inputs: Any, output_hidden_states: bool = False, **named: Any) -> Any:
        states: list[Any] = []
        hooks = [
            layer.register_forward_pre_hook(lambda _, given: states.append(given[0]))
            for layer in conformer.layers
        ]
        try:
            last = forward(*inputs, **named).last_hidden_state
        finally:
            for hook in hooks:
                hook.remove()
        return {"last_hidden_state": last, "hidden_states": (*states, last)}

    return with_hidden_states
