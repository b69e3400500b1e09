"""Which files of a folder are songs, by name, else by content; and how FFmpeg opens them."""

from pathlib import Path
from typing import TYPE_CHECKING

from songatlas.corpus.listing import AUDIO_SUFFIXES

if TYPE_CHECKING:
    from av.container import InputContainer


def is_song(path: Path) -> bool:
    """Whether a file counts as a song.

    A file that is called like one does, whatever it holds: probing says what is wrong with it.
    Another one does where FFmpeg decodes the beginning of its sound.
    """
    return path.suffix.lower() in AUDIO_SUFFIXES or _plays(path)


def open_audio(path: Path) -> "InputContainer":
    """A file as FFmpeg opens it: an audio container that names no other file or address.

    Tags that are no UTF-8 have their bytes as lone surrogates.

    Raises:
        av.FFmpegError, OSError, ValueError: when it is none, or damaged.
    """
    import av

    from songatlas.corpus.sound.packets import FFMPEG_FORMATS

    options = {"format_whitelist": FFMPEG_FORMATS, "protocol_whitelist": "file"}
    return av.open(str(path), "r", container_options=options, metadata_errors="surrogateescape")


def _plays(path: Path) -> bool:
    import av

    try:
        if not path.is_file():
            return False
        with open_audio(path) as container:
            streams = container.streams.audio
            return bool(streams) and any(frame.samples for frame in container.decode(streams[0]))
    except (av.FFmpegError, OSError, ValueError):
        return False
