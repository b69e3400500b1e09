"""Random states of a training, and seeds of its epochs."""

import numpy as np
import torch
from torch import Tensor


def random_state(device: torch.device) -> list[Tensor]:
    """State of what draws on the CPU and, where it is another, on the device."""
    states = [torch.get_rng_state()]
    if device.type == "cuda":
        states.append(torch.cuda.get_rng_state(device))
    elif device.type == "mps":
        states.append(torch.mps.get_rng_state())
    return states


def set_random_state(states: list[Tensor], device: torch.device) -> None:
    torch.set_rng_state(states[0])
    if device.type == "cuda":
        torch.cuda.set_rng_state(states[1], device)
    elif device.type == "mps":
        torch.mps.set_rng_state(states[1])


def epoch_seed(seed: int, epoch: int, of_rank: int = 0) -> int:
    """Rank 0 draws what a process alone would, the others something else."""
    others = [of_rank] if of_rank else []
    return int(np.random.SeedSequence([seed, epoch, *others]).generate_state(1)[0])
