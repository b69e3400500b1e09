"""Loss curves of bf16 and fp32, five epochs on the windows of real songs, from the same seed.

    python tests/benchmarks/precision.py [folder of MP3 files]

Training is what the rule `train` calls, at full size; validation loss at every epoch. On a
processor or GPU that does not compute bf16 there is nothing to compare.
"""

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import extraction
import numpy as np
import torch
from harness import ROOT, write_json

from songatlas import tables
from songatlas.config.yaml_files import load_yaml
from songatlas.run.memory import keep_freed_memory
from songatlas.models.base import InputSpec
from songatlas.training.data import Windows
from songatlas.training.device import choose_device, choose_precision
from songatlas.training.fit import train
from songatlas.training.weights import Description

EPOCHS = 5
MODELS = ("conv_vae", "attention_vae", "basic_vae")


def windows_of(folder: Path, part: Path) -> Windows:
    """Log-mel spectrograms of all songs; every fifth song is for validation."""
    songs = extraction.songs_in(folder)
    extraction.ours(songs, None, part)
    ids, values = tables.read_feature([part])
    tracks = [window_id.rsplit("-", 1)[0] for window_id in ids]
    number = {track: i for i, track in enumerate(dict.fromkeys(tracks))}
    return Windows(
        tuple(ids),
        tuple(tracks),
        tuple("validation" if number[track] % 5 == 4 else "train" for track in tracks),
        torch.from_numpy(np.array(values)),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=extraction.DEFAULT)
    parser.add_argument("--models", nargs="*", default=list(MODELS))
    arguments = parser.parse_args()
    keep_freed_memory()
    device = choose_device("auto")
    if choose_precision("auto", device) != "bf16-mixed":
        raise SystemExit(f"{device} does not compute bf16: nothing to compare")
    settings = load_yaml(ROOT / "config" / "config.yaml", ROOT / "config" / "latents.yaml")
    with tempfile.TemporaryDirectory() as name:
        windows = windows_of(arguments.folder, Path(name) / "logmel.parquet")
    found: dict[str, object] = {}
    for model in arguments.models:
        declared = settings.models[model]
        curves = {}
        for precision in ("32", "bf16-mixed"):
            training = settings.training.model_copy(
                update={"max_epochs": EPOCHS, "precision": precision}
            )
            description = Description(
                declared.architecture,
                InputSpec(128, 1292, 0, 0),
                declared.latent_dim,
                declared.options,
            )
            trained = train(
                windows,
                description,
                training,
                settings.loss,
                name=model,
                beta=declared.beta,
                seed=0,
            )
            history = trained.history
            rows = history[(history["metric"] == "loss") & history["unit"].isna()]
            curves[precision] = {
                split: rows[rows["split"] == split].sort_values("epoch")["value"].tolist()
                for split in ("train", "validation")
            }
        last = {
            split: abs(curves["bf16-mixed"][split][-1] / curves["32"][split][-1] - 1)
            for split in ("train", "validation")
        }
        found[model] = {"curves": curves, "difference_after_5_epochs": last}
        print(model, last, flush=True)
    write_json(
        "precision",
        {"device": device, "windows": len(windows), "scale": settings.loss.scale, "models": found},
    )


if __name__ == "__main__":
    main()
