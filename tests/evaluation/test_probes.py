"""Probes: they find what is there, find nothing where nothing is, and keep artists apart."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from songatlas import tables
from songatlas.config.clustering import Clustering
from songatlas.config.evaluation import Probes
from songatlas.config.models import Baseline
from songatlas.evaluation.factors import Factor
from songatlas.evaluation.layers import write_encoder_latents
from songatlas.evaluation.probes_table import for_readers, gather, groups_of, measure, write_table
from songatlas.evaluation.probing import probe

N, DIM = 120, 8


def classes(values: np.ndarray) -> Factor:
    return Factor("genre", values.astype(np.int64), categorical=True)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("hidden", [None, 32])
def test_what_is_there_is_found_and_noise_is_not(
    rng: np.random.Generator, hidden: int | None
) -> None:
    genre = rng.integers(0, 3, N)
    artists = [f"a{i // 2}" for i in range(N)]
    z = rng.normal(size=(N, DIM))
    nothing = probe(z, classes(genre), artists, folds=5, seed=0, hidden=hidden)
    assert nothing.value < 0.55
    assert nothing.chance == pytest.approx(1 / 3, abs=0.1)
    z[:, 0] += 5.0 * genre
    found = probe(z, classes(genre), artists, folds=5, seed=0, hidden=hidden)
    assert found.value > 0.75
    assert found.ci_low <= found.value <= found.ci_high
    assert (found.n, found.classes) == (N, 3)
    again = probe(z, classes(genre), artists, folds=5, seed=0, hidden=hidden)
    assert again == found


def test_only_a_layer_reads_what_is_not_linear(rng: np.random.Generator) -> None:
    z = rng.normal(size=(400, 2))
    parity = classes((z[:, 0] * z[:, 1] > 0).astype(int))
    songs = [str(i) for i in range(400)]
    assert probe(z, parity, songs, folds=5, seed=0).value < 0.65
    assert probe(z, parity, songs, folds=5, seed=0, hidden=512).value > 0.9


def test_an_artist_gives_no_label_away(rng: np.random.Generator) -> None:
    """Vectors that know the artist alone: apart, they say nothing of a label that he has."""
    artist = np.repeat(np.arange(30), 4)
    voice = rng.normal(size=(30, 20)) * 5
    z = voice[artist] + rng.normal(size=(N, 20)) * 0.1
    genre = classes(rng.integers(0, 2, 30)[artist])
    together = probe(z, genre, [str(i) for i in range(N)], folds=5, seed=0)
    apart = probe(z, genre, [f"a{i}" for i in artist], folds=5, seed=0)
    assert together.value > 0.95
    assert apart.value < 0.75


def test_numbers_are_read_by_r_squared(rng: np.random.Generator) -> None:
    z = rng.normal(size=(N, DIM))
    tempo = Factor("tempo_bpm", 120 + 20 * z[:, 1] + rng.normal(size=N), categorical=False)
    songs = [str(i) for i in range(N)]
    found = probe(z, tempo, songs, folds=5, seed=0)
    assert found.value > 0.95
    assert found.chance < 0.02
    blind = probe(rng.normal(size=(N, DIM)), tempo, songs, folds=5, seed=0)
    assert blind.value < 0.1


def test_what_cannot_be_probed_says_why(rng: np.random.Generator) -> None:
    z = rng.normal(size=(N, DIM))
    songs = [str(i) for i in range(N)]
    assert probe(z, classes(np.zeros(N)), songs, folds=5, seed=0).note == "one value only"
    assert probe(z, classes(np.full(N, -1)), songs, folds=5, seed=0).note == "no song has it"
    one = probe(z, classes(np.arange(N) % 2), ["a"] * N, folds=5, seed=0)
    assert np.isnan(one.value)
    assert "share no artist" in str(one.note)


# --- the table ---------------------------------------------------------------------------------


def corpus(rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Latents of 48 songs, two windows each, and their labels: dimension 0 is genre, 1 tempo."""
    songs = [f"t{i:02d}" for i in range(48)]
    genre, tempo = np.arange(48) % 3, rng.uniform(80, 160, 48)
    z = rng.normal(size=(48, DIM)) * 0.3
    z[:, 0] += 2.0 * genre
    z[:, 1] += (tempo - 120) / 20
    rows = [np.repeat(songs, 2), np.repeat(z, 2, axis=0)]
    windows = [f"{song}-{i}" for song in songs for i in range(2)]
    split = ["train"] * 48
    latents = pd.concat(
        [
            tables.latents_frame("window", windows, list(rows[0]), ["train"] * 96, rows[1]),
            tables.latents_frame("song", None, songs, split, z),
        ]
    )
    labels = tables.empty(tables.LABELS).reindex(range(48))
    labels = labels.assign(
        track_id=songs,
        artist=[f"a{i // 2}" for i in range(48)],
        genre=[("folk", "pop", "rock")[i] for i in genre],
        factor_tempo_bpm=tempo,
    )
    return latents, labels


def test_the_table_of_probes(rng: np.random.Generator, tmp_path: Path) -> None:
    latents, labels = corpus(rng)
    settings = Probes(tasks=["language", "genre", "artist", "tempo_bpm"], hidden=32)
    common = {"seed": 0, "supervision": "none", "settings": settings}
    good = measure(latents, labels, model="good", **common)
    noise = latents.assign(z=list(rng.normal(size=(len(latents), DIM)).astype(np.float32)))
    bad = measure(noise, labels, model="bad", **common)
    paths = []
    for name, frame in (("bad", bad), ("good", good)):
        paths.append(tmp_path / f"{name}.parquet")
        tables.write(frame, paths[-1], tables.PROBES)
    table = gather([bad, good], ["bad", "good"])
    values = table.set_index(["task", "probe", "model"])["value"]
    assert values["genre", "linear", "good"] > 0.9 > 0.6 > values["genre", "linear", "bad"]
    assert values["tempo_bpm", "linear", "good"] > 0.8
    assert np.isnan(values["language", "linear", "good"])
    shown = for_readers(table)
    assert shown[shown["task"] == "genre"]["model"].tolist() == ["good", "bad"]
    outputs = {kind: tmp_path / f"probes.{kind}" for kind in ("csv", "md", "tex")}
    write_table(paths, **outputs, models=["bad", "good"], corpus_name="A corpus")
    text = outputs["md"].read_text(encoding="utf-8")
    assert "Not measured: language (no song has it): bad, good." in text
    assert len(pd.read_csv(outputs["csv"])) == 4 * 2 * 2
    assert "longtable" in outputs["tex"].read_text(encoding="utf-8")


# --- the layer that a probe chooses ------------------------------------------------------------


def test_the_layer_that_knows_the_task_is_chosen_and_labels_are_owned_up_to(
    rng: np.random.Generator, tmp_path: Path
) -> None:
    latents, labels = corpus(rng)
    rows = latents[latents["level"] == "window"]
    known = np.stack(list(rows["z"]))
    noise = rng.normal(size=(96, 2, 4)).astype(np.float32)
    # Three layers of widths 4, 8, 4; the middle one knows the genre.
    values = np.concatenate([noise[:, 0], known, noise[:, 1]], axis=1)
    layers = [["block 0", 4], ["block 1", 8], ["block 2", 4]]
    ids = rows["window_id"].tolist()

    def features_of(encoder: str) -> None:
        about = {"encoder": encoder, "layers": layers}
        part = tmp_path / "part-00.parquet"
        tables.write_feature(part, f"encoder-{encoder}", ids, values, units="", metadata=about)

    features_of("wavlm")
    windows = tables.empty(tables.WINDOWS).reindex(range(96))
    splits = ["test" if song >= "t40" else "train" for song in rows["track_id"]]
    windows = windows.assign(
        window_id=ids, track_id=rows["track_id"].tolist(), split=splits, index=0, padded=False,
        start_s=0.0, end_s=1.0,
    )  # fmt: skip
    tables.write(windows, tmp_path / "windows.parquet", tables.WINDOWS)
    tracks = tables.empty(tables.TRACKS).reindex(range(48))
    tracks = tracks.assign(
        track_id=labels["track_id"], source_id="", lyrics_source="none", split="train", status="ok"
    )
    tables.write(tracks, tmp_path / "tracks.parquet", tables.TRACKS)
    tables.write(labels, tmp_path / "labels.parquet", tables.LABELS)

    def write(layer: object, task: str = "genre") -> tuple[pd.DataFrame, dict]:
        write_encoder_latents(
            [tmp_path / "part-00.parquet"],
            *(tmp_path / f"{name}.parquet" for name in ("windows", "tracks", "labels", "out")),
            name="x",
            baseline=Baseline(kind="encoder", encoder="ast", layer=layer, probe_task=task),
            clustering=Clustering(),
        )
        out = tmp_path / "out.parquet"
        return tables.read(out, tables.LATENTS), tables.read_metadata(out)

    frame, info = write("probe")
    assert (info["supervision"], info["z_dim"]) == ("labels", 8)
    assert "layer 1 (block 1) of 3" in info["note"]
    assert "of 40 training songs" in info["note"]
    by_number, _ = write(1)
    z = [np.stack(list(one["z"])) for one in (frame, by_number)]
    np.testing.assert_array_equal(*z)
    _, info = write("mean")
    assert (info["supervision"], info["z_dim"]) == ("none", 4)
    # Weights that saw other people's labels say so; a layer that these labels chose saw these.
    features_of("ast")
    assert write("mean")[1]["supervision"] == "elsewhere"
    assert write("probe")[1]["supervision"] == "labels"
    # Labels that say nothing choose nothing.
    frame, info = write("probe", "language")
    assert len(frame) == 0
    assert "no layer could be chosen by a probe of language: no song has it" in info["note"]


def test_near_copies_are_never_apart() -> None:
    labels = pd.DataFrame({"track_id": ["a", "b", "c"], "artist": ["x", "Various", None]})
    copies = {"a": "a", "b": "a"}
    of_artists = groups_of(labels, ["a", "b", "c"], apart=True, recording_of=copies)
    assert of_artists == ["artist x", "artist x", "song c"]
    assert groups_of(labels, ["b"], apart=False, recording_of=copies) == ["song a"]
