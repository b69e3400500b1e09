"""The run's own words, each with those of near meaning, for a search without a server."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from songatlas import tables
from songatlas.features.lyrics import e5
from songatlas.words.meaning import (
    of_near_meaning,
    read_vocabulary,
    words_of_lyrics,
    write_vocabulary,
)


def test_words_are_near_where_both_are_among_each_others_nearest() -> None:
    vectors = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9], [-1.0, -1.0]])
    near = of_near_meaning(vectors, most=1)
    assert near == [[1], [0], [3], [2], []]
    assert of_near_meaning(np.zeros((0, 2))) == []
    assert of_near_meaning(np.ones((1, 2))) == [[]]


def test_words_of_lyrics_are_of_several_songs_and_not_of_half_of_a_language() -> None:
    lyrics = pd.Series(["the moon", "the moon", "the sea", "the road", "the sky", "la luna", None])
    languages = pd.Series(["en"] * 5 + ["es", None])
    assert words_of_lyrics(lyrics, languages) == ["moon"]


def test_the_vocabulary_holds_words_tags_and_languages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Engine:
        """Words that mean the same have the same vector."""

        def transform(self, texts: Sequence[str]) -> np.ndarray:
            axis = {"moon": 0, "luna": 0, "english": 1, "spanish": 1}
            return np.eye(3, dtype=np.float32)[[axis.get(text, 2) for text in texts]]

    monkeypatch.setattr(e5, "E5", Engine)
    n = 10
    lyrics = ["moon", "moon", "a", "b", "c", "luna", "luna", "d", "e", "f"]
    ids = [f"t{i}" for i in range(n)]
    tracks = tables.empty(tables.TRACKS).reindex(range(n)).assign(
        track_id=ids, source_id="s", lyrics=lyrics, lyrics_source="file", split="train", status="ok"
    )  # fmt: skip
    labels = tables.empty(tables.LABELS).reindex(range(n))
    labels = labels.assign(track_id=ids, language=["en"] * 5 + ["es"] * 5)
    source = {"tracks": tmp_path / "tracks.parquet", "classes": tmp_path / "classes.parquet"}
    tables.write(tracks, source["tracks"], tables.TRACKS)
    tables.write(labels, source["classes"], tables.LABELS)
    said = write_vocabulary({**source, "tags": []}, tmp_path / "words.parquet")
    assert said == "4 words"
    vocabulary = read_vocabulary(tmp_path / "words.parquet")
    assert vocabulary.words == ("english", "spanish", "luna", "moon")
    assert vocabulary.near == ((1,), (0,), (3,), (2,))
