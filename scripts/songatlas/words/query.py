"""Songs that fit a text: by words, or by a model that has words and sound in one space."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from songatlas import tables
from songatlas.config.features import Lyrics, Pretrained
from songatlas.errors import SongatlasError
from songatlas.evaluation import layout
from songatlas.features.lyrics.clean import clean
from songatlas.features.lyrics.features import encoder_of, spread
from songatlas.training.weights import load_weights
from songatlas.words.by_words import Library, find
from songatlas.words.joint import songs_of_encoder
from songatlas.words.scores import shared_block, unit
from songatlas.words.tags import NO_TAGS, song_tags

COLUMNS = ("rank", "title", "artist", "score", "standing", "track_id")

MOST_CHARACTERS = 1000
"""Of a text that are read: a sentence, or a verse."""

NO_TEXT = (
    'text: say what to look for, for instance --config text="a slow song about leaving home", or '
    'like which song: --config query="{like: a title}"'
)


def text_by_model(
    text: str, weights: str | Path, tracks: pd.DataFrame, lyrics: Lyrics, seed: int, device: str
) -> np.ndarray:
    """A text in the shared block of a trained model, read as lyrics: unit length, (d,) float64.

    Args:
        tracks: `track_id, lyrics` of all songs of the run, on which TF-IDF is fitted anew.
        seed: of the lyrics encoder.

    Raises:
        SongatlasError: when the model was not trained, or the text has nothing that it knows.
    """
    model, description = load_weights(weights, device)
    if model is None:
        raise SongatlasError(f"query: {weights} holds no model: {description.note}")
    cleaned = clean(text)
    songs = [clean(words) for words in tracks["lyrics"].dropna()]
    encoder = encoder_of(lyrics, seed, [song for song in songs if song])
    lines = spread(cleaned.split("\n"), lyrics.max_lines) if cleaned else []
    vectors = encoder.transform([cleaned, *lines]) if cleaned else np.zeros((1, encoder.dim))
    if not vectors[0].any():
        raise SongatlasError(
            f"text: nothing in {text!r} is known to the lyrics encoder `{encoder.name}`, which "
            "knows what occurs in the corpus; use words of its songs, or a pretrained encoder "
            "(docs/words.md)"
        )
    spec = description.spec
    padded = np.zeros((1, spec.max_lines, spec.lyrics_dim), np.float32)
    padded[0, : len(lines)] = vectors[1:]
    batch = {
        "mel": torch.zeros(1, 1, spec.n_mels, spec.n_frames),
        "lyrics": torch.tensor(vectors[:1], dtype=torch.float32),
        "lyrics_lines": torch.tensor(padded),
        "has_mel": torch.tensor([False]),
        "has_lyrics": torch.tensor([True]),
    }
    start, stop = model.blocks["shared"]
    model.eval()
    with torch.inference_mode():
        z = model.embed({name: values.to(device) for name, values in batch.items()})
    return np.asarray(unit(z[:, start:stop].float().cpu().numpy())[0])


def songs_of_model(latents: str | Path) -> tuple[list[str], np.ndarray]:
    """Songs with audio and the shared block of their audio alone, unit length, (n, d) float64."""
    songs, vectors = shared_block(latents)
    heard = songs["heard"].to_numpy(bool)
    return list(songs.index[heard]), unit(vectors[heard])


def text_by_encoder(text: str, name: str, settings: Pretrained) -> np.ndarray:
    """A text in the space of a joint encoder of audio and texts, (d,) float64.

    Raises:
        SongatlasError: as `load_joint_encoder`.
    """
    from songatlas.features.encoders.load import load_joint_encoder

    return np.asarray(unit(load_joint_encoder(name, settings).embed_text([text]))[0])


def answer(
    text: np.ndarray, songs: Sequence[str], vectors: np.ndarray, titles: pd.DataFrame, top: int
) -> pd.DataFrame:
    """The best `top` songs with `COLUMNS`, best first.

    `score` is the cosine similarity, `standing` how many standard deviations it lies above the mean
    of all songs: a best song that stands with the others is no answer.
    """
    similarity = vectors @ text
    order = np.argsort(-similarity, kind="stable")[:top]
    spread_of = similarity.std()
    known = titles.set_index("track_id")
    return pd.DataFrame(
        {
            "rank": np.arange(1, len(order) + 1),
            "title": [known["title"].get(songs[i]) for i in order],
            "artist": [known["artist"].get(songs[i]) for i in order],
            "score": similarity[order],
            "standing": (similarity[order] - similarity.mean()) / (spread_of or 1.0),
            "track_id": [songs[i] for i in order],
        },
        columns=list(COLUMNS),
    )


def answer_by_words(text: str, source: Mapping[str, Any], top: int) -> tuple[pd.DataFrame, str]:
    """The best `top` songs by lyrics, titles, tags, genres and languages, and what was compared.

    Args:
        source: paths of `tracks`, `titles` and `classes`; of `lyrics` (the feature `e5`) and `tags`
            (musicnn's vectors of songs) where the run has them.
    """
    from songatlas.features.lyrics import e5_engine

    songs = read_songs(source)
    embed, lyrics = None, None
    if source.get("lyrics") and e5_engine.engine() is not None:
        from songatlas.features.lyrics.e5 import E5

        encoder = E5()

        def embed(texts: Sequence[str]) -> np.ndarray:
            return np.asarray(encoder.transform(list(texts)), np.float64)

        lyrics = rows_of_songs(source["lyrics"], list(songs["track_id"]))
    tags = song_tags(source["tags"]) if source.get("tags") else NO_TAGS
    return find(text, Library(songs, lyrics, tags), embed, top)


def read_songs(source: Mapping[str, Any]) -> pd.DataFrame:
    """`track_id, lyrics, title, artist, language, genre` of every song, in order of its id."""
    tracks = tables.read(source["tracks"], tables.TRACKS, columns=["track_id", "lyrics"])
    titles = tables.read(source["titles"], tables.LABELS, columns=["track_id", "title", "artist"])
    known = tables.read(source["classes"], tables.LABELS, columns=["track_id", "language", "genre"])
    both = tracks.merge(titles, on="track_id", how="left").merge(known, on="track_id", how="left")
    return both.sort_values("track_id").reset_index(drop=True)


def rows_of_songs(parts: Sequence[str | Path], songs: Sequence[str]) -> np.ndarray:
    """A feature's vectors in the order of `songs`, (n, d) float64; zeros where it has none."""
    ids, values = tables.read_feature(parts)
    at = pd.Index(ids).get_indexer(pd.Index(songs))
    found = np.zeros((len(songs), *values.shape[1:]))
    found[at >= 0] = values[at[at >= 0]]
    return found


def readable_text(text: str | None) -> str:
    """The text on one line, at most `MOST_CHARACTERS` of it.

    Raises:
        SongatlasError: when there is none.
    """
    line = " ".join((text or "").split())
    if not line:
        raise SongatlasError(NO_TEXT)
    return line[:MOST_CHARACTERS]


def write_query(
    text: str | None,
    source: Mapping[str, Any],
    *,
    model: str | None,
    encoder: str | None,
    lyrics: Lyrics,
    pretrained: Pretrained | None,
    seed: int,
    top: int,
    device: str,
    csv: str | Path,
    md: str | Path,
) -> str:
    """Write the songs that fit `text` as two tables; the table as text.

    Args:
        source: as for `answer_by_words`; with a `model`, `weights` and `latents` (of audio alone),
            or `windows` and `features` of the joint encoder named `encoder`.
        model: what has words and sound in one space; None: songs are compared by words.

    Raises:
        SongatlasError: without a text, without a song, and as the functions above.
    """
    text = readable_text(text)
    if model is None:
        frame, note = answer_by_words(text, source, top)
    else:
        frame, note = _answer_by_model(
            text, source, model, encoder, lyrics, pretrained, seed, top, device
        )
    layout.write_csv(frame, csv)
    heading = f"Songs for “{text}”"
    shown = frame.drop(columns="track_id")
    layout.write_text(layout.markdown(shown, heading, notes=[note]), md)
    return "\n".join([heading, *map(_line, frame.to_dict("records")), note, str(csv)])


def _line(row: Mapping[Any, Any]) -> str:
    why = row["matched"] if "matched" in row else f"{row['standing']:+.1f} sd"
    return f"{row['rank']:>3}  {row['score']:+.2f}  {layout.song_name(row)}  {why}".rstrip()


def _answer_by_model(
    text: str,
    source: Mapping[str, Any],
    model: str,
    encoder: str | None,
    lyrics: Lyrics,
    pretrained: Pretrained | None,
    seed: int,
    top: int,
    device: str,
) -> tuple[pd.DataFrame, str]:
    """The best songs by a space of words and sound, and which that is."""
    if encoder is None:
        tracks = tables.read(source["tracks"], tables.TRACKS, columns=["track_id", "lyrics"])
        vector = text_by_model(text, source["weights"], tracks, lyrics, seed, device)
        songs, vectors = songs_of_model(source["latents"])
        how = f"the shared block of {model}; the text is read as lyrics"
    else:
        assert pretrained is not None
        vector = text_by_encoder(text, encoder, pretrained)
        windows = tables.read(source["windows"], tables.WINDOWS, columns=["window_id", "track_id"])
        songs, vectors = songs_of_encoder(source["features"], windows, len(vector))
        how = f"the joint space of {encoder}"
    if not songs:
        raise SongatlasError("query: no song of this run has audio to be found by")
    titles = tables.read(source["titles"], tables.LABELS, columns=["track_id", "title", "artist"])
    note = (
        f"{len(songs)} songs with audio, ranked by cosine similarity in {how}. standing: standard "
        "deviations above the mean of all songs."
    )
    return answer(vector, songs, vectors, titles, top), note
