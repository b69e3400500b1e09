"""What points can be coloured by: labels of songs, and descriptors that a listener would name."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from songatlas.report.explorer.catalogue import Catalogue
from songatlas.report.explorer.scripts import packed
from songatlas.words.descriptor_words import known_descriptors
from songatlas.words.tags import SongTags, taking_part

MOST_CLASSES = 400
"""A label with more values than this tells no groups apart (artists of a large corpus may)."""

FEW_NUMBERS = 12
"""Whole numbers with no more values than this are classes (a key), not a scale."""

MISSING = np.uint16(65535)


def label_attributes(found: Catalogue) -> list[dict[str, Any]]:
    """Language, genre, artist, split, then the corpus's own factors: one value per song."""
    songs = found.songs
    factors = [name for name in songs if str(name).startswith("factor_")]
    described = []
    for column in ("language", "genre", "artist", "split", "license", *factors):
        attribute = _attribute(str(column), songs[column])
        if attribute is not None:
            described.append(attribute)
    return described


def descriptor_attributes(
    found: Catalogue, ids: Sequence[str], values: np.ndarray, names: Sequence[str]
) -> tuple[list[dict[str, Any]], np.ndarray, np.ndarray]:
    """Descriptors of windows, and their means over songs.

    Args:
        ids, values, names: the feature `descriptors`: window ids, (n, d), names of the d entries.

    Returns:
        Attributes for the page; values of shape (windows, D) and (songs, D), NaN where unknown,
        D being the entries of `DESCRIPTORS` that the feature has.
    """
    known = known_descriptors(names)
    columns = [list(names).index(item.entry) for item in known]
    of_window = np.full((len(found.windows), len(known)), np.nan, np.float32)
    rows = found.window_rows(list(ids))
    of_window[rows[rows >= 0]] = values[rows >= 0][:, columns]
    frame = pd.DataFrame(of_window).groupby(found.windows["song"].to_numpy()).mean()
    of_song = frame.reindex(range(len(found.songs))).to_numpy(np.float32)
    described = [
        {
            "key": f"sound_{item.entry}",
            "label": item.label,
            "unit": item.unit,
            "group": "Sound",
            "window": packed(of_window[:, column]),
            "song": packed(of_song[:, column]),
        }
        for column, item in enumerate(known)
    ]
    return described, of_window, of_song


def tag_attributes(songs: Sequence[str], of: SongTags) -> list[dict[str, Any]]:
    """The likeliest tag of every song, and how probable each tag is that takes part in names."""
    if not len(of.songs):
        return []
    shown = of.shown()
    at = pd.Index(shown.songs).get_indexer(pd.Index(songs))
    first = pd.Series(np.array(shown.names, object)[shown.probabilities.argmax(axis=1)])
    likeliest = first.reindex(at).reset_index(drop=True).where(at >= 0)
    probabilities = np.full((len(songs), len(shown.names)), np.nan, np.float32)
    probabilities[at >= 0] = shown.probabilities[at[at >= 0]]
    of_one = _attribute("tag", likeliest)
    scales = [
        {
            "key": f"tag_{column}",
            "label": shown.names[column],
            "unit": "probability",
            "group": "Tags",
            "song": packed(probabilities[:, column]),
        }
        for column in taking_part(shown)
    ]
    return [*([{**of_one, "group": "Tags", "label": "Likeliest tag"}] if of_one else []), *scales]


def _attribute(column: str, values: pd.Series) -> dict[str, Any] | None:
    factor = column.startswith("factor_")
    label = column.removeprefix("factor_").replace("_", " ").capitalize()
    attribute = {"key": column, "label": label, "group": "Factors" if factor else "Labels"}
    present = values.dropna()
    if present.nunique() < (2 if factor or column in ("split", "license") else 1):
        return None
    if is_scale(present):
        numbers = values.to_numpy(np.float32, na_value=np.nan)
        return {**attribute, "song": packed(numbers)}
    if present.nunique() > MOST_CLASSES:
        return None
    counts = present.astype(str).value_counts()
    names = sorted(counts.index, key=lambda name: (-counts[name], name))
    codes = pd.Index(names).get_indexer(pd.Index(values.astype("object").map(_name)))
    codes = np.where(codes < 0, MISSING, codes).astype(np.uint16)
    return {**attribute, "names": names, "codes": packed(codes)}


def is_scale(present: pd.Series) -> bool:
    """Whether the values are a scale (tempo), not classes (a key given as a number)."""
    if pd.api.types.is_bool_dtype(present) or not pd.api.types.is_numeric_dtype(present):
        return False
    whole = bool((present % 1 == 0).all())
    return not (whole and present.nunique() <= FEW_NUMBERS)


def _name(value: object) -> str | None:
    return None if pd.isna(value) or value == "" else str(value)  # type: ignore[call-overload]
