"""`e5`: lyrics as sentence embeddings in about a hundred languages (Wang et al. 2024)."""

from typing import TYPE_CHECKING

from songatlas.config.feature_registry import Feature, Job, Kind, Pretrained, flat
from songatlas.features.lyrics import e5_engine

if TYPE_CHECKING:
    from songatlas.config.run import Config


def row_bytes(config: "Config", name: str) -> int:
    return 4 * e5_engine.DIM


def weights() -> str | None:
    engine = e5_engine.engine()
    return engine.name if engine else None


def write(job: Job) -> str:
    """Write a vector of every song that has lyrics.

    Raises:
        SongatlasError: where there is no engine.
    """
    from songatlas.features.lyrics.e5 import E5
    from songatlas.features.lyrics.features import song_lyrics, write_texts

    songs = song_lyrics(job.inputs["tracks"])
    encoder = E5()
    cut = sum(len(text) > e5_engine.MAX_CHARACTERS for text in songs.values())
    note = f"of {cut} lyrics only the first {e5_engine.MAX_CHARACTERS:,} characters count"
    about = {"weights": encoder.engine.name, "note": note if cut else None}
    output = job.outputs["part"]
    write_texts(songs, output, "e5", encoder.transform, e5_engine.DIM, "embedding", about)
    return f"{len(songs)} songs by {encoder.engine.name}"


FEATURES = (
    Feature(
        name="e5",
        title="Sentence embeddings of lyrics",
        reads="lyrics",
        key="track_id",
        row_bytes=row_bytes,
        write=write,
        pretrained=Pretrained(
            title="multilingual-e5-small",
            trained_on="a billion pairs of texts in about a hundred languages, then pairs that "
            "people labelled (questions and answers, inference)",
            licence="MIT",
            citation="Wang et al. 2024, arXiv:2402.05672",
            parameters=117_653_760,
            supervision="elsewhere",
        ),
        weights=weights,
        to_fetch=e5_engine.weights_to_fetch,
        missing=lambda: e5_engine.why_not() or None,
    ),
)

KINDS = {"e5": Kind("e5", flat, standardise=False, width=e5_engine.DIM)}
