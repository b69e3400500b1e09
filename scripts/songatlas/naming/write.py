"""The tables of names and of captions."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from songatlas import tables
from songatlas.config import Names, Pretrained
from songatlas.evaluation import layout
from songatlas.explorer.words import count_words, distinctive
from songatlas.naming.contrast import Criterion, Difference, differences, told
from songatlas.naming.songs import (
    descriptor_values,
    heard,
    key_of,
    plain_descriptors,
    tagged,
)
from songatlas.naming.vocabulary import tags

UNSURE = "unsure"
COLUMNS = ("model", "k", "cluster", "songs", "name", "evidence", "words", "source")
CAPTION_COLUMNS = ("track_id", "title", "caption")

WORDS = 4
"""Of a cluster in one language, and of a song."""

EXTREME = 0.25
"""A song among so many with the most (or least) of something is called by the word for it."""


def name_clusters(
    partitions: Mapping[str, tuple[int, pd.DataFrame]],
    songs: Sequence[str],
    values: np.ndarray,
    criteria: Sequence[Criterion],
    texts: pd.DataFrame,
    settings: Names,
    source: str,
) -> pd.DataFrame:
    """A row with `COLUMNS` for every cluster of every model.

    Args:
        partitions: by model the number of clusters, and `track_id, label` of its songs.
        songs: of the rows of `values`.
        values: (n, D) of `criteria`.
        texts: `track_id, lyrics, language`, for words.
    """
    row_of = {track: row for row, track in enumerate(songs)}
    said = texts.set_index("track_id")
    rows = []
    for model, (k, partition) in partitions.items():
        ordered = partition.sort_values("track_id")
        labels = ordered["label"].to_numpy(np.int64)
        of_song = np.full((len(ordered), len(criteria)), np.nan)
        for i, track in enumerate(ordered["track_id"]):
            if track in row_of:
                of_song[i] = values[row_of[track]]
        found = differences(of_song, labels, criteria)
        known = said.reindex(ordered["track_id"])
        counted = count_words(_texts(known["lyrics"]), _texts(known["language"]))
        words = distinctive(counted, labels, top=WORDS)
        for cluster in range(int(labels.max(initial=-1)) + 1):
            chosen = told(
                found,
                cluster,
                alpha=settings.alpha,
                least_effect=settings.least_effect,
                most=settings.words,
            )
            rows.append(
                {
                    "model": model,
                    "k": k,
                    "cluster": cluster,
                    "songs": int((labels == cluster).sum()),
                    "name": ", ".join(str(one.word) for one in chosen) or UNSURE,
                    "evidence": "; ".join(_evidence(one) for one in chosen),
                    "words": "; ".join(
                        f"{language}: {', '.join(several)}"
                        for language, several in words[cluster].items()
                    ),
                    "source": source,
                }
            )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _texts(values: pd.Series) -> list[str | None]:
    return [None if pd.isna(value) else str(value) for value in values]


def _evidence(one: Difference) -> str:
    delta = f"{one.delta:+.2f}".replace("-", "−")
    return f"{one.criterion.name} δ {delta}, p {one.p:.2g}"


def captions(values: pd.DataFrame, titles: pd.DataFrame, texts: pd.DataFrame) -> pd.DataFrame:
    """A sentence on every song with audio, of what was measured alone: `CAPTION_COLUMNS`.

    Tempo and key; what it has much or little of among all songs (the outer quarters); its language,
    and the words that it has more often than the other songs of that language.
    """
    said_apart = ("tempo_bpm", "key_mode", "key_clarity")
    entries = [one for one in plain_descriptors(values) if one.entry not in said_apart]
    low, high = (values[[one.entry for one in entries]].quantile(q) for q in (EXTREME, 1 - EXTREME))
    said = texts.set_index("track_id").reindex(values.index)
    counted = count_words(_texts(said["lyrics"]), _texts(said["language"]))
    words = distinctive(counted, np.arange(len(values)), top=WORDS)
    named = titles.set_index("track_id").reindex(values.index)
    rows = []
    for i, (track, row) in enumerate(values.iterrows()):
        parts = []
        if np.isfinite(row["tempo_bpm"]):
            parts.append(f"{row['tempo_bpm']:.0f} BPM")
        key = key_of(row)
        if key:
            parts.append(key)
        for one in entries:
            if low[one.entry] == high[one.entry]:
                continue
            if row[one.entry] >= high[one.entry]:
                parts.append(one.high)
            elif row[one.entry] <= low[one.entry]:
                parts.append(one.low)
        language = said["language"].iloc[i]
        if not pd.isna(language) and not pd.isna(said["lyrics"].iloc[i]):
            parts.append(f"sung in {language}")
        own = [word for several in words[i].values() for word in several]
        if own:
            parts.append(f"words: {', '.join(own)}")
        sentence = ", ".join(parts)
        title = named["title"].iloc[i]
        rows.append((track, None if pd.isna(title) else title, f"{sentence}."))
    return pd.DataFrame(rows, columns=list(CAPTION_COLUMNS))


def write_names(
    source: Mapping[str, Any],
    models: Sequence[str],
    outputs: Mapping[str, str],
    *,
    settings: Names,
    encoder: str | None,
    pretrained: Pretrained | None,
) -> str:
    """Write both tables; a line that says how many clusters have a name.

    Args:
        source: paths of `consensus` and `choice` (of every model), `descriptors`, `windows`,
            `titles`, `classes`, `tracks`, and `features` of the joint encoder, where there is one.
        outputs: `csv`, `md`, `captions`.

    Raises:
        SongatlasError: as `load_joint_encoder`.
    """
    windows = tables.read(source["windows"], tables.WINDOWS, columns=["window_id", "track_id"])
    titles = tables.read(source["titles"], tables.LABELS)
    tracks = tables.read(source["tracks"], tables.TRACKS, columns=["track_id", "lyrics"])
    classes = tables.read(source["classes"], tables.LABELS, columns=["track_id", "language"])
    texts = tracks.merge(classes, on="track_id", how="left")
    measured = descriptor_values(source["descriptors"], windows)
    if encoder is None:
        songs, how = [str(track) for track in measured.index], "descriptors"
        values, criteria = heard(measured)
    else:
        assert pretrained is not None
        vocabulary = tags(settings.prompt_languages)
        songs, values, criteria = tagged(
            source["features"], windows, vocabulary, encoder, pretrained
        )
        how = encoder
    partitions = {}
    for model, consensus, choice in zip(models, source["consensus"], source["choice"], strict=True):
        k = suggested(tables.read(choice, tables.CHOICE))
        found = tables.read(consensus, tables.CONSENSUS)
        if k is not None and (found["k"] == k).any():
            partitions[model] = (k, found[found["k"] == k])
    frame = name_clusters(partitions, songs, values, criteria, texts, settings, how)
    layout.write_csv(frame, outputs["csv"])
    notes = [
        f"Clusters of songs at the suggested k, named by {how}; no label takes part. A word stands "
        f"where the cluster differs from all other songs with p < {settings.alpha:g} "
        "(Mann-Whitney, Holm over the clusters and criteria of a model) and Cliff's |δ| is at "
        f"least {settings.least_effect:g}; “{UNSURE}” where none does. words: what its lyrics have "
        "more often than others of the same language."
    ]
    shown = frame.drop(columns="source")
    layout.write_text(layout.markdown(shown, "Names of clusters", notes=notes), outputs["md"])
    layout.write_csv(captions(measured, titles, texts), outputs["captions"])
    sure = int((frame["name"] != UNSURE).sum())
    return f"{sure} of {len(frame)} clusters have a name: {outputs['md']}"


def suggested(choice: pd.DataFrame) -> int | None:
    """The k that all criteria together suggest; None where none can be."""
    chosen = choice[(choice["criterion"] == "joint") & choice["chosen"]]["k"].dropna()
    return None if chosen.empty else int(chosen.iloc[0])
