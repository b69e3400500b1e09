"""Cross-validation by song: which fold each seed holds out."""

from collections.abc import Iterable

PREFIX = "fold-"
"""Songs of a corpus split into folds have `fold-0`, `fold-1`, ... as their split."""


def resolve(splits: Iterable[str], seed: int) -> list[str]:
    """Splits as a job with this seed sees them.

    With `split.method: folds`, seed s holds out fold s mod n, n being the number of folds that the
    corpus has: its songs are `test`, the others `train`. Other splits stay as they are.
    """
    splits = list(splits)
    numbers = [int(split.removeprefix(PREFIX)) for split in splits if split.startswith(PREFIX)]
    if not numbers:
        return splits
    held_out = f"{PREFIX}{seed % (max(numbers) + 1)}"
    return [
        ("test" if split == held_out else "train") if split.startswith(PREFIX) else split
        for split in splits
    ]
