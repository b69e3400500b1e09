"""`make map`: a folder of music in, what Snakemake is asked for out; what a run begins with."""

import json
import subprocess
from pathlib import Path

import pytest
from snakemake.common.configfile import load_configfile

from conftest import ROOT
from songatlas.config.corpus import EXCERPTS
from songatlas.config.run import Config
from songatlas.config.yaml_files import load_yaml
from songatlas.errors import SongatlasError
from songatlas.plan import map_library
from songatlas.plan.workflow import Plan

ODD = 'it\'s $HOME "x" #1: {a} é'


def plan_of(name: str, songs: Path, *behind: str) -> Plan:
    """The plan of a config file, with others behind it, of a folder of songs."""
    where = songs.with_suffix(".yaml")
    where.write_text(json.dumps({"corpus_path": str(songs)}))
    paths = (ROOT / "config" / one for one in ("config.yaml", name, *behind))
    return Plan(load_yaml(*paths, where).model_dump(mode="json"))


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("Music", "Music"),
        ("My Music (old)", "My-Music-old"),
        ("Années 80", "Annees-80"),
        ("-_.", "library-"),
        ("音楽", "library-"),
        ("demo", "library-"),
        ("corpora", "library-"),
    ],
)
def test_a_run_is_named_after_its_folder(folder: str, name: str) -> None:
    run = map_library.run_name(Path("/somewhere") / folder)
    assert run.startswith(name)
    assert (run == name) is not name.endswith("-")
    assert Config(run=run).run == run


def test_folders_without_a_name_in_ascii_do_not_share_a_run() -> None:
    assert map_library.run_name(Path("音楽")) != map_library.run_name(Path("музыка"))


@pytest.mark.parametrize("folder", [ODD, "2024", "1e5", "true", "[a]", "a: b"])
def test_snakemake_reads_back_the_path_that_was_given(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / folder).mkdir()
    read = load_configfile(map_library.arguments(f"{tmp_path / folder}/")[-1])
    assert read["corpus_path"] == str(tmp_path / folder)
    assert load_configfile(map_library.arguments(folder, "mine")[-1])["run"] == "mine"


def test_a_relative_path_is_of_this_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "songs").mkdir()
    monkeypatch.chdir(tmp_path / "songs")
    read = load_configfile(map_library.arguments(".")[-1])
    assert read == {"corpus_path": str(tmp_path / "songs"), "run": "songs"}


def test_what_is_no_folder_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "song.mp3").touch()
    for songs, problem in (
        ("", "say where the music is: make map SONGS=FOLDER"),
        (str(tmp_path / "away"), "no such folder"),
        (str(tmp_path / "song.mp3"), "is a file, not a folder"),
    ):
        with pytest.raises(SongatlasError, match=problem) as error:
            map_library.arguments(songs)
        assert "\n" not in str(error.value)


def test_make_hands_on_a_path_as_it_is(tmp_path: Path) -> None:
    """Make expands `$`, shells act on quotes: neither may see those of a path."""
    command = ["make", "-n", "map", "STAMP=", f"SONGS={tmp_path}/{ODD}", "CORES=2"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    [line] = [line for line in printed.splitlines() if "songatlas.plan.map_library" in line]
    arguments = line.partition("songatlas.plan.map_library ")[2]
    shell = ["bash", "-c", f"printf '%s\\0' {arguments}"]
    seen = subprocess.run(shell, capture_output=True, text=True, check=True).stdout
    assert seen.split("\0")[:-1] == [f"{tmp_path}/{ODD}", "", "2"]


@pytest.mark.parametrize("name", ["library.yaml", "folder.yaml", "manifest.yaml"])
def test_a_map_trains_two_models_and_computes_no_spectrogram(name: str, tmp_path: Path) -> None:
    plan = plan_of(name, tmp_path)
    assert plan.config.selected_models == ["vade_musicnn", "multimodal_vade"]
    baselines = set(plan.config.baselines) - set(plan.config.selected_baselines)
    assert baselines == {"raw", "pca", "mean_mel"}
    assert "logmel" not in plan.features
    assert plan.config.targets == (["names", "explorer"] if name == "library.yaml" else [])
    assert plan.config.training.max_minutes is not None


@pytest.mark.parametrize("name", ["library.yaml", "folder.yaml", "manifest.yaml"])
def test_the_whole_family_is_one_more_config_file(name: str, tmp_path: Path) -> None:
    plan = plan_of(name, tmp_path, "full.yaml")
    assert plan.config.selected_models == list(plan.config.models)
    assert plan.config.selected_baselines == list(plan.config.baselines)
    assert "logmel" in plan.features
    assert plan.config.training.max_minutes is None
    assert plan.config.models["cvae_genre"].options["n_classes"] is None


# --- excerpts ----------------------------------------------------------------------------------


def excerpts(tmp_path: Path, songs: int) -> int | str | None:
    """Those of a plan of a folder with so many files, in a working directory of its own."""
    folder = tmp_path / "songs" / "en" / "pop"
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(songs):
        (folder / f"{number}.mp3").touch()
    return plan_of("folder.yaml", tmp_path / "songs").config.excerpts


def begin(tmp_path: Path, **settings: int | None) -> None:
    """A run that was begun with these settings."""
    (tmp_path / "results" / "folder").mkdir(parents=True)
    begun = tmp_path / ".snakemake" / "songatlas" / "folder.yaml"
    begun.parent.mkdir(parents=True)
    begun.write_text(json.dumps(settings))


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Three songs are many."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("songatlas.plan.workflow.MANY_SONGS", 2)


@pytest.mark.usefixtures("few")
def test_a_run_that_begins_with_many_songs_hears_excerpts(tmp_path: Path) -> None:
    assert excerpts(tmp_path, 2) is None
    assert excerpts(tmp_path, 3) == EXCERPTS


@pytest.mark.usefixtures("few")
def test_a_run_that_grows_keeps_what_it_began_with(tmp_path: Path) -> None:
    begin(tmp_path, excerpts=None)
    assert excerpts(tmp_path, 3) is None


@pytest.mark.usefixtures("few")
def test_a_run_that_shrinks_keeps_its_excerpts_elsewhere_too(tmp_path: Path) -> None:
    (tmp_path / "results" / "folder").mkdir(parents=True)
    (tmp_path / "results" / "folder" / "config.yaml").write_text("excerpts: 10\n")
    assert excerpts(tmp_path, 1) == 10
