"""Hidden states of stacks of blocks whose callers were written for transformers 4."""

from collections.abc import Callable
from typing import Any

STACKS = ("Wav2Vec2ConformerEncoder", "HubertEncoder", "HubertEncoderStableLayerNorm")
"""Classes of transformers that other people's code calls by themselves."""

ASIDE = ("output_attentions", "return_dict")
"""What such code asks for beside, and is not needed here."""


def mend(model: Any) -> None:
    """Let code that was written for transformers 4 have its hidden states under transformers 5.

    There a stack of blocks that is asked for them by itself no longer returns them: what goes into
    every block, and the result. Configs that are plain mappings say how attention is computed.
    """
    for module in model.modules():
        config = getattr(module, "config", None)
        if isinstance(config, dict) and "_attn_implementation" not in config:
            config._attn_implementation = "eager"  # type: ignore[attr-defined]
        if type(module).__name__ in STACKS:
            module.forward = _with_hidden_states(module, module.forward)


def _with_hidden_states(stack: Any, forward: Callable[..., Any]) -> Callable[..., Any]:
    from transformers.modeling_outputs import BaseModelOutput

    def with_hidden_states(*inputs: Any, output_hidden_states: bool = False, **named: Any) -> Any:
        named = {key: value for key, value in named.items() if key not in ASIDE}
        states: list[Any] = []
        hooks = [
            layer.register_forward_pre_hook(lambda _, given: states.append(given[0]))
            for layer in stack.layers
        ]
        try:
            last = forward(*inputs, **named)[0]
        finally:
            for hook in hooks:
                hook.remove()
        return BaseModelOutput(last_hidden_state=last, hidden_states=(*states, last))

    return with_hidden_states
