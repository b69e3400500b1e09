"""What clusterings score when labels are dealt out to songs at random."""

import zlib

import numpy as np

from songatlas.evaluation.tasks import WINDOW_ONLY

DRAWN_SONGS = 20_000_000
"""Songs over all permutations, or over all bootstrap samples, of one task: of more songs than this
divided by the configured number there are fewer draws, whose spread is then small anyway."""

LEAST_DRAWS = 20
"""... but never fewer than so many (or the configured number, where that is less)."""


def bounded(repeats: int, n_songs: int) -> int:
    """How many draws of `n_songs` songs are made where `repeats` are configured."""
    return min(repeats, max(LEAST_DRAWS, DRAWN_SONGS // max(n_songs, 1)))


def generator(seed: int, *words: str) -> np.random.Generator:
    """A random generator of its own for each combination of words."""
    return np.random.default_rng([seed, *(zlib.crc32(word.encode()) for word in words)])


def permuted_codes(
    codes: np.ndarray, permutations: int, seed: int, task: str, level: str
) -> np.ndarray:
    """Class codes of shape (S,) of songs, permuted between songs: shape (permutations, S).

    (In the task `song`: of windows, see `exchangeable`.) Of very many songs there are fewer
    (see `bounded`): the first of them.

    Labels belong to songs. Windows of one song are alike, so permuting labels between windows would
    set chance too low and every clustering of windows would look significant.

    The permutations depend on the songs' number, the task and the level alone: they are the same
    for every clustering, so that the maximum over clusterings within a permutation is defined.
    """
    rng = generator(seed, "permutations", task, level)
    permutations = bounded(permutations, len(codes))
    order = rng.permuted(np.tile(np.arange(len(codes)), (permutations, 1)), axis=1)
    return np.asarray(codes)[order]


def exchangeable(task: str, row: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What a task's labels are permuted between: codes of these units, each point's unit (n,).

    Units are songs. Where every song is a class of its own, a permutation of songs would only
    rename the classes and every clustering would score its own value: there they are the points.

    Args:
        row: (n,) position of each point's song.
        codes: (S,) classes of the songs.
    """
    if task in WINDOW_ONLY:
        return np.asarray(codes)[row], np.arange(len(row))
    return codes, row
