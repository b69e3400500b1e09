"""Lyrics through a pretrained text encoder from Hugging Face, mean-pooled over tokens."""

import logging
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from songatlas.errors import SongatlasError

logger = logging.getLogger(__name__)

CHUNKS_AT_ONCE = 16


class HuggingFaceEncoder:
    """A frozen encoder such as `xlm-roberta-base`; its weights must already be on this machine.

    A text's vector is the mean of the last hidden states over its tokens (those that are no
    padding). A text longer than `max_tokens` is encoded in chunks, which count by their tokens.

    Args:
        name: repository on the Hugging Face Hub, or a local folder in its format.
        max_tokens: tokens per chunk, special ones included; lowered to what the model can take.
        revision: commit, tag or branch of the repository.
        trust_remote_code: run code that comes with the model, and say so.
        cache_dir: where weights lie (default: `HF_HUB_CACHE`, else `HF_HOME`/hub).
        device: `auto` takes CUDA when there, else Apple MPS, else the CPU.

    Raises:
        SongatlasError: when the weights are not there, naming the command that fetches them. The
            network is never used.
    """

    def __init__(
        self,
        name: str,
        max_tokens: int = 512,
        revision: str | None = None,
        trust_remote_code: bool = False,
        cache_dir: str | Path | None = None,
        device: str = "auto",
    ) -> None:
        import torch
        from safetensors import SafetensorError
        from transformers import AutoModel, AutoTokenizer

        self.name = name
        if trust_remote_code:
            logger.warning("REMOTE CODE IS ON: `%s` runs code that comes with the model", name)
        options = {
            "revision": revision,
            "trust_remote_code": trust_remote_code,
            "cache_dir": cache_dir,
            "local_files_only": True,
        }
        try:
            tokenizer: Any = AutoTokenizer.from_pretrained(name, **options)
            model: Any = AutoModel.from_pretrained(name, dtype=torch.float32, **options)
        except (OSError, ValueError, ImportError, SafetensorError) as error:
            raise SongatlasError(_unusable(name, revision, cache_dir, error)) from None
        if not tokenizer.is_fast or tokenizer.pad_token_id is None:
            raise SongatlasError(
                f"lyrics.encoder: `{name}` has no fast tokenizer with a padding token; "
                "choose another encoder"
            )
        self.device = _device(device)
        self.model = model.to(self.device).eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.max_tokens = min(max_tokens, _longest_input(tokenizer, model))
        self.dim = int(model.config.hidden_size)
        self.revision = getattr(model.config, "_commit_hash", None) or revision

    def transform(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of texts, float32 of shape (n, dim); zeros for a text without words."""
        sums = np.zeros((len(texts), self.dim), np.float64)
        tokens = np.zeros((len(texts), 1))
        spoken = [i for i, text in enumerate(texts) if text.strip()]
        # Alike lengths share a batch, so that little is padded.
        spoken.sort(key=lambda i: (len(texts[i]), i))
        for start in range(0, len(spoken), CHUNKS_AT_ONCE):
            rows = spoken[start : start + CHUNKS_AT_ONCE]
            encoded = self.tokenizer(
                [texts[i] for i in rows],
                truncation=True,
                max_length=self.max_tokens,
                return_overflowing_tokens=True,
                padding=True,
                return_tensors="pt",
            )
            owner = encoded.pop("overflow_to_sample_mapping").numpy()
            for first in range(0, len(owner), CHUNKS_AT_ONCE):
                some = slice(first, first + CHUNKS_AT_ONCE)
                total, count = self._pool({key: value[some] for key, value in encoded.items()})
                np.add.at(sums, [rows[i] for i in owner[some]], total)
                np.add.at(tokens, [rows[i] for i in owner[some]], count)
        return (sums / np.maximum(tokens, 1)).astype(np.float32)

    def _pool(self, batch: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
        """Sum of hidden states over tokens, shape (chunks, dim), and their number, (chunks, 1)."""
        import torch

        inputs = {
            key: value.to(self.device)
            for key, value in batch.items()
            if key in ("input_ids", "attention_mask", "token_type_ids")
        }
        with torch.inference_mode():
            hidden = self.model(**inputs).last_hidden_state
        mask = inputs["attention_mask"].unsqueeze(-1).to(hidden.dtype)
        return (hidden * mask).sum(1).cpu().numpy(), mask.sum(1).cpu().numpy()


def _unusable(
    name: str, revision: str | None, cache_dir: str | Path | None, error: Exception
) -> str:
    from huggingface_hub import constants

    cache = cache_dir or constants.HF_HUB_CACHE
    setting = next((v for v in ("HF_HUB_CACHE", "HF_HOME") if v in os.environ), "HF_HOME")
    fetch = f"hf download {shlex.quote(name)}"
    fetch += f" --revision {shlex.quote(revision)}" if revision else ""
    fetch += f" --cache-dir {shlex.quote(str(cache_dir))}" if cache_dir else ""
    first_line = str(error).strip().split("\n")[0]
    if "trust_remote_code" in str(error):
        return (
            f"lyrics.encoder: `{name}` brings code of its own, which is not run. Read it first; "
            f"to let it run with all your rights set lyrics.trust_remote_code to `{name}`, or "
            "choose another encoder"
        )
    return (
        f"lyrics.encoder: the model `{name}` cannot be loaded from the cache folder {cache} "
        f"(set by {setting}). Runs never download; fetch the weights first:\n  {fetch}\n"
        f"or set lyrics.encoder to `tfidf`. ({type(error).__name__}: {first_line})"
    )


def _longest_input(tokenizer: Any, model: Any) -> int:
    """Tokens that the model can take at once."""
    limit = int(min(tokenizer.model_max_length, 1_000_000))
    positions = getattr(model.config, "max_position_embeddings", None)
    if positions:
        # RoBERTa numbers positions from its padding index on and loses that many.
        offset = model.config.pad_token_id + 1 if "roberta" in model.config.model_type else 0
        limit = min(limit, positions - offset)
    return limit


def _device(device: str) -> Any:
    import torch

    if device != "auto":
        return torch.device(device)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
