"""The study's tables about the corpus: composition and splits."""

import pandas as pd

from songatlas.evaluation.layout import Sheet
from songatlas.report.study.corpus_kind import EXPLAINED, corpus_kind
from songatlas.report.study.dataset import ALL, dataset_table, splits_table
from songatlas.report.study.published import Published
from songatlas.report.study.versus import for_readers, versus


def corpus_sheets(
    tracks: pd.DataFrame,
    labels: pd.DataFrame,
    windows: pd.DataFrame,
    published: Published,
    corpus_name: str,
) -> list[Sheet]:
    """`paper_dataset`, `paper_splits`, and each beside the study's.

    Args:
        tracks, labels, windows: rows of the corpus tables.
        published: the study's tables.
        corpus_name: stands in the headings.
    """
    dataset = dataset_table(tracks, labels, windows)
    splits = splits_table(tracks, labels, windows)
    kind = corpus_kind(dataset, published)
    cells = published.dataset
    if len(cells):
        total = {"language": ALL, "genre": ALL, "songs": cells["songs"].sum()}
        cells = pd.concat([cells, pd.DataFrame([total])], ignore_index=True)
    cells_beside = versus(cells, dataset, keys=["language", "genre"], values=["songs"], corpus=kind)
    splits_beside = versus(
        published.splits, splits, keys=["split"], values=["songs", "windows"], corpus=kind
    )
    return [
        Sheet(
            "paper_dataset",
            dataset,
            f"Composition: {corpus_name}",
            ["Hours are of audio. Artists: different names; songs without one are not counted."],
            digits=2,
        ),
        Sheet(
            "paper_dataset_vs_published",
            cells_beside,
            f"Composition beside the study's: {corpus_name}",
            [EXPLAINED],
            shown=for_readers(cells_beside),
        ),
        Sheet(
            "paper_splits",
            splits,
            f"Splits: {corpus_name}",
            ["artists_shared: artists who have songs in another split too."],
        ),
        Sheet(
            "paper_splits_vs_published",
            splits_beside,
            f"Splits beside the study's: {corpus_name}",
            shown=for_readers(splits_beside),
        ),
    ]
