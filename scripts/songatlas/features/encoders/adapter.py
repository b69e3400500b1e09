"""LoRA weights on a loaded encoder (`extras/adapt.py` trains them)."""

from pathlib import Path
from typing import Any

from songatlas.errors import SongatlasError
from songatlas.features.encoders.base import AudioEncoder

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"


def with_adapter(encoder: AudioEncoder, folder: str | Path) -> AudioEncoder:
    """The encoder with the LoRA weights of a folder.

    Raises:
        SongatlasError: when peft is not installed, or the weights are another encoder's.
    """
    import json

    from safetensors.torch import load_file

    peft, folder = needed_peft(), Path(folder)
    said = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    config = peft.LoraConfig(
        r=said["r"], lora_alpha=said["lora_alpha"], target_modules=said["target_modules"]
    )
    peft.inject_adapter_in_model(config, encoder.model)
    result = peft.set_peft_model_state_dict(encoder.model, load_file(folder / WEIGHTS))
    missing = [key for key in result.missing_keys if "lora_" in key]
    if missing or result.unexpected_keys:
        raise SongatlasError(
            f"{folder}: these LoRA weights are not `{encoder.card.name}`'s "
            f"({(missing or result.unexpected_keys)[0]}); delete the folder and run again"
        )
    encoder.model = encoder.ready(encoder.model)
    return encoder


def needed_peft() -> Any:
    try:
        import peft
    except ModuleNotFoundError:
        raise SongatlasError(
            "adaptation needs the package `peft`, which is not installed: pip install peft, or "
            "leave `adapted` out"
        ) from None
    return peft
