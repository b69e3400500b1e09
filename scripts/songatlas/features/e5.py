"""`e5`: lyrics as sentence embeddings in about a hundred languages (Wang et al. 2024)."""

from typing import TYPE_CHECKING

from songatlas.features.registry import Feature, Job, Kind, flat
from songatlas.lyrics import e5_engine

if TYPE_CHECKING:
    pass


def write(job: Job) -> str:
    """Write a vector of every song that has lyrics.

    Raises:
        SongatlasError: where there is no engine.
    """
    from songatlas.features.registry import SongTexts
    from songatlas.lyrics.e5 import E5

    texts = SongTexts.read(job)
    encoder = E5()
    vectors = encoder.transform(texts.texts)
    note = (
        f"of {encoder.cut} lyrics only the first 20,000 characters count" if encoder.cut else None
    )
    return texts.write("e5", vectors, "embedding", {"note": note})


FEATURES = (
    Feature(
        name="e5",
        title="Sentence embeddings of lyrics",
        reads="lyrics",
        key="track_id",
        row_bytes=lambda config, name: 4 * e5_engine.DIM,
        write=write,
    ),
)

KINDS = {"e5": Kind("e5", flat, standardise=False)}
