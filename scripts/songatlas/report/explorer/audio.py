"""How the page plays a window: a short preview beside it, or a link to the user's own file."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np

from songatlas.corpus.sound.decode import AudioError, decode_windows
from songatlas.tables import atomic

PREVIEW_RATE_HZ = 16_000
PREVIEW_QUALITY = 0.85
"""libsndfile's compression level (0: best sound, 1: smallest file): about 24 kbit/s."""

PEAK = 0.98
"""Louder previews would clip in the lossy codec."""

NO_DERIVATIVES = re.compile(
    r"\bnd\b|no[\s-]?deriv|all[\s-]rights[\s-]reserved|proprietary", re.IGNORECASE
)


@dataclass(frozen=True)
class Windows:
    """Windows of one song whose previews are wanted: their rows and starts in seconds."""

    rows: tuple[int, ...]
    starts_s: tuple[float, ...]


def forbids_derivatives(license_text: str | None) -> bool:
    """Whether a licence allows no excerpt: Creative Commons ND, or all rights reserved.

    A song without a known licence forbids nothing by itself: whoever turns previews on answers for
    it.
    """
    return bool(license_text and NO_DERIVATIVES.search(re.sub(r"[_/]", " ", license_text)))


def link(audio_path: str | None, folder: str | Path) -> str | None:
    """Address of the user's own file, relative to the page's folder."""
    if not audio_path:
        return None
    target = Path(audio_path).expanduser().resolve()
    try:
        relative = os.path.relpath(target, Path(folder).resolve())
    except ValueError:  # another drive
        return target.as_uri()
    return quote(Path(relative).as_posix())


def preview_name(row: int) -> str:
    """File of a window's preview in the page's folder; the page makes the same name."""
    return f"audio/{row // 1000}/{row}.mp3"


def write_previews(
    audio_path: str | Path, windows: Windows, length_s: float, folder: str | Path
) -> Sequence[int]:
    """Write the previews of one song's windows, mono MP3 of `length_s`; rows of those written.

    A file that cannot be decoded any more has no previews: its songs' points stay silent, and the
    log says why.

    Raises:
        AudioError: as `songatlas.corpus.sound.decode.decode_windows`.
    """
    written = []
    decoded = decode_windows(audio_path, PREVIEW_RATE_HZ, windows.starts_s, length_s)
    for row, samples in zip(windows.rows, decoded, strict=True):
        write_mp3(Path(folder) / preview_name(row), samples)
        written.append(row)
    return written


def write_mp3(path: Path, samples: np.ndarray) -> None:
    """Write `samples` (n,) at `PREVIEW_RATE_HZ` as mono MP3, softer where they would clip."""
    import soundfile

    peak = float(np.abs(samples).max(initial=0.0))
    with atomic(path) as temporary:
        soundfile.write(
            temporary,
            samples * (PEAK / peak) if peak > PEAK else samples,
            PREVIEW_RATE_HZ,
            format="MP3",
            bitrate_mode="CONSTANT",
            compression_level=PREVIEW_QUALITY,
        )


__all__ = [
    "AudioError",
    "Windows",
    "forbids_derivatives",
    "link",
    "preview_name",
    "write_mp3",
    "write_previews",
]
