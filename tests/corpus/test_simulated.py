"""The simulated corpus that planning is measured with, and shards of many songs."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from songatlas import tables
from songatlas.config.corpus import Split, Windows
from songatlas.config.features import LogMel
from songatlas.corpus import readers, simulated
from songatlas.corpus.build import shard_frames
from songatlas.corpus.shards import shard_of


@pytest.mark.parametrize(("songs", "shards"), [(1, 1), (256, 1), (257, 2), (1_000_000, 1000)])
def test_rule_of_thumb(songs: int, shards: int) -> None:
    assert simulated.shards_for(songs) == shards


def built(songs: int) -> object:
    found = simulated.sources(songs)
    return simulated.corpus(found, simulated.probed(found), Windows(), Split())


def test_every_window_is_in_the_shard_of_its_track_and_in_no_other() -> None:
    corpus = built(200)
    frames = shard_frames(corpus, 7)
    assert len(frames) == 7
    for shard, frame in enumerate(frames):
        assert {shard_of(track, 7) for track in frame["track_id"]} <= {shard}
        assert list(frame["window_id"]) == sorted(frame["window_id"])
        assert list(frame.index) == list(range(len(frame)))
    together = sorted(pd.concat(frames)["window_id"])
    assert together == sorted(corpus.windows["window_id"])


def test_added_songs_touch_their_shards_alone() -> None:
    found = simulated.sources(120)
    seen = simulated.probed(found)
    few = simulated.corpus(found[:118], seen[:118], Windows(), Split())
    many = simulated.corpus(found, seen, Windows(), Split())
    added = {shard_of(track, 50) for track in seen["track_id"][118:]}
    before, after = shard_frames(few, 50), shard_frames(many, 50)
    for shard, (old, new) in enumerate(zip(before, after, strict=True)):
        assert old.equals(new) is (shard not in added)


def test_empty_shards_are_there() -> None:
    frames = shard_frames(built(2), 64)
    assert len(frames) == 64
    assert all(list(frame.columns) == list(tables.SHARD.columns) for frame in frames)


def test_the_manifest_is_read_back(tmp_path: Path) -> None:
    found = simulated.sources(30)
    simulated.write_manifest(found, tmp_path / "manifest.csv")
    again = readers.read("manifest", tmp_path / "manifest.csv").sources
    assert list(again["title"]) == list(found["title"])
    assert list(again["genre"]) == list(found["genre"])


def test_feature_parts_stream_by_row_group(tmp_path: Path) -> None:
    path = tmp_path / "part-00.parquet"
    ids = [f"w{number:03d}" for number in range(150)]
    simulated.write_logmel_part(ids, path, LogMel(n_mels=16, hop_length=2048), 2.0)
    groups = list(tables.iter_feature([path]))
    assert [len(some) for some, _ in groups] == [64, 64, 22]
    assert [i for some, _ in groups for i in some] == ids
    assert all(np.isfinite(values).all() for _, values in groups)
