"""Retrieval of lyrics by audio and of audio by lyrics, beside what chance gives."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from songatlas import tables
from songatlas.evaluation import layout

METRICS = ("recall@1", "recall@5", "recall@10", "map@10", "mrr")
DIRECTIONS = ("audio to lyrics", "lyrics to audio")
SUBSETS = ("held out", "trained on")
"""Which songs ask: those that training did not see, or those that it did."""

DEPTH = 10
"""Of the mean average precision."""


def ranks(queries: np.ndarray, gallery: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Rank of each query's own item among all, from 1; the mean rank among those that tie.

    Args:
        queries: (q, d).
        gallery: (n, d).
        own: (q,) int, the row of the gallery that each query should find.

    Returns:
        (q,) float64. Items are ranked by cosine similarity; a zero vector is similar to nothing.
    """
    similarity = unit(queries) @ unit(gallery).T
    right = np.take_along_axis(similarity, own[:, None], axis=1)
    # What differs by rounding alone is a tie.
    close = np.isclose(similarity, right, rtol=0.0, atol=1e-6)
    better = ((similarity > right) & ~close).sum(axis=1)
    return np.asarray(1.0 + better + (close.sum(axis=1) - 1) / 2.0, np.float64)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows divided by their length (n, d), float64; zeros stay zeros."""
    vectors = np.asarray(vectors, np.float64)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(length > 0.0, length, 1.0))


def scores(rank: np.ndarray) -> dict[str, float]:
    """`METRICS` of queries with one right item each, whose ranks are given; NaN without a query.

    With one right item the average precision of a query is 1/rank, cut at `DEPTH` for MAP@10.
    """
    if not len(rank):
        return dict.fromkeys(METRICS, np.nan)
    found = {f"recall@{k}": float((rank <= k).mean()) for k in (1, 5, 10)}
    reciprocal = 1.0 / rank
    found[f"map@{DEPTH}"] = float(np.where(rank <= DEPTH, reciprocal, 0.0).mean())
    found["mrr"] = float(reciprocal.mean())
    return found


def chance(n: int) -> dict[str, float]:
    """Expected `METRICS` where the order of `n` items is drawn at random."""
    if n < 1:
        return dict.fromkeys(METRICS, np.nan)
    found = {f"recall@{k}": min(k, n) / n for k in (1, 5, 10)}
    found[f"map@{DEPTH}"] = math.fsum(1.0 / i for i in range(1, min(DEPTH, n) + 1)) / n
    found["mrr"] = math.fsum(1.0 / i for i in range(1, n + 1)) / n
    return found


@dataclass(frozen=True)
class Pairs:
    """Songs with audio and lyrics, each embedded from either alone, in the shared space."""

    track_ids: tuple[str, ...]
    held_out: np.ndarray
    """(n,) bool."""
    audio: np.ndarray
    """(n, d)."""
    lyrics: np.ndarray
    """(n, d)."""


def read_pairs(
    audio: str | Path, lyrics: str | Path, with_lyrics: set[str], with_audio: set[str]
) -> Pairs:
    """Songs of two latents tables of one model, of audio and of lyrics alone.

    `with_lyrics` are the songs that have lyrics, `with_audio` those that have windows. Vectors are
    the model's `shared` block, or the whole latent of a model that has no blocks.

    Raises:
        TableError: when a table is missing or breaks its schema.
    """
    songs, heard = shared_block(audio)
    others, read = shared_block(lyrics)
    have_both = with_lyrics & with_audio & set(others.index)
    both = pd.Index([track for track in songs.index if track in have_both])
    held_out = (songs.loc[both, "split"] != "train").to_numpy(bool)
    found = heard[songs.index.get_indexer(both)], read[others.index.get_indexer(both)]
    return Pairs(tuple(both), held_out, *found)


def shared_block(latents: str | Path) -> tuple[pd.DataFrame, np.ndarray]:
    """Songs of a latents table, and their part of the `shared` block, (n, d) float64.

    Of a model without blocks the whole latent is shared. The frame's index is track_id, sorted;
    `heard` says whether a song has windows among the latents.
    """
    frame = tables.read(latents, tables.LATENTS)
    blocks = tables.read_metadata(latents).get("blocks") or {}
    songs = frame[frame["level"] == "song"].set_index("track_id").sort_index()
    start, stop = blocks["shared"] if blocks else (0, len(songs["z"].iloc[0]) if len(songs) else 0)
    with_audio = frame.loc[frame["level"] == "window", "track_id"]
    vectors = [np.asarray(z, np.float64)[start:stop] for z in songs["z"]]
    songs = songs.assign(heard=songs.index.isin(with_audio))
    return songs, np.array(vectors, np.float64).reshape(len(songs), stop - start)


def retrieval(pairs: Pairs) -> list[dict[str, Any]]:
    """Rows of one model and seed: for each direction and subset of queries `n, gallery`, metrics.

    All songs with both modalities are ranked, whichever ask: a held-out song must be told from
    those of training too.
    """
    n = len(pairs.track_ids)
    rows = []
    for direction in DIRECTIONS:
        ask, answer = pairs.audio, pairs.lyrics
        if direction == DIRECTIONS[1]:
            ask, answer = answer, ask
        rank = ranks(ask, answer, np.arange(n)) if n else np.zeros(0)
        for subset, chosen in zip(SUBSETS, (pairs.held_out, ~pairs.held_out), strict=True):
            row = {"direction": direction, "queries": subset, "n": int(chosen.sum())}
            rows.append({**row, "gallery": n, **scores(rank[chosen])})
    return rows


KEYS = ["model", "direction", "queries"]


def over_seeds(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """One row per model, direction and queries.

    Mean and standard deviation (n - 1) over seeds (in cross-validation: folds) of every metric, the
    numbers of queries of all of them, of songs that are ranked, and chance.
    """
    columns = [f"{metric}_{what}" for metric in METRICS for what in ("mean", "sd", "chance")]
    if not rows:
        return pd.DataFrame(columns=[*KEYS, "n", "gallery", "runs", *columns])
    frame = pd.DataFrame(rows)
    frame = frame[frame["n"] > 0]
    groups = frame.groupby(KEYS, sort=False)
    parts: dict[str, Any] = {
        "n": groups["n"].sum(),
        "gallery": groups["gallery"].max(),
        "runs": groups.size(),
    }
    by_chance = frame["gallery"].map(lambda n: chance(int(n)))
    for metric in METRICS:
        parts[f"{metric}_mean"] = groups[metric].mean()
        parts[f"{metric}_sd"] = groups[metric].std(ddof=1)
        expected = frame.assign(value=[found[metric] for found in by_chance])
        parts[f"{metric}_chance"] = expected.groupby(KEYS, sort=False)["value"].mean()
    return pd.DataFrame(parts).reset_index()


def write_retrieval(
    audio: Sequence[str | Path],
    lyrics: Sequence[str | Path],
    songs: str | Path,
    with_audio: set[str],
    *,
    published: Mapping[str, Pairs],
    csv: str | Path,
    md: str | Path,
    tex: str | Path,
    card: str | None = None,
) -> None:
    """Write the table over all models and seeds.

    Args:
        audio, lyrics: latents of audio and of lyrics alone, in the same order.
        songs: a table `tables.TRACKS`.
        with_audio: ids of the songs that have windows.
        published: pairs of the run's encoders of audio and texts, by name of the baseline.
        csv, md, tex: where to.
    """
    known = tables.read(songs, tables.TRACKS, columns=["track_id", "lyrics"]).dropna()
    rows = []
    for heard, read in zip(audio, lyrics, strict=True):
        about = tables.read_metadata(heard)
        if tables.read(heard, tables.LATENTS, columns=["track_id"]).empty:
            continue  # not trained: an empty table that says why
        pairs = read_pairs(heard, read, set(known["track_id"]), with_audio)
        rows += [{"model": about["model"], **row} for row in retrieval(pairs)]
    for name, pairs in published.items():
        rows += [{"model": name, **row} for row in retrieval(pairs)]
    frame = over_seeds(rows)
    shown = frame[[*KEYS, "n", "gallery"]].copy()
    for metric in METRICS:
        values = zip(frame[f"{metric}_mean"], frame[f"{metric}_sd"], strict=True)
        shown[metric] = [layout.plus_minus(mean, sd) for mean, sd in values]
        shown[f"{metric} chance"] = [f"{value:.3f}" for value in frame[f"{metric}_chance"]]
    heading = "Audio and lyrics that find each other"
    notes = [
        "Each query is a song's audio (or lyrics) alone; all songs that have both are ranked by "
        "the cosine similarity of their lyrics (audio) in the model's shared block "
        "(multimodal_vade: in its whole latent), and one is right. n: queries of all seeds or "
        "folds; gallery: songs that are ranked; chance: the expectation for a random order; ± "
        "standard deviation over seeds or folds. Queries that "
        "were trained on say what was memorised. Published encoders of audio and texts count every "
        "song as held out, and embed lyrics line by line."
    ]
    sheet = layout.Sheet("retrieval", frame, heading, notes, shown=shown)
    layout.write_sheet(sheet, (csv, md, tex), card)
