"""Lyrics through a pretrained text encoder from Hugging Face: XLM-RoBERTa, sentence-transformers,
E5, LaBSE and their like."""

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

    A text's vector is pooled from the last hidden states of its tokens (those that are no padding).
    A text longer than `max_tokens` is encoded in chunks, which count by their tokens.

    Args:
        name: repository on the Hugging Face Hub, or a local folder in its format.
        max_tokens: tokens per chunk, special ones included; lowered to what the model can take.
        pooling: `mean`, `cls` (the first token), `max`, `pooler` (the model's own head), or `auto`:
            what a checkpoint of sentence-transformers says of itself, its projection and its
            scaling to length 1 included (`sentence_modules`), else `mean`.
        prefix: put before every chunk (E5: "query: "); None: what the model's name asks for.
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
        pooling: str = "auto",
        prefix: str | None = None,
        revision: str | None = None,
        trust_remote_code: bool = False,
        cache_dir: str | Path | None = None,
        device: str = "auto",
    ) -> None:
        import torch
        from safetensors import SafetensorError
        from transformers import AutoModel, AutoTokenizer

        from songatlas.features.lyrics import sentence_modules

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
            loaded: Any = AutoModel.from_pretrained(
                name, dtype=torch.float32, output_loading_info=True, **options
            )
        except (OSError, ValueError, ImportError, SafetensorError) as error:
            raise SongatlasError(_unusable(name, revision, cache_dir, error)) from None
        model, found = loaded
        _check_weights(name, model, found, pooling)
        if not tokenizer.is_fast or tokenizer.pad_token_id is None:
            raise SongatlasError(
                f"lyrics.encoder: `{name}` has no fast tokenizer with a padding token; "
                "choose another encoder"
            )
        self.device = _device(device)
        self.model = model.to(self.device).eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.revision = getattr(model.config, "_commit_hash", None) or revision
        folder = _folder(name, self.revision, cache_dir)
        modules = sentence_modules.read(folder) if pooling == "auto" and folder else None
        self.pooling = (modules.pooling if modules else None) or "mean"
        if pooling != "auto":
            self.pooling = pooling
        self.projections = modules.projections if modules else []
        self.unit_length = modules.unit_length if modules else False
        longest = _longest_input(tokenizer, model)
        if modules and modules.max_tokens:
            longest = min(longest, modules.max_tokens)
        self.max_tokens = min(max_tokens, longest)
        self.dim = int(self.projections[-1].dim if self.projections else model.config.hidden_size)
        self.prefix = prefix_of(name) if prefix is None else prefix
        # Words begin after a blank, which tokenizers count to what follows it.
        alone = tokenizer(self.prefix.rstrip(), add_special_tokens=False)["input_ids"]
        self._prefix_ids = list(alone)
        mask = tokenizer("a", return_special_tokens_mask=True)["special_tokens_mask"]
        self._leading = mask.index(0)
        if self.max_tokens < len(self._prefix_ids) + 4:
            raise SongatlasError("lyrics.max_tokens: too few for the prefix and a word; raise it")

    def transform(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of texts, float32 of shape (n, dim); zeros for a text without words."""
        width = int(self.model.config.hidden_size)
        start = -np.inf if self.pooling == "max" else 0.0
        gathered = np.full((len(texts), width), start, np.float64)
        tokens = np.zeros((len(texts), 1))
        spoken = [i for i, text in enumerate(texts) if text.strip()]
        # Alike lengths share a batch, so that little is padded.
        spoken.sort(key=lambda i: (len(texts[i]), i))
        for start_at in range(0, len(spoken), CHUNKS_AT_ONCE):
            rows = spoken[start_at : start_at + CHUNKS_AT_ONCE]
            encoded, owner = self._chunks([texts[i] for i in rows])
            for first in range(0, len(owner), CHUNKS_AT_ONCE):
                some = slice(first, first + CHUNKS_AT_ONCE)
                pooled, count = self._pool({key: value[some] for key, value in encoded.items()})
                at = [rows[i] for i in owner[some]]
                if self.pooling == "max":
                    np.maximum.at(gathered, at, pooled)
                else:
                    np.add.at(gathered, at, pooled * count)
                np.add.at(tokens, at, count)
        found = np.zeros((len(texts), width))
        found[spoken] = gathered[spoken]
        vectors = found if self.pooling == "max" else found / np.maximum(tokens, 1)
        for projection in self.projections:
            vectors = projection(vectors)
        if self.unit_length:
            length = np.linalg.norm(vectors, axis=1, keepdims=True)
            vectors = vectors / np.where(length > 0, length, 1.0)
        result = np.zeros((len(texts), self.dim), np.float32)
        result[spoken] = vectors[spoken]
        return result

    def _chunks(self, texts: list[str]) -> tuple[dict[str, Any], np.ndarray]:
        """Token tensors of the chunks of some texts, and the text of each.

        The prefix stands in every chunk: each is a text of its own to the model.
        """
        import torch

        encoded = self.tokenizer(
            texts,
            truncation=True,
            max_length=self.max_tokens - len(self._prefix_ids),
            return_overflowing_tokens=True,
        )
        lead, prefix = self._leading, self._prefix_ids
        chunks = [[*ids[:lead], *prefix, *ids[lead:]] for ids in encoded["input_ids"]]
        longest = max(len(chunk) for chunk in chunks)
        ids = torch.full((len(chunks), longest), self.tokenizer.pad_token_id)
        mask = torch.zeros((len(chunks), longest), dtype=torch.long)
        for row, chunk in enumerate(chunks):
            ids[row, : len(chunk)] = torch.tensor(chunk)
            mask[row, : len(chunk)] = 1
        owner = np.array(encoded["overflow_to_sample_mapping"])
        return {"input_ids": ids, "attention_mask": mask}, owner

    def _pool(self, batch: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
        """A vector per chunk, shape (chunks, width), and its number of tokens, (chunks, 1)."""
        import torch

        inputs = {key: value.to(self.device) for key, value in batch.items()}
        with torch.inference_mode():
            found = self.model(**inputs)
        hidden = found.last_hidden_state
        mask = inputs["attention_mask"].unsqueeze(-1).to(hidden.dtype)
        count = mask.sum(1)
        if self.pooling == "pooler":
            if getattr(found, "pooler_output", None) is None:
                raise SongatlasError(
                    f"lyrics.pooling: `{self.name}` has no pooler; choose another pooling"
                )
            pooled = found.pooler_output
        elif self.pooling == "cls":
            pooled = hidden[:, 0]
        elif self.pooling == "max":
            pooled = hidden.masked_fill(mask == 0, float("-inf")).amax(1)
        else:
            pooled = (hidden * mask).sum(1) / count
        return pooled.cpu().double().numpy(), count.cpu().double().numpy()


def _check_weights(name: str, model: Any, found: dict[str, Any], pooling: str) -> None:
    """transformers draws weights that a checkpoint lacks at random; a pooler counts where used.

    Raises:
        SongatlasError: naming the first that is missing.
    """
    trained = {key for key, _ in model.named_parameters()}
    lost = trained & {*found["missing_keys"], *(str(key[0]) for key in found["mismatched_keys"])}
    lost = {key for key in lost if pooling == "pooler" or not key.startswith("pooler.")}
    if lost:
        raise SongatlasError(
            f"lyrics.encoder: `{name}` has no weights for {min(lost)} ({len(lost)} are missing); "
            "fetch it again, or choose another encoder or lyrics.pooling"
        )


def prefix_of(name: str) -> str:
    """What a model's authors ask to be put before a text: E5 was trained with prefixes.

    Wang et al. 2024 (arXiv:2402.05672): "query: " where texts are compared with texts.
    """
    last = name.rstrip("/").rpartition("/")[2].lower()
    is_e5 = last.startswith(("e5-", "multilingual-e5-")) and "instruct" not in last
    return "query: " if is_e5 else ""


def _folder(name: str, revision: str | None, cache_dir: str | Path | None) -> Path | None:
    """Where the files of a checkpoint lie, to read what transformers does not."""
    from huggingface_hub import try_to_load_from_cache

    if Path(name).is_dir():
        return Path(name)
    found = try_to_load_from_cache(name, "config.json", cache_dir=cache_dir, revision=revision)
    return Path(found).parent if isinstance(found, str) else None


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
