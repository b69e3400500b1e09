"""`language_id`: how probable each language is for lyrics (py3langid; Lui & Baldwin 2012)."""

from typing import TYPE_CHECKING

from songatlas.config.feature_registry import Feature, Job, Kind, Pretrained, flat

if TYPE_CHECKING:
    from songatlas.config.run import Config

MOST_LANGUAGES = 256
"""That are told apart, at most."""


def row_bytes(config: "Config", name: str) -> int:
    return 4 * MOST_LANGUAGES


def weights() -> str | None:
    from importlib import metadata

    return f"py3langid {metadata.version('py3langid')}"


def write(job: Job) -> str:
    """Write the probabilities of every song that has lyrics; `languages` names them."""
    from songatlas.corpus.language_id import languages, probabilities
    from songatlas.features.lyrics.features import song_lyrics, write_texts

    songs = song_lyrics(job.inputs["tracks"])
    about = {"weights": job.settings["weights"], "languages": list(languages())}
    output = job.outputs["part"]
    write_texts(songs, output, "language_id", probabilities, len(languages()), "probability", about)
    return f"{len(songs)} songs"


FEATURES = (
    Feature(
        name="language_id",
        title="Languages of lyrics",
        reads="lyrics",
        key="track_id",
        row_bytes=row_bytes,
        write=write,
        pretrained=Pretrained(
            title="py3langid",
            trained_on="texts of 140 languages, each labelled with its language",
            licence="BSD-3-Clause",
            citation="Lui & Baldwin 2012, ACL system demonstrations",
            parameters=14_207_526,
            supervision="elsewhere",
        ),
        weights=weights,
        environment="torch",
    ),
)

KINDS = {
    "language_id": Kind(
        "language_id",
        flat,
        standardise=False,
        width=133,
        as_it_is="probabilities of languages that nobody sings would count as much as the others",
    )
}
