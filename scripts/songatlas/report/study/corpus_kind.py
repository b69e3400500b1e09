"""Whether a run's corpus can be the study's: its songs per language and genre, its windows."""

import unicodedata

import pandas as pd

from songatlas.report.study.dataset import ALL
from songatlas.report.study.published import Published

DIFFERENT = "different corpus"
SAME = "same composition"
SAME_SONGS = "same composition, other number of windows"

EXPLAINED = (
    "The study's audio is not public and it published no hash of a song: a corpus of the same "
    "composition (songs per language and genre) with as many windows is taken for its own."
)


def corpus_kind(dataset: pd.DataFrame, published: Published) -> str:
    """`DIFFERENT` unless every cell holds as many songs as the study's, and there is no other cell.

    Args:
        dataset: what `dataset_table` returns.
        published: the study's tables.
    """
    cells = dataset[dataset["language"] != ALL]
    if published.dataset.empty or _cells(cells) != _cells(published.dataset):
        return DIFFERENT
    windows = published.splits["windows"].sum()
    return SAME if int(cells["windows"].sum()) == int(windows) else SAME_SONGS


def _cells(frame: pd.DataFrame) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for language, genre, songs in zip(
        frame["language"], frame["genre"], frame["songs"], strict=True
    ):
        key = (_plain(language), _plain(genre))
        found[key] = found.get(key, 0) + int(songs)
    return found


def _plain(name: object) -> str:
    """`Hip-Hop`, `hip hop` and `hiphop` are one genre."""
    folded = unicodedata.normalize("NFKD", str(name)).casefold()
    return "".join(letter for letter in folded if letter.isalnum())
