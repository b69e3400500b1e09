"""Words that mean the same, in any language, by sentence embeddings (Wang et al. 2024)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from songatlas import tables
from songatlas.words.language_names import language_name
from songatlas.words.scores import unit
from songatlas.words.tags import song_tags
from songatlas.words.words import count_words

VOCABULARY = tables.Table(
    "vocabulary",
    {"word": tables.TEXT, "near": pa.list_(tables.TEXT)},
    key=("word",),
)
"""Words that the run's songs have, and for each the nearest of them, nearest first."""

MOST_WORDS = 800
"""Words of lyrics that are looked up: those of most songs that are not in half of a language's."""

LEAST_SONGS = 2
"""A word of fewer songs is a search in lyrics, not a word of the run."""

NEAREST = 4
"""Words of near meaning, at most."""


@dataclass(frozen=True)
class Vocabulary:
    """`words`, and for each the numbers of those of near meaning, nearest first."""

    words: tuple[str, ...] = ()
    near: tuple[tuple[int, ...], ...] = ()

    def described(self) -> dict[str, Any]:
        """For the page."""
        return {"words": self.words, "near": self.near}


def read_vocabulary(path: str | Path) -> Vocabulary:
    """The table that `write_vocabulary` wrote."""
    frame = tables.read(path, VOCABULARY)
    words = tuple(frame["word"])
    number = {word: i for i, word in enumerate(words)}
    near = (tuple(number[word] for word in several) for several in frame["near"])
    return Vocabulary(words, tuple(near))


def words_of_lyrics(lyrics: pd.Series, languages: pd.Series) -> list[str]:
    """At most `MOST_WORDS` words, of the most songs first, without those of half of a language."""
    texts = [None if pd.isna(text) else str(text) for text in lyrics]
    codes = [None if pd.isna(code) else str(code) for code in languages]
    songs_with: dict[str, int] = {}
    for of in count_words(texts, codes).values():
        songs = np.asarray((of.counts > 0).sum(axis=0)).reshape(-1)
        for i in np.flatnonzero((songs >= LEAST_SONGS) & (2 * songs < max(len(of.items), 4))):
            word = of.vocabulary[i]
            songs_with[word] = songs_with.get(word, 0) + int(songs[i])
    return sorted(songs_with, key=lambda word: (-songs_with[word], word))[:MOST_WORDS]


def of_near_meaning(vectors: np.ndarray, most: int = NEAREST) -> list[list[int]]:
    """For each row those that are among its `most` nearest and have it among theirs, nearest first.

    What all have in common is left out first. What is nearest on one side alone is mostly spelt
    alike.

    Args:
        vectors: (n, d).
    """
    centred = unit(vectors - vectors.mean(axis=0)) if len(vectors) else vectors
    similarity = centred @ centred.T
    np.fill_diagonal(similarity, -np.inf)
    order = np.argsort(-similarity, axis=1, kind="stable")[:, : min(most, len(vectors) - 1)]
    nearest = [set(row) for row in order.tolist()]
    return [
        [j for j in row if i in nearest[j] and similarity[i, j] > 0.0]
        for i, row in enumerate(order.tolist())
    ]


def write_vocabulary(source: Mapping[str, Any], path: str | Path) -> str:
    """Write the run's words with their nearest ones; a line that says how many words.

    Words are those of lyrics, the tags that songs have, and the names of the languages.

    Args:
        source: paths of `tracks` and `classes`; of `tags` (musicnn's vectors of songs) where there
            are any.

    Raises:
        SongatlasError: where no engine computes sentence embeddings.
    """
    from songatlas.features.lyrics.e5 import E5

    tracks = tables.read(source["tracks"], tables.TRACKS, columns=["track_id", "lyrics"])
    classes = tables.read(source["classes"], tables.LABELS, columns=["track_id", "language"])
    texts = tracks.merge(classes, on="track_id", how="left").sort_values("track_id")
    sung = sorted(texts["language"].dropna().unique())
    heard = [name.lower() for name in song_tags(source["tags"]).names] if source["tags"] else []
    named = [*heard, *(language_name(code).lower() for code in sung)]
    lyrics = words_of_lyrics(texts["lyrics"], texts["language"])
    words = list(dict.fromkeys([*named, *lyrics]))
    near = of_near_meaning(E5().transform(words).astype(np.float64))
    rows = {"word": words, "near": [[words[i] for i in several] for several in near]}
    tables.write(pd.DataFrame(rows), path, VOCABULARY)
    return f"{len(words)} words"
