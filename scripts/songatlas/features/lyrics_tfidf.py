"""`lyrics_*`: what models read of lyrics, by the encoder that `lyrics.encoder` names.

One rule of its own writes all four, since they share a fitted encoder.
"""

from typing import TYPE_CHECKING

from songatlas.config.feature_registry import Feature, Kind, flat

if TYPE_CHECKING:
    from songatlas.config.run import Config


def _whole(config: "Config", name: str) -> int:
    return 4 * config.lyrics.dim


def _lines(config: "Config", name: str) -> int:
    return 4 * config.lyrics.dim * config.lyrics.max_lines


FEATURES = (
    Feature("lyrics_window", "Lyrics", "lyrics", "window_id", _whole, read_as="lyrics"),
    Feature("lyrics_lines", "Lyrics", "lyrics", "window_id", _lines, read_as="lyrics"),
    Feature("lyrics_song", "Lyrics", "lyrics", "track_id", _whole, read_as="songs"),
    Feature("lyrics_song_lines", "Lyrics", "lyrics", "track_id", _lines, read_as="songs"),
)

KINDS = {"lyrics_tfidf": Kind("lyrics_song", flat)}
