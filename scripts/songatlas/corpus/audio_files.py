"""Which files of a folder are songs: by name, else by content."""

from pathlib import Path

from songatlas.corpus.listing import AUDIO_SUFFIXES


def is_song(path: Path) -> bool:
    """Whether a file counts as a song.

    A file that is called like one does, whatever it holds: probing says what is wrong with it.
    Another one does where FFmpeg decodes the beginning of its sound.
    """
    return path.suffix.lower() in AUDIO_SUFFIXES or _plays(path)


def _plays(path: Path) -> bool:
    import av

    from songatlas.audio.decode import FFMPEG_FORMATS

    options = {"format_whitelist": FFMPEG_FORMATS, "protocol_whitelist": "file"}
    try:
        if not path.is_file():
            return False
        with av.open(str(path), options=options, metadata_errors="replace") as container:
            streams = container.streams.audio
            return bool(streams) and any(frame.samples for frame in container.decode(streams[0]))
    except (av.FFmpegError, OSError, ValueError):
        return False
