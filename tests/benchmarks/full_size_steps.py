"""One optimiser step of every model at full size, and what the study's protocol takes.

    python tests/benchmarks/full_size_steps.py [--without-bf16] [model ...]

A step is forward, loss, backward, clipping and AdamW on 32 windows of 128 × 1292, in turns: as
training does it here (`auto` precision, channels_last where the model asks for it, fused AdamW,
freed memory kept), and as a plain loop does it (fp32, contiguous, AdamW as it comes), each in a
process of its own. `--without-bf16` keeps oneDNN to AVX2, as on a processor that does not compute
bf16: `auto` is then fp32. From the faster: hours for five seeds of 100 epochs over the study's
1,686 training windows and 211 of validation (a third of a step each).
"""

import argparse
import multiprocessing
import os
import sys
from multiprocessing.connection import Connection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

WITHOUT_BF16 = "--without-bf16" in sys.argv
if WITHOUT_BF16:
    # Before torch is imported, which asks for it once.
    os.environ["ONEDNN_MAX_CPU_ISA"] = "AVX2"
    os.environ["ATEN_CPU_CAPABILITY"] = "avx2"

import torch
from harness import in_turns, ratio, timed, write_json

from songatlas.config.yaml_files import load_yaml
from songatlas.run.memory import keep_freed_memory
from songatlas.models import registry
from songatlas.models.base import InputSpec, parameter_count
from songatlas.training.device import choose_precision

SPEC = InputSpec(n_mels=128, n_frames=1292, lyrics_dim=768, max_lines=32, descriptors_dim=200)
BATCH = 32
TURNS = 3
STUDY = ("basic_vae", "conv_vae", "beta_vae", "cvae_language", "cvae_genre", "vade", "vade_small")
STUDY += ("multimodal_vae", "autoencoder")
OTHERS = ("attention_vae", "contrastive_audio", "vq_vae", "hierarchical_vae")
TRAINING_STEPS, VALIDATION_STEPS = 53, 7
EPOCHS, SEEDS = 100, 5
CONFIGS = Path(__file__).resolve().parents[2] / "config"
MODELS = load_yaml(CONFIGS / "config.yaml", CONFIGS / "paper.yaml", CONFIGS / "latents.yaml").models
PRECISION = "32" if WITHOUT_BF16 else choose_precision("auto", "cpu")


def batch() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    db = torch.randn(BATCH, SPEC.n_mels, SPEC.n_frames)
    return {
        "mel": db.unsqueeze(1),
        "db": db,
        "pair": db.flip(0).unsqueeze(1),
        "pair_db": db.flip(0),
        "scale_db": torch.ones(BATCH),
        "has_mel": torch.ones(BATCH, dtype=torch.bool),
        "has_lyrics": torch.ones(BATCH, dtype=torch.bool),
        "row": torch.arange(BATCH),
        "track": torch.arange(BATCH) // 4,
        "lyrics": torch.randn(BATCH, SPEC.lyrics_dim),
        "lyrics_lines": torch.randn(BATCH, SPEC.max_lines, SPEC.lyrics_dim),
        "descriptors": torch.randn(BATCH, SPEC.descriptors_dim),
        "label": torch.arange(BATCH) % 3,
    }


class Worker:
    """A loop in a process of its own, since how memory is kept is the process's."""

    def __init__(self, name: str, *, fast: bool) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=work, args=(other, name, fast), daemon=True)
        self.process.start()
        self.parameters, self.convolutional = self.pipe.recv()

    def step_s(self) -> float:
        self.pipe.send(True)
        return float(self.pipe.recv())

    def close(self) -> None:
        self.pipe.send(False)
        self.process.join()


def work(pipe: Connection, name: str, fast: bool) -> None:
    if fast:
        keep_freed_memory()
    loop = Loop(name, batch(), fast=fast)
    pipe.send((parameter_count(loop.model), loop.model.channels_last))
    while pipe.recv():
        pipe.send(timed(loop.step))


class Loop:
    """A model with its optimiser, trained in one way."""

    def __init__(self, name: str, given: dict[str, torch.Tensor], *, fast: bool) -> None:
        torch.manual_seed(0)
        declared = MODELS[name]
        self.model = registry.build(declared.architecture, SPEC, 128, declared.options).train()
        self.bf16 = fast and PRECISION == "bf16-mixed"
        self.given = given
        if fast and self.model.channels_last:
            self.model.to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=1e-4, weight_decay=1e-4, fused=fast or None
        )

    def step(self) -> None:
        self.optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            done = self.model(self.given)
            terms = self.model.terms(self.given, done, kl_weight=0.5, scale="paper")
        terms["loss"].backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 0.5)
        self.optimizer.step()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=[*STUDY, *OTHERS])
    parser.add_argument("--without-bf16", action="store_true")
    parser.add_argument("--turns", type=int, default=TURNS)
    arguments = parser.parse_args()
    found: dict[str, dict[str, object]] = {}
    for name in arguments.models:
        plain, fast = Worker(name, fast=False), Worker(name, fast=True)
        times = in_turns({"plain": plain.step_s, "here": fast.step_s}, arguments.turns)
        steps = TRAINING_STEPS + VALIDATION_STEPS / 3
        found[name] = {
            "parameters": fast.parameters,
            "convolutional": fast.convolutional,
            **ratio(times["plain"], times["here"]),
            "protocol_hours": round(SEEDS * EPOCHS * times["here"].median * steps / 3600, 1),
        }
        print(name, found[name], flush=True)
        plain.close()
        fast.close()
    hours = [float(str(row["protocol_hours"])) for name, row in found.items() if name in STUDY]
    write_json(
        "steps_without_bf16" if WITHOUT_BF16 else "steps",
        {
            "threads": torch.get_num_threads(),
            "precision": PRECISION,
            "models": found,
            "protocol_hours_of_the_study": round(sum(hours), 1),
        },
    )


if __name__ == "__main__":
    main()
