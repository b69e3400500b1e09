"""What groups of songs may be called by: languages, tags, words of lyrics, and how they sound."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from songatlas.words.descriptor_words import DESCRIPTORS
from songatlas.words.language_names import language_name
from songatlas.words.tags import SongTags, taking_part
from songatlas.words.words import count_words

Kind = Literal["language", "tag", "word", "sound"]

LEAST_SONGS_OF_WORD = 3
"""A word takes part where so many songs sing it, in one language."""

MOST_WORDS = 500
"""Words of a language that take part: those of most songs."""

LEAST_SONGS_OF_LANGUAGE = 30
"""... that so many songs are sung in: of fewer, some word is in just those of any group."""

NO_PLAIN_WORD = "rms_db_mean"
"""Decibels averaged over frames are low where a song has gaps, however loud it is: on the demo
corpus, whose loudness is known, "loud" and "quiet" were wrong for 18 clusters of 18."""


@dataclass(frozen=True)
class Measure:
    """A column of numbers, and what is said of a group that has much or little of it."""

    kind: Kind
    label: str
    high: str
    low: str | None = None

    def word(self, effect: float) -> str | None:
        """What an effect of this sign is called; None where there is no word for it."""
        return self.high if effect > 0 else self.low


@dataclass(frozen=True)
class Measured:
    """`values` (n, D) float64 of n items by D `measures`; NaN where one is not known of an item."""

    measures: tuple[Measure, ...]
    values: np.ndarray

    def rows(self, rows: np.ndarray) -> "Measured":
        """The items of these rows, in this order."""
        return Measured(self.measures, self.values[rows])


def together(parts: Sequence[Measured]) -> Measured:
    """All measures of the same items."""
    measures = tuple(one for part in parts for one in part.measures)
    return Measured(measures, np.concatenate([part.values for part in parts], axis=1))


def descriptor_measures(descriptors: pd.DataFrame, songs: Sequence[str]) -> Measured:
    """Descriptors that have plain words.

    Args:
        descriptors: by track_id, a column an entry.
        songs: whose rows are wanted.
    """
    known = [one for one in DESCRIPTORS if one.entry in descriptors and one.entry != NO_PLAIN_WORD]
    measures = tuple(Measure("sound", one.label, one.high, one.low) for one in known)
    of_songs = descriptors.reindex(pd.Index(songs))[[one.entry for one in known]]
    return Measured(measures, of_songs.to_numpy(np.float64))


def tag_measures(of: SongTags, songs: Sequence[str]) -> Measured:
    """Tags that may be shown, and that some song has among its likeliest.

    Values are arcsin √p: there, unlike in probabilities, a spread is as wide near 0 as elsewhere.
    """
    shown = of.shown()
    chosen = taking_part(shown)
    measures = tuple(Measure("tag", shown.names[i], shown.names[i]) for i in chosen)
    values = np.arcsin(np.sqrt(np.clip(shown.probabilities[:, chosen], 0.0, 1.0)))
    return Measured(measures, _rows_of(shown.songs, songs, values))


def similarity_measures(
    tagged: Sequence[str], tags: Sequence[str], similarity: np.ndarray, songs: Sequence[str]
) -> Measured:
    """Tags of a joint model of audio and texts, by their cosine similarity (n, T) to its songs."""
    measures = tuple(Measure("tag", tag, tag) for tag in tags)
    return Measured(measures, _rows_of(tagged, songs, similarity))


def _rows_of(known: Sequence[str], songs: Sequence[str], values: np.ndarray) -> np.ndarray:
    """Rows of `values`, which are of `known` songs, in the order of `songs`; NaN for the others."""
    at = pd.Index(known).get_indexer(pd.Index(songs))
    found = np.full((len(songs), values.shape[1]), np.nan)
    found[at >= 0] = values[at[at >= 0]]
    return found


def language_measures(languages: Sequence[str | None]) -> Measured:
    """Whether an item is in each language that an item is in."""
    present = sorted({language for language in languages if language})
    measures = tuple(Measure("language", "Language", language_name(code)) for code in present)
    values = np.array(
        [[float(own == code) if own else np.nan for code in present] for own in languages]
    ).reshape(len(languages), len(present))
    return Measured(measures, values)


def word_measures(texts: Sequence[str | None], languages: Sequence[str | None]) -> Measured:
    """Whether a text has a word, among the texts of the same language.

    Comparing within a language keeps its function words from winning.
    """
    measures: list[Measure] = []
    columns = [np.zeros((len(texts), 0))]
    for language, of in count_words(texts, languages).items():
        if len(of.items) < LEAST_SONGS_OF_LANGUAGE:
            continue
        present = of.counts > 0
        songs = np.asarray(present.sum(axis=0)).reshape(-1)
        often = np.flatnonzero((songs >= LEAST_SONGS_OF_WORD) & (songs < len(of.items)))
        often = often[np.argsort(-songs[often], kind="stable")[:MOST_WORDS]]
        measures += [
            Measure("word", f"Word ({language_name(language)})", f"“{of.vocabulary[i]}”")
            for i in often
        ]
        values = np.full((len(texts), len(often)), np.nan)
        values[of.items] = present[:, often].toarray()
        columns.append(values)
    return Measured(tuple(measures), np.concatenate(columns, axis=1))
