"""One optimiser step of every model of the study at full size, and what its protocol takes.

    python tests/benchmarks/full_size_steps.py [model ...]

A step is forward, loss, backward, clipping and AdamW on 32 windows of 128 × 1292, as training does
it here (bf16 autocast and channels_last where the processor computes bf16) and as a plain loop does
it (fp32, contiguous), in turns. From the faster: hours for five seeds of 100 epochs over the
study's 1,686 training windows and 211 of validation (a third of a step each).
"""

import os
import statistics
import sys
import time
from pathlib import Path

import torch

from songatlas import config
from songatlas.models import registry
from songatlas.models.base import InputSpec, parameter_count
from songatlas.training.device import choose_precision

SPEC = InputSpec(n_mels=128, n_frames=1292, lyrics_dim=768, max_lines=32)
BATCH = 32
TURNS = 3
STUDY = ("basic_vae", "conv_vae", "beta_vae", "cvae_language", "cvae_genre", "vade", "vade_small")
STUDY += ("multimodal_vae", "autoencoder")
TRAINING_STEPS, VALIDATION_STEPS = 53, 7
EPOCHS, SEEDS = 100, 5
CONFIGS = Path(__file__).resolve().parents[2] / "config"
MODELS = config.load_yaml(CONFIGS / "config.yaml", CONFIGS / "paper.yaml").models


def batch() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    db = torch.randn(BATCH, SPEC.n_mels, SPEC.n_frames)
    return {
        "mel": db.unsqueeze(1),
        "db": db,
        "scale_db": torch.ones(BATCH),
        "has_mel": torch.ones(BATCH, dtype=torch.bool),
        "has_lyrics": torch.ones(BATCH, dtype=torch.bool),
        "row": torch.arange(BATCH),
        "track": torch.arange(BATCH) // 4,
        "lyrics": torch.randn(BATCH, SPEC.lyrics_dim),
        "lyrics_lines": torch.randn(BATCH, SPEC.max_lines, SPEC.lyrics_dim),
        "label": torch.arange(BATCH) % 3,
    }


class Loop:
    """A model with its optimiser, trained in one way."""

    def __init__(self, name: str, given: dict[str, torch.Tensor], *, fast: bool) -> None:
        torch.manual_seed(0)
        declared = MODELS[name]
        self.model = registry.build(declared.architecture, SPEC, 128, declared.options).train()
        self.fast = fast and choose_precision("auto", "cpu") == "bf16-mixed"
        self.given = dict(given)
        if fast and self.model.channels_last:
            self.model.to(memory_format=torch.channels_last)
            self.given["mel"] = given["mel"].contiguous(memory_format=torch.channels_last)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-4, weight_decay=1e-4)

    def step_s(self) -> float:
        began = time.perf_counter()
        self.optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.fast):
            done = self.model(self.given)
            terms = self.model.terms(self.given, done, kl_weight=0.5, scale="paper")
        terms["loss"].backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 0.5)
        self.optimizer.step()
        return time.perf_counter() - began


def main(names: list[str]) -> None:
    given = batch()
    print(f"{torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f}, 'auto' is "
          f"{choose_precision('auto', 'cpu')}")  # fmt: skip
    print("| model | parameters | step here, s | plain fp32 step, s | ratio | protocol, hours |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    total_h = 0.0
    for name in names:
        ways = [Loop(name, given, fast=True), Loop(name, given, fast=False)]
        for way in ways:
            way.step_s()
        times = [[way.step_s() for way in ways] for _ in range(TURNS)]
        here_s, plain_s = (statistics.median(column) for column in zip(*times, strict=True))
        hours = SEEDS * EPOCHS * here_s * (TRAINING_STEPS + VALIDATION_STEPS / 3) / 3600
        total_h += hours
        print(f"| {name} | {parameter_count(ways[0].model):,} | {here_s:.2f} | {plain_s:.2f} | "
              f"{plain_s / here_s:.1f} | {hours:.1f} |", flush=True)  # fmt: skip
    print(f"| all | | | | | {total_h:.0f} |")


if __name__ == "__main__":
    main(sys.argv[1:] or list(STUDY))
