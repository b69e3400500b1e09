"""The demo corpus: 48 synthetic songs in four languages and three genres.

Arabic, English, Hindi and Spanish verses (CC0, `resources/demo`) are sung and rapped by espeak-ng
over pop, rock and hip-hop backings, all computed on the user's machine from a seed. Genres differ
in what is played; tempo, key, voice, loudness, instruments, mix and form overlap between genres and
are balanced over languages. Every factor that is drawn stands in a `factor_` column.
"""

import hashlib
import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from songatlas import tables
from songatlas.demo.synthesis.grid import SAMPLE_RATE_HZ
from songatlas.demo.synthesis.mix import EQ_BANDS_HZ
from songatlas.demo.synthesis.plan import SongPlan, draw_plans
from songatlas.demo.synthesis.song import Song, render
from songatlas.errors import SongatlasError
from songatlas.files import PROJECT
from songatlas.run.jobs import progress

RESOURCES = PROJECT / "resources" / "demo"
LICENSE = "CC0-1.0"


def synthesise(
    folder: Path,
    workers: int,
    seed: int = 0,
    *,
    only: list[str] | None = None,
    resources: Path = RESOURCES,
) -> pd.DataFrame:
    """Write the corpus to `folder`: `songs.parquet` (tables.SOURCES) and `audio/<source_id>.flac`.

    Audio is mono, 22,050 Hz, 16-bit FLAC. The result depends on `seed` alone, not on `workers`
    (processes) nor on `only` (source ids to render; the others are left out of the table).

    Returns:
        The table, one row per song, ordered by language, genre and number.

    Raises:
        SongatlasError: when `only` names a song that does not exist.
        VersesError: when the verses in `resources` are absent or incomplete.
        VoiceError: when espeak-ng cannot be used.
    """
    plans = draw_plans(seed, resources)
    if only is not None:
        unknown = sorted(set(only) - {plan.source_id for plan in plans})
        if unknown:
            raise SongatlasError(f"the demo corpus has no song `{unknown[0]}`; see songs.parquet")
        plans = [plan for plan in plans if plan.source_id in set(only)]
    audio = folder / "audio"
    audio.mkdir(parents=True, exist_ok=True)
    rows = []
    if workers <= 1:
        for plan in progress(plans, "Synthesising the demo corpus"):
            rows.append(_write_song(plan, audio))
    else:
        # Forked workers do not import the main module again: under Snakemake that is the job.
        method = "fork" if "fork" in multiprocessing.get_all_start_methods() else None
        with ProcessPoolExecutor(workers, multiprocessing.get_context(method)) as pool:
            futures = [pool.submit(_write_song, plan, audio) for plan in plans]
            for future in progress(futures, "Synthesising the demo corpus"):
                rows.append(future.result())
    frame = pd.DataFrame(rows)
    tables.write(frame, folder / "songs.parquet", tables.SOURCES, {"seed": seed})
    return tables.read(folder / "songs.parquet", tables.SOURCES)


def corpus_hash(folder: Path) -> str:
    """SHA-256 over the decoded samples of all songs in order and the table's text.

    FLAC bytes, the folder's own path and columns that came later stay out of it, so it is the same
    wherever the corpus lies.
    """
    import soundfile

    frame = tables.read(folder / "songs.parquet", tables.SOURCES)
    digest = hashlib.sha256()
    for name in frame["source_id"]:
        samples, rate = soundfile.read(folder / "audio" / f"{name}.flac", dtype="int16")
        digest.update(f"{name} {rate} {samples.shape}".encode())
        digest.update(samples.astype("<i2").tobytes())
    known = frame.drop(columns=["audio_path", *tables.SOURCES.added])
    text = known.to_json(orient="records", force_ascii=False)
    digest.update(text.encode())
    return digest.hexdigest()


def _write_song(plan: SongPlan, audio: Path) -> dict[str, object]:
    import soundfile

    song = render(plan)
    path = audio / f"{plan.source_id}.flac"
    with tables.atomic(path) as temporary:
        soundfile.write(temporary, song.samples, SAMPLE_RATE_HZ, subtype="PCM_16", format="FLAC")
    return _row(plan, song, path)


def _row(plan: SongPlan, song: Song, path: Path) -> dict[str, object]:
    lines = [
        {"start_s": round(line.start_s, 4), "end_s": round(line.end_s, 4), "text": line.text}
        for line in song.lines
    ]
    notes = [{key: _rounded(value) for key, value in asdict(n).items()} for n in song.notes]
    factors = {
        "tempo_bpm": plan.tempo_bpm,
        "key": plan.tonic,
        "mode": plan.mode,
        "swing": plan.swing,
        "progression": plan.progression,
        "form": plan.form,
        "bars": plan.bars,
        "bars_per_line": plan.bars_per_line,
        "voice": plan.voice,
        "gender": plan.artist.gender,
        "register": plan.register,
        "chorus_sung": plan.chorus_sung,
        "theme": plan.verses.theme,
        "instruments": ", ".join(plan.instruments),
        "colour": plan.colour,
        "colour_db": plan.colour_db,
        "loudness_db": plan.loudness_db,
        "reverb_s": plan.reverb_s,
        "fade_s": plan.fade_s,
        "brightness": plan.brightness,
        "noise_db": plan.noise_db,
        "kit_tuning": plan.kit_tuning,
        "kit_length": plan.kit_length,
        "drums_db": plan.drums_db,
        "bass_db": plan.bass_db,
        "harmony_db": plan.harmony_db,
        "vocals_db": plan.vocals_db,
    }
    factors |= {f"pattern_{part}": pattern for part, pattern in plan.patterns.items()}
    factors |= {
        f"eq_{hz:.0f}_hz_db": gain for hz, gain in zip(EQ_BANDS_HZ, plan.eq_db, strict=True)
    }
    return {
        "source_id": plan.source_id,
        "audio_path": path.as_posix(),
        "lyrics_path": None,
        "lyrics": "\n".join(line.text for line in song.lines),
        "lyrics_source": "timed",
        "title": plan.verses.title,
        "artist": plan.artist.name,
        "language": plan.language,
        "genre": plan.genre,
        "license": LICENSE,
        "source_url": None,
        "lines": json.dumps(lines, ensure_ascii=False),
        "notes": json.dumps(notes, ensure_ascii=False) if notes else None,
    } | {f"factor_{name}": value for name, value in factors.items()}


def _rounded(value: object) -> object:
    return round(float(value), 4) if isinstance(value, float | np.floating) else value
