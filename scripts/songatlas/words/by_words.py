"""Songs that fit a sentence, by their lyrics, titles, tags, genres and languages."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from songatlas.words.language_names import language_name
from songatlas.words.named_language import named_languages
from songatlas.words.tags import SongTags, spellings
from songatlas.words.words import words as words_of

COLUMNS = ("rank", "title", "artist", "score", "matched", "track_id")

Embed = Callable[[Sequence[str]], np.ndarray]
"""Unit vectors (n, d) of texts."""

PRIOR_SONGS = 1.0
"""Songs at the mean of all that each language gets when its mean is taken out of similarities."""

NEAR_TAG = 2.0
"""Standard deviations by which a tag's word is nearer to the text than those of other tags."""

NAMED = 3.0
"""Weight of a tag that the text names, in the same unit; and of tags and genres beside lyrics then.
"""

COMMON = 0.25
"""A word that this share of all texts has says nothing of any of them."""

MATCHED = 1.0
"""Standard deviations above the mean of all songs from which a part of a score is named."""

MOST_TITLES = 1000
"""Titles are compared of so many songs at most: those that fit best by all else."""


@dataclass(frozen=True)
class Library:
    """What is known of n songs: `songs` has `track_id, title, artist, lyrics, language, genre`.

    `lyrics` (n, d) are sentence embeddings, zeros where there are none; None without an engine.
    `tags` are of those songs that have audio.
    """

    songs: pd.DataFrame
    lyrics: np.ndarray | None
    tags: SongTags


@dataclass(frozen=True)
class Part:
    """What one way of comparing says: `score` (n,) in standard deviations, 0 where it is silent.

    `why` (n,) says in words what matched; empty where nothing did. `weight` is its own in the sum.
    """

    score: np.ndarray
    why: Sequence[str]
    weight: float = 1.0


def find(text: str, library: Library, embed: Embed | None, top: int) -> tuple[pd.DataFrame, str]:
    """The best `top` songs with `COLUMNS`, best first, and what was compared.

    Songs in a language that the text names come first, whatever else is said of them.

    Args:
        text: a sentence in any language.
        embed: of sentences and words; None where no engine computes it.
    """
    asked = named_languages(text)
    sung = library.songs["language"].isin(asked).to_numpy(bool)
    parts = [
        by_genre(text, library.songs["genre"]),
        by_tags(text, library, embed),
        by_lyrics(text, library, embed),
    ]
    score = _sum(parts)
    parts.append(by_titles(text, library, embed, score + 1e3 * sung))
    score = _sum(parts)
    order = np.lexsort((np.arange(len(score)), -score, ~sung))[:top]
    songs = library.songs.iloc[order]
    languages = [
        f"in {language_name(str(code))}" if inside else ""
        for code, inside in zip(songs["language"], sung[order], strict=True)
    ]
    matched = [
        "; ".join(filter(None, (language, *(part.why[row] for part in parts))))
        for row, language in zip(order, languages, strict=True)
    ]
    frame = pd.DataFrame(
        {
            "rank": np.arange(1, len(order) + 1),
            "title": songs["title"].to_numpy(object),
            "artist": songs["artist"].to_numpy(object),
            "score": score[order],
            "matched": matched,
            "track_id": songs["track_id"].to_numpy(object),
        },
        columns=list(COLUMNS),
    )
    return frame, _note(asked, bool(sung.any()), embed is not None, bool(len(library.tags.songs)))


def _sum(parts: Sequence[Part]) -> np.ndarray:
    return np.asarray(sum(part.weight * part.score for part in parts))


def _note(asked: Sequence[str], sung: bool, embedded: bool, tagged: bool) -> str:
    names = " or ".join(map(language_name, asked))
    language = {
        (True, True): f"Songs in {names} come first. ",
        (True, False): f"No song of this run is in {names}: the rest of the sentence ranks them. ",
    }.get((bool(asked), sung), "")
    tags = "tags" if tagged else "no tags (this run has no `musicnn`)"
    lyrics = (
        "the meaning of lyrics and titles"
        if embedded
        else "the words of lyrics and titles as they are written (without `e5` nobody knows what "
        "means the same)"
    )
    return (
        f"{language}Compared: {tags}, genres that were given, {lyrics}. score: standard deviations "
        "above the mean of all songs, added up; what stands out is in `matched`."
    )


def by_lyrics(text: str, library: Library, embed: Embed | None) -> Part:
    """How near lyrics are to the text, beside others of their language."""
    lyrics = library.songs["lyrics"].fillna("").astype(str)
    if embed is None or library.lyrics is None:
        score, why = _by_shared_words(text, list(lyrics))
        return Part(standing(score, (lyrics != "").to_numpy(bool)), why)
    sung = np.asarray(library.lyrics.any(axis=1))
    similarity = library.lyrics @ embed([text])[0]
    score = standing(without_language(similarity, list(library.songs["language"]), sung), sung)
    return Part(score, [f"lyrics {one:+.1f} sd" if one >= MATCHED else "" for one in score])


def by_titles(text: str, library: Library, embed: Embed | None, so_far: np.ndarray) -> Part:
    """How near titles are to the text, of the songs that fit best by `so_far` (n,)."""
    titles = library.songs["title"].fillna("").astype(str)
    if embed is None:
        score, why = _by_shared_words(text, list(titles))
        score = standing(score, (titles != "").to_numpy(bool))
        return Part(score, [f"title: {one}" if one else "" for one in why])
    best = np.argsort(-so_far, kind="stable")[:MOST_TITLES]
    best = best[(titles != "").to_numpy(bool)[best]]
    score = np.zeros(len(titles))
    if len(best):
        similarity = embed([titles.iloc[row] for row in best]) @ embed([text])[0]
        languages = [library.songs["language"].iloc[row] for row in best]
        all_titled = np.ones(len(best), bool)
        score[best] = standing(without_language(similarity, languages, all_titled), all_titled)
    return Part(score, [f"title {one:+.1f} sd" if one >= MATCHED else "" for one in score])


def by_tags(text: str, library: Library, embed: Embed | None) -> Part:
    """How probable the tags are that the text names, or whose words are near to it."""
    tags, n = library.tags, len(library.songs)
    at = pd.Index(tags.songs).get_indexer(pd.Index(library.songs["track_id"]))
    weights, named = tag_weights(text, tags.names, embed)
    if not len(tags.songs) or not weights.any():
        return Part(np.zeros(n), [""] * n)
    heard = at >= 0
    probabilities = tags.probabilities[at[heard]]
    above = np.apply_along_axis(lambda p: standing(p, np.ones(len(p), bool)), 0, probabilities)
    score, why = np.zeros(n), np.full(n, "", object)
    # Of several tags each counts by how much it is asked for.
    score[heard] = standing(above @ weights, np.ones(int(heard.sum()), bool))
    wanted = np.argsort(-weights, kind="stable")[: int((weights > 0).sum())]
    why[heard] = [
        ", ".join(f"{tags.names[i]} {p[i]:.2f}" for i in wanted if z[i] >= MATCHED)
        for p, z in zip(probabilities, above, strict=True)
    ]
    return Part(score, list(why), NAMED if named else 1.0)


def by_genre(text: str, genres: pd.Series) -> Part:
    """Whether the text names the genre that a song was given, in any of its spellings."""
    names = {genre: _names(text, (genre, *_ways_of(genre))) for genre in set(genres.dropna())}
    named = [names.get(genre, False) for genre in genres]
    why = [f"genre {genre}" if one else "" for one, genre in zip(named, genres, strict=True)]
    return Part(standing(np.array(named, float), np.ones(len(named), bool)), why, NAMED)


def _ways_of(genre: str) -> tuple[str, ...]:
    """Every way to write a genre that is a tag; none where it is no tag."""
    plain = _plain(genre)
    return next(
        (ways for ways in spellings().values() if plain in {_plain(way) for way in ways}), ()
    )


def tag_weights(text: str, names: Sequence[str], embed: Embed | None) -> tuple[np.ndarray, bool]:
    """How much each tag is asked for, (T,), and whether the text names one as it is written."""
    named = np.array([_names(text, spellings().get(name, (name,))) for name in names], bool)
    weights = np.where(named, NAMED, 0.0)
    if embed is not None and len(names):
        near = standing(embed(list(names)) @ embed([text])[0], np.ones(len(names), bool))
        weights = np.maximum(weights, np.where(near >= NEAR_TAG, near - NEAR_TAG, 0.0))
    return weights, bool(named.any())


def _names(text: str, ways: Sequence[str]) -> bool:
    """Whether the text has one of these words, or runs of words, in it."""
    plain = f" {_plain(text)} "
    return any(f" {_plain(way)} " in plain for way in ways if _plain(way))


def _plain(text: str) -> str:
    """Lower-case words without accents, one blank between them: `hip hop` for `Hip-Hop`."""
    spelt = unicodedata.normalize("NFKD", text.casefold())
    kept = "".join(c for c in spelt if not unicodedata.combining(c))
    return " ".join(re.findall(r"[^\W_]+", kept))


def _by_shared_words(text: str, texts: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """How many of the text's words each has, rare ones counting more; and which."""
    wanted, words = set(words_of(text)), [set(words_of(one)) for one in texts]
    having = {word: sum(word in some for some in words) for word in wanted}
    rare = {word for word, count in having.items() if count < COMMON * len(texts)}
    rarity = {word: np.log((1 + len(texts)) / (1 + having[word])) for word in rare}
    shared = [sorted(rare & some) for some in words]
    score = np.array([sum(rarity[word] for word in some) for some in shared])
    return score, [", ".join(f"“{word}”" for word in some) for some in shared]


def standing(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Standard deviations above the mean of those that are `known` (n,) bool; 0 for the others."""
    found = np.zeros(len(values))
    if known.any():
        own = values[known]
        spread = own.std()
        found[known] = (own - own.mean()) / spread if spread > 1e-12 else 0.0
    return found


def without_language(
    similarity: np.ndarray, languages: Sequence[object], known: np.ndarray
) -> np.ndarray:
    """Similarities (n,) without what those of one language have in common.

    A text is near to all lyrics in its own language, whatever they are about.
    """
    whole = similarity[known].mean() if known.any() else 0.0
    codes = pd.factorize(pd.Series(list(languages), dtype=object), use_na_sentinel=False)[0]
    found = similarity.copy()
    for code in np.unique(codes):
        own = (codes == code) & known
        mean = (similarity[own].sum() + PRIOR_SONGS * whole) / (own.sum() + PRIOR_SONGS)
        found[own] -= mean
    return found
