"""Training on spectrograms that stay in their shards: the same windows, in bounded memory."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch

from songatlas import tables
from songatlas.errors import TableError
from songatlas.models.base import InputSpec
from songatlas.training import data, stored
from songatlas.training.data import Batches, Windows, read_windows
from songatlas.training.stored import StoredSpectrograms
from test_training import QUICK, run, same_weights

torch.set_num_threads(1)

SPEC = InputSpec(n_mels=16, n_frames=20, lyrics_dim=4, max_lines=3)
N_SONGS, N_WINDOWS = 12, 4


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Twelve songs of four windows in three shards, which are not in the order of the table."""
    ids = [f"t{song:02d}-{i}" for song in range(N_SONGS) for i in range(N_WINDOWS)]
    tracks = [window_id.split("-")[0] for window_id in ids]
    frame = pd.DataFrame({"window_id": ids, "track_id": tracks, "index": 0, "start_s": 0.0})
    frame = frame.assign(end_s=1.0, split="train", padded=False, lyrics=None)
    frame.loc[frame["track_id"] >= "t10", "split"] = "validation"
    tables.write(frame, tmp_path / "windows.parquet", tables.WINDOWS)
    mel = np.random.default_rng(0).normal(-40, 10, (len(ids), 16, 20)).astype(np.float16)
    for shard in range(3):
        with tables.FeatureWriter(
            tmp_path / f"part-{shard}.parquet", "logmel", (16, 20), "float16", units="dB"
        ) as writer:
            for song in range(N_SONGS - 1 - shard, -1, -3):
                rows = slice(song * N_WINDOWS, (song + 1) * N_WINDOWS)
                writer.write(ids[rows], mel[rows])
    return tmp_path


def parts(corpus: Path) -> list[Path]:
    return sorted(corpus.glob("part-*.parquet"))


def read(corpus: Path) -> Windows:
    return read_windows(corpus / "windows.parquet", parts(corpus), SPEC)[0]


@pytest.fixture
def both(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Windows, Windows]:
    """The windows in memory, and in their shards."""
    whole = read(corpus)
    monkeypatch.setattr(data, "IN_MEMORY_BYTES", 0)
    streamed = read(corpus)
    assert isinstance(whole.mel, torch.Tensor)
    assert isinstance(streamed.mel, StoredSpectrograms)
    return whole, streamed


def test_rows_are_those_of_memory(both: tuple[Windows, Windows]) -> None:
    whole, streamed = both
    rows = np.random.default_rng(1).permutation(len(whole))
    assert torch.equal(streamed.batch(rows)["mel"], whole.batch(rows)["mel"])
    assert streamed.mel.nbytes == whole.mel.nbytes
    # In order, without a seed, batches are the same.
    for one, other in zip(
        Batches(whole, np.arange(48), 7), Batches(streamed, np.arange(48), 7), strict=True
    ):
        assert torch.equal(one["mel"], other["mel"])
        assert torch.equal(one["row"], other["row"])


def test_an_epoch_reads_every_row_group_once(
    both: tuple[Windows, Windows], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, streamed = both
    song = 2 * 16 * 20 * N_WINDOWS
    # Pools of three songs, of which one more than fits is in memory.
    monkeypatch.setattr(stored, "POOL_BYTES", 3 * song)
    monkeypatch.setattr(stored, "KEPT_BYTES", 4 * song)
    groups: list[tuple[str, int]] = []
    whole_files = pq.ParquetFile.read_row_group

    def counted(self: pq.ParquetFile, group: int, **more: object) -> object:
        groups.append((str(id(self)), group))
        assert more["columns"] == ["values"]
        return whole_files(self, group, **more)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", counted)
    rows = streamed.rows("train")
    batches = Batches(streamed, rows, 5, seed=0)
    seen = torch.cat([batch["row"] for batch in batches])
    assert sorted(seen.tolist()) == rows.tolist()
    assert len(groups) == len(set(groups)) == 10
    assert streamed.mel._kept <= 4 * song  # type: ignore[union-attr]
    # Shuffled within a pool, and otherwise in the next epoch.
    first = [streamed.track_ids[row] for row in seen[:12].tolist()]
    assert len(set(first)) == 3
    assert first != sorted(first)
    batches.epoch = 1
    again = torch.cat([batch["row"] for batch in batches])
    assert again.tolist() != seen.tolist()
    batches.epoch = 0
    assert torch.equal(torch.cat([batch["row"] for batch in batches]), seen)


def test_pairs_and_whole_songs_stay_together(both: tuple[Windows, Windows]) -> None:
    _, streamed = both
    rows = streamed.rows("train")
    for batch in Batches(streamed, rows, 6, seed=0, pairs=True, whole_songs=True):
        counts = np.unique(batch["track"].numpy(), return_counts=True)[1]
        assert (counts == N_WINDOWS).all()
        assert not torch.equal(batch["pair"], batch["mel"])


def test_training_from_shards_is_repeatable_and_learns(both: tuple[Windows, Windows]) -> None:
    whole, streamed = both
    one, other = (run(streamed, "conv_vae") for _ in range(2))
    assert same_weights(one, other)
    in_memory = run(whole, "conv_vae")
    # One pool holds all twelve songs: the order, and so everything, is that of memory.
    assert same_weights(one, in_memory)


def test_a_resumed_training_takes_the_same_steps(
    both: tuple[Windows, Windows], tmp_path: Path
) -> None:
    from songatlas.training.module import TrainingModule

    _, streamed = both
    whole = run(streamed, "conv_vae")
    told = TrainingModule.pause
    calls = 0

    def stopped(self: TrainingModule, batch: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 7:
            self.signals.received = 15
        told(self, batch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrainingModule, "pause", stopped)
        with pytest.raises(BaseException, match="training is saved before batch"):
            run(streamed, "conv_vae", resume_folder=tmp_path / "resume")
    assert same_weights(run(streamed, "conv_vae", resume_folder=tmp_path / "resume"), whole)
    assert QUICK.max_epochs == 4


def test_what_is_missing_or_broken_is_named(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "IN_MEMORY_BYTES", 0)
    with pytest.raises(TableError, match="window nobody is missing"):
        StoredSpectrograms(parts(corpus), ["t00-0", "nobody"], (16, 20), torch.float16)
    broken = np.full((1, 16, 20), np.nan, np.float16)
    tables.write_feature(corpus / "broken.parquet", "logmel", ["x"], broken, units="dB")
    values = StoredSpectrograms([corpus / "broken.parquet"], ["x"], (16, 20), torch.float16)
    with pytest.raises(TableError, match=r"broken\.parquet: row group 0 holds NaN"):
        values[torch.tensor([0])]
    with pytest.raises(TableError, match="holds values of shape"):
        read_windows(
            corpus / "windows.parquet",
            parts(corpus),
            InputSpec(n_mels=8, n_frames=20, lyrics_dim=4, max_lines=3),
        )


def test_many_files_are_open_a_few_at_a_time(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "KEPT_FILES", 1)
    monkeypatch.setattr(data, "IN_MEMORY_BYTES", 0)
    windows = read(corpus)
    rows = np.arange(len(windows))
    assert windows.batch(rows)["mel"].shape == (48, 16, 20)
    assert len(windows.mel._files) == 1  # type: ignore[union-attr]
