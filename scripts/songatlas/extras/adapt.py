"""LoRA: small matrices beside a frozen encoder's own, trained on the corpus without labels.

Hu et al. 2022 (arXiv:2106.09685), through the package `peft`; the objective is NT-Xent (Chen et al.
2020): two windows of one song attract each other and repel those of the other songs of a batch.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from songatlas import tables
from songatlas.config.features import Adaptation, Pretrained
from songatlas.corpus.sound.decode import AudioError, decode_windows
from songatlas.errors import SongatlasError
from songatlas.features.encoders.adapter import CONFIG, WEIGHTS, needed_peft
from songatlas.features.encoders.base import AudioEncoder
from songatlas.features.encoders.load import load_encoder
from songatlas.files import atomic
from songatlas.run.jobs import progress

logger = logging.getLogger(__name__)

HISTORY = "history.csv"


def adapt(
    name: str,
    settings: Pretrained,
    adaptation: Adaptation,
    songs: pd.DataFrame,
    length_s: float,
    output: str | Path,
) -> str:
    """Train LoRA weights of an encoder on songs, and write them into the folder `output`.

    Args:
        songs: columns `track_id`, `audio_path`, `start_s`, one row per window; songs of a single
            window are left out.
        length_s: of a window.

    Returns:
        Loss and accuracy at the end, in words.

    Raises:
        SongatlasError: when peft is not installed, nothing of the encoder can be adapted, or there
            are not two songs of two windows.
    """
    import torch

    # Half precision is for what is frozen: AdamW's steps would vanish in it.
    encoder = load_encoder(name, settings.model_copy(update={"half_precision": False}))
    inject(encoder, adaptation)
    trained = [p for p in encoder.model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=adaptation.learning_rate)
    rng = np.random.default_rng(adaptation.seed)
    starts = {
        (str(track), str(path)): sorted(own)
        for (track, path), own in songs.groupby(["track_id", "audio_path"])["start_s"]
        if len(own) > 1
    }
    if len(starts) < 2:
        raise SongatlasError(
            f"adaptation: {len(starts)} training songs have two windows, two are needed; shorten "
            "windows.hop_s, add songs, or leave `adapted` out"
        )
    history = []
    _train_adapters(encoder)
    torch.manual_seed(adaptation.seed)
    for step in progress(range(adaptation.steps), f"adapting {name}", unit="step"):
        pairs = _batch(encoder, starts, adaptation.songs_per_step, length_s, rng)
        loss, accuracy = _loss(encoder, pairs, adaptation.temperature)
        if step == 0 and not loss.requires_grad:
            raise _unreached(name)
        optimiser.zero_grad()
        loss.backward()
        if step == 0 and not _has_gradients(encoder):
            raise _unreached(name)
        optimiser.step()
        history.append((step, float(loss.detach()), accuracy))
    encoder.model.eval()
    save(encoder, output, pd.DataFrame(history, columns=["step", "loss", "accuracy"]))
    last = history[-max(len(history) // 10, 1) :]
    means = np.mean([row[1:] for row in last], axis=0)
    n = sum(p.numel() for p in trained)
    return f"{n:,} weights, loss {means[0]:.3f}, accuracy {means[1]:.2f} over the last steps"


def inject(encoder: AudioEncoder, adaptation: Adaptation) -> None:
    """Put untrained LoRA matrices beside the attention layers of an encoder's audio part.

    Raises:
        SongatlasError: when peft is not installed or no layer has one of the names.
    """
    import torch

    peft = needed_peft()
    targets = [
        name
        for name, module in encoder.model.named_modules()
        if isinstance(module, torch.nn.Linear)
        and name.rpartition(".")[2] in adaptation.targets
        and "text" not in name
    ]
    if not targets:
        raise SongatlasError(
            f"adaptation.targets: no linear layer of `{encoder.card.name}` is called "
            f"{', '.join(adaptation.targets)}; name its attention layers"
        )
    config = peft.LoraConfig(
        r=adaptation.rank,
        lora_alpha=adaptation.alpha,
        lora_dropout=adaptation.dropout,
        target_modules=targets,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(adaptation.seed)
        peft.inject_adapter_in_model(config, encoder.model)
    for name, parameter in encoder.model.named_parameters():
        parameter.requires_grad_("lora_" in name)
    encoder.model.to(encoder.setting.device)


def save(encoder: AudioEncoder, folder: str | Path, history: pd.DataFrame) -> None:
    """Write the adapter in peft's format, and the course of its training beside it."""
    from safetensors.torch import save_file

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    state = needed_peft().get_peft_model_state_dict(encoder.model)
    tensors = {key: value.detach().cpu().contiguous() for key, value in state.items()}
    with atomic(folder / WEIGHTS) as temporary:
        save_file(tensors, temporary)
    config = encoder.model.peft_config["default"]
    with atomic(folder / CONFIG) as temporary:
        import json

        listed = {
            key: sorted(value) if isinstance(value, set) else value
            for key, value in config.to_dict().items()
        }
        temporary.write_text(json.dumps(listed, indent=1, sort_keys=True, default=str) + "\n")
    with atomic(folder / HISTORY) as temporary:
        history.to_csv(temporary, index=False)


def training_windows(shards: Sequence[str | Path], windows_path: str | Path) -> pd.DataFrame:
    """Windows of the training songs with where they lie: what `adapt` reads."""
    frames = [tables.read(path, tables.SHARD) for path in shards]
    windows = tables.read(windows_path, tables.WINDOWS, columns=["window_id", "split"])
    split = windows.set_index("window_id")["split"]
    rows = pd.concat(frames, ignore_index=True)
    return rows[rows["window_id"].map(split) == "train"].reset_index(drop=True)


def _batch(
    encoder: AudioEncoder,
    starts: dict[tuple[str, str], list[float]],
    songs: int,
    length_s: float,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Two windows of each of some songs, each (songs, samples)."""
    known = list(starts)
    pairs: list[list[np.ndarray]] = []
    for at in rng.permutation(len(known)):
        own = starts[known[at]]
        two = sorted(rng.choice(len(own), 2, replace=False))
        try:
            path = known[at][1]
            chosen = [own[i] for i in two]
            pairs.append(list(decode_windows(path, encoder.sample_rate_hz, chosen, length_s)))
        except AudioError as error:
            logger.warning("left out: %s", error)
            del starts[known[at]]
        if len(pairs) == songs:
            break
    if len(pairs) < 2:
        raise SongatlasError("adaptation: fewer than two training songs can be decoded")
    one, other = (np.stack([pair[side] for pair in pairs]) for side in (0, 1))
    return one, other


def _train_adapters(encoder: AudioEncoder) -> None:
    """Training mode for the added matrices alone: what is frozen drops and masks nothing."""
    encoder.model.eval()
    for name, module in encoder.model.named_modules():
        if name.rpartition(".")[0].endswith("lora_dropout"):
            module.train()


def _loss(
    encoder: AudioEncoder, pairs: tuple[np.ndarray, np.ndarray], temperature: float
) -> tuple[Any, float]:
    from songatlas.models.contrastive_audio import nt_xent

    one, other = (_last_layer(encoder, windows) for windows in pairs)
    loss, accuracy = nt_xent(one, other, temperature)
    return loss, float(accuracy)


def _last_layer(encoder: AudioEncoder, windows: np.ndarray) -> Any:
    """The last layer of windows (b, samples), with gradients: the mean over their clips."""
    parts = [
        (end - start, encoder.forward(windows[:, start:end])[-1].float())
        for start, end in encoder.clips(windows.shape[1])
    ]
    return sum(weight * part for weight, part in parts) / sum(weight for weight, _ in parts)


def _has_gradients(encoder: AudioEncoder) -> bool:
    """Whether the added matrices have any effect (the first ones alone, while the others are 0)."""
    return any(
        p.grad is not None and bool(p.grad.abs().max() > 0)
        for key, p in encoder.model.named_parameters()
        if "lora_B" in key
    )


def _unreached(name: str) -> SongatlasError:
    return SongatlasError(
        f"adaptation: LoRA matrices change nothing in `{name}`, whose attention reads the weights "
        "of its layers itself; choose another encoder or other adaptation.targets"
    )
