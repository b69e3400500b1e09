"""`names`, `query`, `playlist`, `transcription`."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from songatlas.config.base import Fraction, Name, Section, no_for_false, split_commas


class Transcription(Section):
    """Lyrics for songs that have none (docs/words.md)."""

    include: bool = Field(
        False, description="Transcribe songs before the corpus is built; needs Whisper's weights."
    )
    songs: Literal["missing", "all"] = Field(
        "missing",
        description="`missing`: songs without lyrics. `all`: every song, for the target `wer`; "
        "lyrics that songs have stay.",
    )
    encoder: Name = Field(
        "whisper",
        description="An encoder of the family `whisper`, whose whole checkpoint is used.",
    )
    language: Annotated[str | None, BeforeValidator(no_for_false)] = Field(
        None, description="Whisper's code of the language of all songs (null: told by ear)."
    )
    separation: str | None = Field(
        None,
        description="File with torchaudio's weights of HDemucs (`hdemucs_high_trained.pt`): the "
        "voice is separated first, and songs in which nobody sings are left alone.",
    )
    no_speech: Fraction = Field(
        0.6, description="Above it nobody sings: a song throughout, a segment if unsure too."
    )
    log_probability: float = Field(
        -1.0, le=0.0, description="Segments with a lower mean log probability are not believed."
    )
    compression_ratio: float = Field(
        2.4, gt=1.0, description="Segments that zlib makes smaller than this repeat themselves."
    )


Languages = Literal["any", "same", "other"]
"""Of a song's neighbours."""


class Query(Section):
    """What answers `text`, or which song's neighbours are listed (target `query`)."""

    like: str | None = Field(
        None,
        description="Instead of `text`, the song whose neighbours are listed: its title, its path "
        "or the path's end, its id.",
    )
    languages: Languages = Field(
        "any", description="Neighbours in any language, in the song's own, or in others only."
    )
    model: Name | None = Field(
        None,
        description="For `text`, a model with a shared block (`fusion`, but not `late`), or a "
        "baseline of an encoder that embeds texts (`clap`, `muq_mulan`). Null: such a baseline "
        "where there is one, else lyrics, titles, tags, genres and languages are compared with "
        "the text. For `like`, the representation that songs are near in (null: the run's best).",
    )
    top: int = Field(10, ge=1, le=10_000, description="How many songs to return.")


class Playlist(Section):
    """Playlists (targets `playlists` and `playlist`)."""

    model: Name | None = Field(
        None, description="The representation that they are made in (null: the run's best one)."
    )
    like: str | None = Field(
        None, description="Songs like this one: its title, its path or the path's end, its id."
    )
    start: str | None = Field(None, description="The way from this song ...")
    end: str | None = Field(None, description="... to this one.")
    songs: int = Field(30, ge=2, le=100_000, description="Songs of `playlist`, at most.")
    languages: Languages = Field(
        "any", description="Songs like one: in any language, in its own, or in others only."
    )


PromptLanguage = Literal["en", "es", "fr", "de"]
"""Languages of `resources/vocabulary.csv`."""


class Names(Section):
    """Words for clusters (target `names`) and for songs (`song_captions`, `captions`)."""

    words: int = Field(3, ge=1, le=10, description="Words in a name beside a language, at most.")
    prompt_languages: Annotated[list[PromptLanguage], BeforeValidator(split_commas)] = Field(
        ["en"],
        min_length=1,
        description="Languages in which a joint model of audio and texts is asked.",
    )
    listener: Name | None = Field(
        None,
        description="Who writes captions by ear (target `captions`): `qwen2-audio-instruct` or "
        "`qwen2-audio` (null: captions are by template).",
    )
    request: str = Field(
        "Describe this music in one sentence: genre, mood, instruments and voice.",
        min_length=1,
        description="What the listener is asked for; it is told what was measured, too.",
    )
    caption_tokens: int = Field(64, ge=1, le=1024, description="The most that it may write.")
