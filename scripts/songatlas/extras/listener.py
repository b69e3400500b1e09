"""Qwen2-Audio (Chu et al. 2024, arXiv:2407.10759), the whole model, which writes what it hears."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from songatlas.config import encoder_cards as cards
from songatlas.config.features import Pretrained
from songatlas.features.encoders.base import check_family, from_pretrained, on_device
from songatlas.features.encoders.load import load_whole

EXCERPT_S = 30.0
"""The longest that it hears at once."""


class Listener:
    """A Qwen2-Audio checkpoint on a device, in bfloat16 on CUDA (as it is published)."""

    def __init__(self, folder: Path, device: str, *, half: bool, chat: bool) -> None:
        """Load the checkpoint of a folder; nothing is fetched.

        Args:
            folder: of the checkpoint, language model and tokenizer included.
            device: as torch names it.
            half: compute in bfloat16.
            chat: the checkpoint was tuned to follow instructions in a chat; otherwise it goes on
                with the text that stands behind the sound.

        Raises:
            SongatlasError: when weights are missing.
            OSError, ValueError: when a file is missing or is something else.
        """
        from transformers import Qwen2AudioForConditionalGeneration, Qwen2AudioProcessor

        check_family(Qwen2AudioForConditionalGeneration.config_class, folder)
        self.device, self.chat = device, chat
        self.dtype = torch.bfloat16 if half else torch.float32
        self.processor: Any = Qwen2AudioProcessor.from_pretrained(folder, local_files_only=True)
        model = from_pretrained(Qwen2AudioForConditionalGeneration, folder, dtype=self.dtype)
        self.model: Any = model.to(device).eval()
        self.sample_rate_hz = int(self.processor.feature_extractor.sampling_rate)

    def prompt(self, request: str, measured: str) -> str:
        """What stands around the sound: the request, and what was measured of the song."""
        text = f"{request} Measured: {measured}" if measured else request
        if not self.chat:
            one = self.processor
            return f"{one.audio_bos_token}{one.audio_token}{one.audio_eos_token}{text}\n"
        asked = [{"type": "audio", "audio_url": "song"}, {"type": "text", "text": text}]
        return str(
            self.processor.apply_chat_template(
                [{"role": "user", "content": asked}], add_generation_prompt=True, tokenize=False
            )
        )

    @torch.inference_mode()
    def describe(self, wave: np.ndarray, request: str, measured: str, tokens: int) -> str:
        """What it writes of `wave`, greedily, at most `tokens` tokens.

        Args:
            wave: float32 mono of shape (samples,) at `sample_rate_hz`; what is longer than
                `EXCERPT_S` is not heard.
            request: what it is asked for.
            measured: facts that it is told.
            tokens: the most that it may write.
        """
        inputs = self.processor(
            text=self.prompt(request, measured),
            audio=[wave[: round(EXCERPT_S * self.sample_rate_hz)]],
            sampling_rate=self.sample_rate_hz,
            return_tensors="pt",
        )
        values = on_device(inputs, self.device, self.dtype)
        found = self.model.generate(**values, max_new_tokens=tokens, do_sample=False, num_beams=1)
        new = found[0, inputs["input_ids"].shape[1] :]
        text = self.processor.tokenizer.decode(new, skip_special_tokens=True)
        return " ".join(text.split())


def load_listener(name: str, settings: Pretrained) -> Listener:
    """The checkpoint of a card whose model writes, or what `pretrained.weights` gives for it.

    Raises:
        SongatlasError: when its weights are not on this machine, or do not load.
    """
    chat = cards.card(name).writes == "chat"
    return load_whole(
        name,
        settings,
        lambda folder, chosen: Listener(folder, chosen.device, half=chosen.half, chat=chat),
        "Qwen2-Audio",
    )
