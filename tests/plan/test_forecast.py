"""How long a run takes: measured rates times the music that it has."""

import csv
import json
import logging
from pathlib import Path

import pytest

from conftest import ROOT
from songatlas.config import feature_registry as registry
from songatlas.config.yaml_files import load_yaml
from songatlas.plan import forecast
from songatlas.plan.amounts import RATES
from songatlas.plan.corpus_files import BYTES_PER_S
from songatlas.plan.forecast import OTHERS, Forecast, MinutesLeft
from songatlas.plan.workflow import Plan

HOUR = round(3600 * BYTES_PER_S[".wav"])
CORPUS = ("corpus", None)


@pytest.fixture
def songs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two songs of an hour, as far as the sizes of their files say."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.wav", "b.wav"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(HOUR)
    return tmp_path


def made(songs: Path, jobs: list[forecast.Job], cores: int = 2, **changes: object) -> Forecast:
    """The forecast of a run of `config/folder.yaml` with these jobs left."""
    (songs / "changes.yaml").write_text(json.dumps({"corpus_path": str(songs), **changes}))
    paths = (ROOT / "config" / "config.yaml", ROOT / "config" / "folder.yaml")
    values = load_yaml(*paths, songs / "changes.yaml").model_dump(mode="json")
    return Forecast(Plan(values), cores, lambda: jobs)


def test_rates_have_a_source_and_are_of_jobs_that_there_are() -> None:
    with RATES.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert all(row["source"] and float(row["job_s"]) > 0 for row in rows)
    assert all((float(row["each_s"]) > 0) == bool(row["per"]) for row in rows)
    assert OTHERS in {row["job"] for row in rows}
    audio = {one.name for one in registry.heard()}
    assert audio <= {row["job"] for row in rows}


def test_every_model_of_the_default_config_has_a_rate(songs: Path) -> None:
    run = made(songs, [CORPUS], include=[])
    names = {run._name(("train", name)) for name in run.plan.models}
    assert {name for name in names if not name.startswith("train fusion")} <= run.rates.keys()


def test_features_take_time_by_the_hour_however_many_shards_there_are(songs: Path) -> None:
    rate = made(songs, []).rates["musicnn"]
    shards = [("musicnn", None)] * 4
    assert made(songs, shards).stages() == {"musicnn": 4 * rate.job_s + 2 * rate.each_s}
    # Of shards of which one alone is left, one.
    assert made(songs, shards[:1]).stages() == {"musicnn": rate.job_s + 0.5 * rate.each_s}


def test_what_is_behind_the_corpus_counts_before_it_is_known(songs: Path) -> None:
    stages = made(songs, [CORPUS]).stages()
    assert {"musicnn", "descriptors", "e5", "train vade of vectors"} <= stages.keys()
    assert "logmel" not in stages


def test_excerpts_take_less(songs: Path) -> None:
    shards = [("musicnn", None)] * 4
    [whole] = made(songs, shards).stages().values()
    [some] = made(songs, shards, excerpts=10).stages().values()
    assert some < whole


def test_a_training_takes_no_longer_than_its_limit(songs: Path) -> None:
    jobs = [("train", "conv_vae")]
    limited = made(songs, jobs, include=[], training={"max_minutes": 0.1})
    assert limited.stages() == {"train conv_vae": 6.0}


def test_an_untrained_control_takes_no_epochs(songs: Path) -> None:
    trained, untrained = (
        made(songs, [("train", name)], include=[]).stages()["train contrastive_audio"]
        for name in ("contrastive_audio", "contrastive_untrained")
    )
    assert untrained == 8.0 < trained


def test_the_first_line_names_what_takes_longest_and_what_was_guessed(songs: Path) -> None:
    line = made(songs, [CORPUS, ("musicnn", None)]).first_lines()
    assert line.startswith("time: about ")
    assert "on 2 cores (2 songs, 2.0 h of music by the sizes of their files): musicnn " in line
    assert line.endswith(tuple("sn"))
    assert ", the rest " in line


def test_minutes_left_follow_how_long_the_finished_jobs_took(
    songs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(forecast.time, "monotonic", lambda: clock[0])
    left = [("musicnn", None)] * 4
    run = made(songs, left, cores=1)
    each_s = run.total_s / 4
    said: list[str] = []
    handler = MinutesLeft(run, said.append)
    record = logging.LogRecord("snakemake", logging.INFO, "", 0, None, None, None)
    handler.emit(record)
    assert said == []
    record.event = "progress"
    # Half of it in three times the time: so will the other half.
    del left[2:]
    clock[0] = 3 * 2 * each_s
    handler.emit(record)
    handler.emit(record)
    assert said == [f"about {forecast._minutes(3 * 2 * each_s)} left"]
