"""Whisper (Radford et al. 2022, arXiv:2212.04356) through transformers, without remote code."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from songatlas.errors import SongatlasError
from songatlas.features.encoders.base import from_pretrained
from songatlas.words.transcription.guard import Segment

RATE_HZ = 16_000
CHUNK_S = 30.0

NO_SPEECH = ("<|nospeech|>", "<|nocaptions|>")
"""As newer and older tokenizers call it."""


@dataclass(frozen=True)
class Heard:
    """What a song is sung in, and where nobody sings, by chunks of 30 s."""

    language: str
    probability: float
    """Of the language, averaged over chunks by how surely somebody sings there."""
    no_speech: tuple[float, ...]


class Transcriber:
    """A Whisper checkpoint that writes down what it hears."""

    def __init__(self, folder: Path, device: str, *, half: bool) -> None:
        """Load the checkpoint of a folder; nothing is fetched.

        Raises:
            SongatlasError: when it is not multilingual, or weights are missing.
        """
        from transformers import WhisperForConditionalGeneration, WhisperProcessor

        self.device, self.dtype = device, torch.float16 if half else torch.float32
        self.processor = WhisperProcessor.from_pretrained(folder, local_files_only=True)
        model = from_pretrained(WhisperForConditionalGeneration, folder, dtype=self.dtype)
        self.model: Any = model.to(device).eval()
        config = self.model.generation_config
        tokenizer = self.processor.tokenizer
        ids = [tokenizer.convert_tokens_to_ids(name) for name in NO_SPEECH]
        known = [i for i in ids if i is not None and i != tokenizer.unk_token_id]
        if not getattr(config, "lang_to_id", None) or not known:
            raise SongatlasError(f"{folder}: this Whisper checkpoint is not a multilingual one")
        self.no_speech_id = known[0]
        self.languages = {
            name.strip("<|>"): number for name, number in sorted(config.lang_to_id.items())
        }

    @torch.inference_mode()
    def listen(self, wave: np.ndarray) -> Heard:
        """The language of `wave` (samples,) float32 mono at `RATE_HZ`, from its chunks of 30 s."""
        chunk = round(CHUNK_S * RATE_HZ)
        starts = range(0, max(1, len(wave)), chunk)
        names = list(self.languages)
        silent, spoken = [], []
        for start in starts:
            features = self._features(wave[start : start + chunk], longest=False)
            begin = torch.full((1, 1), self.model.generation_config.decoder_start_token_id)
            logits = self.model(
                features["input_features"], decoder_input_ids=begin.to(self.device)
            ).logits[0, -1]
            logits = logits.float().cpu()
            silent.append(float(logits.softmax(0)[self.no_speech_id]))
            spoken.append(logits[[self.languages[name] for name in names]].softmax(0).numpy())
        weight = np.maximum(1.0 - np.array(silent), 1e-6)
        shares = np.average(np.stack(spoken), axis=0, weights=weight)
        best = int(shares.argmax())
        return Heard(names[best], float(shares[best]), tuple(silent))

    @torch.inference_mode()
    def transcribe(self, wave: np.ndarray, heard: Heard, language: str) -> list[Segment]:
        """Lines with times of `wave`, greedily, without conditioning on the text before.

        Raises:
            SongatlasError: for a language that the checkpoint does not know.
        """
        if language not in self.languages:
            raise SongatlasError(
                f"transcription.language: `{language}` is not a language of this checkpoint"
            )
        whole = len(wave) > round(CHUNK_S * RATE_HZ)
        features = self._features(wave, longest=whole)
        found = self.model.generate(
            **features,
            language=language,
            task="transcribe",
            return_timestamps=True,
            return_segments=True,
            return_dict_in_generate=True,
            output_scores=True,
            condition_on_prev_tokens=False,
            do_sample=False,
            num_beams=1,
        )
        segments, length_s = [], len(wave) / RATE_HZ
        for one in found["segments"][0]:
            # Times beyond the end are in the silence that a chunk is filled up with.
            start, end = (min(float(one[name]), length_s) for name in ("start", "end"))
            text = self.processor.tokenizer.decode(one["tokens"], skip_special_tokens=True).strip()
            chunk = min(int(start // CHUNK_S), len(heard.no_speech) - 1)
            score = _mean_log_probability(one["result"])
            segments.append(Segment(start, end, text, score, heard.no_speech[chunk]))
        return segments

    def _features(self, wave: np.ndarray, *, longest: bool) -> dict[str, torch.Tensor]:
        more: dict[str, Any] = {"truncation": False, "padding": "longest"} if longest else {}
        found = self.processor(
            wave, sampling_rate=RATE_HZ, return_tensors="pt", return_attention_mask=True, **more
        )
        return {
            "input_features": found["input_features"].to(self.device, self.dtype),
            "attention_mask": found["attention_mask"].to(self.device),
        }


def _mean_log_probability(result: Any) -> float:
    """Of the tokens of a chunk, as they were decoded."""
    scores: Sequence[torch.Tensor] = result["scores"]
    if not len(scores):
        return float("-inf")
    tokens = result["sequences"][-len(scores) :]
    rows = torch.stack([score.float().cpu() for score in scores]).reshape(len(scores), -1)
    chosen = rows.log_softmax(1).gather(1, tokens.cpu()[:, None].long())
    return float(chosen.mean())
