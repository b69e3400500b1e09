"""Tags of songs: one vocabulary of two networks, and the table."""

from pathlib import Path

import numpy as np
import pandas as pd

from songatlas import tables
from songatlas.features.encoders.musicnn import VALUES, tags
from songatlas.words.tags import joined_names, never_shown, song_tags, top_tags, write_song_tags


def musicnn_songs(path: Path, probabilities: dict[str, dict[str, float]]) -> Path:
    """A part of the feature `musicnn` in which songs have some tags (all of a name's doubles)."""
    values = np.zeros((len(probabilities), VALUES), np.float32)
    for row, of_song in enumerate(probabilities.values()):
        for tag, probability in of_song.items():
            values[row, 400 + tags().index(tag)] = probability
    about = {"tags": tags(), "weights": "none"}
    ids = list(probabilities)
    tables.write_feature(path, "musicnn", ids, values, key="track_id", units="1", metadata=about)
    return path


def test_every_tag_of_both_networks_has_one_name() -> None:
    assert set(joined_names()) == set(tags())
    doubles = ("female vocalists", "female vocalist", "woman", "female voice")
    assert {joined_names()[tag] for tag in doubles} == {"female voice"}
    assert never_shown() < set(joined_names().values())
    assert {"sexy", "catchy", "00s"} < never_shown()


def test_of_doubles_the_surest_counts(tmp_path: Path) -> None:
    part = musicnn_songs(
        tmp_path / "songs.parquet",
        {"t2": {"female vocalists": 0.2, "woman": 0.7}, "t1": {"rock": 0.5, "sexy": 0.9}},
    )
    of = song_tags([part])
    assert of.songs == ("t1", "t2")
    assert of.probabilities[1, of.names.index("female voice")] == np.float32(0.7)
    assert "sexy" in of.names
    assert "sexy" not in of.shown().names
    first = top_tags(of).query("rank == 1").set_index("track_id")["tag"]
    assert dict(first) == {"t1": "sexy", "t2": "female voice"}


def test_the_table_of_tags(tmp_path: Path) -> None:
    part = musicnn_songs(tmp_path / "songs.parquet", {"t1": {"metal": 0.8, "hard rock": 0.4}})
    titles = tables.empty(tables.LABELS).reindex(range(1)).assign(track_id="t1", title="<b>One</b>")
    tables.write(titles, tmp_path / "titles.parquet", tables.LABELS)
    csv = tmp_path / "song_tags.csv"
    assert "1 songs" in write_song_tags([part], tmp_path / "titles.parquet", csv)
    frame = pd.read_csv(csv)
    assert list(frame.columns) == ["track_id", "title", "tag", "probability", "rank"]
    assert list(frame["tag"][:2]) == ["metal", "hard rock"]
    assert list(frame["rank"]) == list(range(1, 11))
    assert set(frame["title"]) == {"<b>One</b>"}


def test_songs_without_audio_have_no_tags(tmp_path: Path) -> None:
    part = musicnn_songs(tmp_path / "songs.parquet", {})
    assert top_tags(song_tags([part])).empty
