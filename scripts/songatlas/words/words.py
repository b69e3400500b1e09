"""Words that set a cluster's lyrics apart from the others of the same language.

Class-based TF-IDF (Grootendorst 2022, BERTopic, arXiv:2203.05794): a class is what a cluster sings
in one language. Comparing within a language keeps its function words from winning.
"""

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import sparse

LEAST_LIFT = 1.3
"""A distinctive word is at least this many times as frequent here as in the language."""

LEAST_EVIDENCE = 6.63
"""Log-likelihood ratio (Dunning 1993) that chance exceeds for one word in a hundred: without it the
function words that a few songs happen to repeat would pass for distinctive."""

SHORTEST = 2
"""Letters; single letters are mostly elisions and particles."""


@dataclass(frozen=True)
class Counts:
    """Word counts of the items (songs or windows) that have words in one language.

    `items` are their numbers, `counts` has shape (len(items), len(vocabulary)).
    """

    items: np.ndarray
    counts: sparse.csr_matrix
    vocabulary: tuple[str, ...]


def words(text: str) -> list[str]:
    """Lower-case words of a text: letters with their marks, apostrophes inside kept.

    Scripts without spaces give whole phrases, which are rarely distinctive.
    """
    return [word for word in tokens(text, "LM") if len(word) >= SHORTEST]


def tokens(text: str, kinds: str) -> list[str]:
    """Runs of characters of some Unicode categories, lower-case, apostrophes inside kept."""
    normal = unicodedata.normalize("NFC", text).casefold()
    kept = "".join(_kept(character, kinds) for character in normal)
    return [token for token in (part.strip("'") for part in kept.split()) if token]


@lru_cache(maxsize=8192)
def _kept(character: str, kinds: str) -> str:
    if character in "'’":
        return "'"
    return character if unicodedata.category(character)[0] in kinds else " "


def count_words(texts: Sequence[str | None], languages: Sequence[str | None]) -> dict[str, Counts]:
    """Word counts by language; texts or items without a known language are left out."""
    of_language: dict[str, list[int]] = {}
    for item, (text, language) in enumerate(zip(texts, languages, strict=True)):
        if text and language:
            of_language.setdefault(language, []).append(item)
    found = {}
    for language, items in sorted(of_language.items()):
        counted = [Counter(words(str(texts[item]))) for item in items]
        vocabulary = tuple(sorted({word for counter in counted for word in counter}))
        column = {word: index for index, word in enumerate(vocabulary)}
        rows = [row for row, counter in enumerate(counted) for _ in counter]
        columns = [column[word] for counter in counted for word in counter]
        values = [count for counter in counted for count in counter.values()]
        shape = (len(items), len(vocabulary))
        matrix = sparse.csr_matrix((values, (rows, columns)), shape, dtype=np.float64)
        found[language] = Counts(np.array(items), matrix, vocabulary)
    return found


def distinctive(
    counts: Mapping[str, Counts], labels: np.ndarray, top: int = 6
) -> list[dict[str, list[str]]]:
    """The `top` words of every cluster by language; `labels` (n,) of all items, -1 is noise.

    A word counts where two items of the cluster have it (one, where the cluster has one in that
    language) and where it is more frequent than in the whole language, clearly and by more than
    chance. A cluster that
    holds all of a language has nothing to be distinguished from: it gets no words there.
    """
    n_clusters = int(labels.max(initial=-1)) + 1
    found: list[dict[str, list[str]]] = [{} for _ in range(n_clusters)]
    for language, of in counts.items():
        own = labels[of.items]
        inside = np.flatnonzero(own >= 0)
        if not len(inside) or not of.vocabulary:
            continue
        member = sparse.csr_matrix(
            (np.ones(len(inside)), (own[inside], inside)), (n_clusters, len(own))
        )
        in_class = np.asarray((member @ of.counts).todense())
        having = np.asarray((member @ (of.counts > 0).astype(np.float64)).todense())
        length = in_class.sum(axis=1)
        present = np.flatnonzero(length)
        if len(present) < 2:
            continue
        total = in_class.sum(axis=0)
        rarity = np.log1p(length[present].mean() / np.maximum(total, 1.0))
        for cluster in present:
            share = in_class[cluster] / length[cluster]
            lift = share / np.maximum(total / total.sum(), 1e-12)
            least = min(2, int((own == cluster).sum()))
            here = length[cluster] / length.sum()
            told = (lift >= LEAST_LIFT) & (
                evidence(in_class[cluster], total, here) > LEAST_EVIDENCE
            )
            score = share * rarity * told * (having[cluster] >= least)
            best = np.lexsort((np.arange(len(score)), -score))[:top]
            chosen = [of.vocabulary[index] for index in best if score[index] > 0]
            if chosen:
                found[cluster][language] = chosen
    return found


def evidence(inside: np.ndarray, total: np.ndarray, share: float) -> np.ndarray:
    """Log-likelihood ratio of `inside` of `total` occurrences where `share` of them is expected."""
    outside = total - inside
    with np.errstate(invalid="ignore", divide="ignore"):
        parts = (
            inside * np.log(inside / (total * share)),
            outside * np.log(outside / (total * (1.0 - share))),
        )
    return np.asarray(2.0 * np.nan_to_num(parts[0]) + 2.0 * np.nan_to_num(parts[1]))
