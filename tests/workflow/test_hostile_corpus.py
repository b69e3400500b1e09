"""A corpus with every kind of bad input, through the whole workflow: nothing lost, nothing run."""

from pathlib import Path

import pandas as pd
import pytest

from hostile import Case, write_audio, write_lyrics
from pipeline import SMALL, snakemake, write_song
from songatlas import tables
from songatlas.report.fates import read_fates

INCLUDE = "include=basic_vae,descriptors"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(scope="module")
def cases(folder: Path) -> list[Case]:
    return [*write_audio(folder / "songs"), *write_lyrics(folder / "songs")]


@pytest.fixture(scope="module")
def output(folder: Path, cases: list[Case]) -> str:
    """What the run prints; the run is finished then."""
    for number in range(3):
        write_song(folder / "songs" / "español" / "rock" / f"{number}.wav", "rock", number, 9.0)
    (folder / "small.yaml").write_text(SMALL.replace("max_epochs: 2", "max_epochs: 1"))
    more = ("--configfile", "small.yaml", "--config", "corpus_path=songs", INCLUDE)
    wanted = ("tables/fates.csv", "tables/comparison.csv", "report/summary.md")
    done = snakemake(folder, *more, "--", *(f"results/small/{name}" for name in wanted))
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def results(folder: Path, output: str) -> Path:
    return folder / "results" / "small"


@pytest.fixture(scope="module")
def fates(results: Path) -> pd.DataFrame:
    return read_fates(results / "tables" / "fates.csv")


def test_every_file_has_one_fate(folder: Path, fates: pd.DataFrame, cases: list[Case]) -> None:
    files = [path for path in (folder / "songs").rglob("*") if not path.is_dir()]
    relative = {path.relative_to(folder).as_posix() for path in files}
    assert relative == set(fates["path"])
    assert (fates.groupby("path")["fate"].nunique() == 1).all()
    assert {case.path for case in cases} <= {path.removeprefix("songs/") for path in relative}


def test_every_kind_has_the_fate_that_is_documented(fates: pd.DataFrame, cases: list[Case]) -> None:
    rows = fates.assign(path=fates["path"].str.removeprefix("songs/")).set_index("path")
    wrong = []
    for case in cases:
        found = rows.loc[[case.path]]
        reasons = set(found["reason"].dropna())
        stages = set(found.loc[found["reason"] == case.reason, "stage"])
        right = set(found["fate"]) == {case.fate}
        right &= reasons == ({case.reason} if case.reason else set())
        if not right or (case.stage and case.stage not in stages):
            wrong.append((case, found.values.tolist()))
    assert not wrong


def test_every_other_song_is_processed(
    folder: Path, results: Path, fates: pd.DataFrame, cases: list[Case]
) -> None:
    tracks = tables.read(results / "corpus" / "tracks.parquet", tables.TRACKS)
    windows = tables.read(results / "corpus" / "windows.parquet", tables.WINDOWS)
    set_aside = fates.loc[fates["fate"] == "rejected", "path"]
    used = set(tracks.loc[~tracks["audio_path"].isin(set_aside), "track_id"])
    wanted = set(windows.loc[windows["track_id"].isin(used), "window_id"])
    for feature in ("logmel", "descriptors"):
        parts = sorted((results / "features" / feature).glob("part-*.parquet"))
        assert set(tables.read_feature(parts)[0]) == wanted, feature
    for model in ("basic_vae", "descriptors"):
        latents = tables.read(results / "latents" / model / "seed-0.parquet", tables.LATENTS)
        assert set(latents.loc[latents["level"] == "window", "window_id"]) == wanted, model
    comparison = pd.read_csv(results / "tables" / "comparison.csv")
    assert set(comparison["model"]) == {"basic_vae", "descriptors"}


def test_the_run_and_its_report_end_with_the_fates(
    output: str, results: Path, fates: pd.DataFrame
) -> None:
    each = fates.drop_duplicates("path")["fate"].value_counts()
    ending = output[output.index("inputs   ") :]
    for fate, words in {"warned": "used with a warning", "rejected": "set aside"}.items():
        assert f"{each[fate]} {words}: " in ending
    page = (results / "report" / "summary.md").read_text(encoding="utf-8")
    section = page.split("## What became of every input")[1].split("##")[0]
    rejected = fates[fates["fate"] == "rejected"]
    for (reason, stage), paths in rejected.groupby(["reason", "stage"])["path"]:
        assert f"| set aside | `{reason}` | `{stage}` | {paths.nunique()} |" in section


def test_labels_are_never_changed(results: Path) -> None:
    labels = tables.read(results / "corpus" / "labels.parquet", tables.LABELS).set_index("title")
    assert labels.loc["spanish", "language"] == "en"


def test_names_are_data(folder: Path, results: Path) -> None:
    assert not list(folder.rglob("touched*"))
    assert {path.name for path in folder.iterdir()} <= {
        "songs",
        "results",
        "small.yaml",
        ".snakemake",
    }
    assert "<script>alert" not in (results / "report" / "summary.md").read_text(encoding="utf-8")
