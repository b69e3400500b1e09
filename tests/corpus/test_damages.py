"""Every second that still plays stands in its place, whatever was done to a file of any kind."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from damages import BEGINS_S, CONTAINERS, DAMAGES, HARMLESS, INSIDE, SECONDS, places, song
from songatlas import tables
from songatlas.config.corpus import Split, Windows
from songatlas.config.features import LogMel
from songatlas.corpus.build import build_corpus, shard_frames
from songatlas.corpus.probe import probe_sources
from songatlas.corpus.result import concat, sources_frame
from songatlas.corpus.sound.decode import decode
from songatlas.features.audio.logmel import write_logmel
from songatlas.report.fates import fates

TINY = LogMel(sample_rate_hz=4000, n_mels=16, n_fft=256, hop_length=256)
WINDOW_S = 5.0
RATE = 8000
NEAR_S = 0.1

EXAMPLE = st.tuples(
    st.sampled_from(sorted(CONTAINERS)),
    st.lists(st.sampled_from(sorted(DAMAGES)), min_size=1, max_size=2, unique=True).filter(
        lambda names: sum(name.startswith("joined") for name in names) < 2
    ),
    st.integers(0, 2**32 - 1),
)
"""A kind of file, what is done to it, and where: a seed."""


def drawn(count: int) -> list[tuple[str, list[str], int]]:
    examples = []

    @settings(max_examples=count, derandomize=True, database=None, deadline=None)
    @given(EXAMPLE)
    def draw(example: tuple[str, list[str], int]) -> None:
        examples.append(example)

    draw()
    return examples


def damaged(kind: str, names: list[str], seed: int) -> bytes:
    """What breaks a file's inside does so before another is joined to it, and cuts come last.

    Where the end of the first is broken, nobody can say where the second begins.
    """
    data, rng = song(kind), np.random.default_rng(seed)
    order = [*INSIDE, *(name for name in DAMAGES if name not in INSIDE and name != "cut"), "cut"]
    for name in sorted(names, key=order.index):
        data = DAMAGES[name](data, kind, rng)
    return data


def run(folder: Path, paths: list[Path]) -> pd.DataFrame:
    """Fates of files that are one corpus, through the functions that the rules call."""
    rows = [{"source_id": path.name, "audio_path": str(path)} for path in paths]
    none = tables.empty(tables.REJECTS), tables.empty(tables.WARNINGS)
    sources = sources_frame(rows)
    windows = Windows(length_s=WINDOW_S, hop_s=WINDOW_S)
    corpus = build_corpus(sources, probe_sources(sources), *none, windows, Split())
    files = [folder / f"{name}.parquet" for name in ("shard", "part", "rejects", "warnings")]
    tables.write(shard_frames(corpus, 1)[0], files[0], tables.SHARD)
    write_logmel(files[0], files[1], WINDOW_S, TINY, files[2], files[3])
    return fates(
        sources,
        corpus.tracks,
        concat([corpus.rejects, tables.read(files[2], tables.REJECTS)], tables.REJECTS),
        concat([corpus.warnings, tables.read(files[3], tables.WARNINGS)], tables.WARNINGS),
    )


def misplaced(path: Path) -> dict[int, float]:
    """Seconds that stand elsewhere, by their number: by how much, in seconds."""
    begun = places(decode(path, RATE), RATE, 2 * SECONDS)
    off = {second: place - second - BEGINS_S for second, place in begun.items()}
    return {second: round(by, 2) for second, by in off.items() if abs(by) > NEAR_S}


@pytest.mark.parametrize("count", [40, pytest.param(500, marks=pytest.mark.slow)])
def test_every_second_that_plays_stands_in_its_place(tmp_path: Path, count: int) -> None:
    examples = drawn(count)
    paths = [tmp_path / f"{number:03}" for number in range(len(examples))]
    for path, example in zip(paths, examples, strict=True):
        path.write_bytes(damaged(*example))
    told = run(tmp_path, paths)
    assert set(told["path"]) == {str(path) for path in paths}
    assert (told.groupby("path")["fate"].nunique() == 1).all()
    # The same sound under other tags is one song.
    unplayed = told[(told["fate"] == "rejected") & (told["reason"] != "duplicate")]
    wrong = {}
    for path, (kind, names, _) in zip(paths, examples, strict=True):
        if str(path) not in set(unplayed["path"]):
            wrong[f"{path.name}: {kind}, {names}"] = misplaced(path)
        elif set(names) <= set(HARMLESS):
            wrong[f"{path.name}: {kind}, {names}"] = {-1: 0.0}
    wrong = {name: off for name, off in wrong.items() if off}
    print(f"{len(paths)} files, {len(unplayed)} not used, {len(wrong)} wrong")
    print(unplayed["detail"].value_counts().to_string())
    assert not wrong
