"""Versions of runs: `dvc.yaml` and the workflow agree; a pushed run is restored, or made anew."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import yaml

from conftest import ROOT
from pipeline import SMALL, copy_repository, write_corpus
from songatlas import tables
from songatlas.run.versions import records, restore, run, state, store

# --- dvc.yaml and the workflow ------------------------------------------------------------------


@pytest.fixture(scope="module")
def stages() -> dict[str, dict[str, list[str]]]:
    """Stages as DVC resolves them: commands, outs, deps; `persist` and `cache` of every out."""
    from dvc.repo import Repo

    with Repo(str(ROOT)) as repository:
        return {
            stage.addressing: {
                "cmd": stage.cmd,
                "outs": [str(out) for out in stage.outs],
                "deps": [str(dep) for dep in stage.deps],
                "kept": [out.persist and out.use_cache for out in stage.outs],
                "after": [s.addressing for s in repository.index.graph.successors(stage)],
            }
            for stage in repository.index.stages
        }


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Outputs of every rule, with wildcards, logs and benchmarks."""
    code = """
import json, sys
from pathlib import Path
from snakemake.api import SnakemakeApi
from snakemake.settings.types import OutputSettings, Quietness, ResourceSettings
with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
    flow = api.workflow(ResourceSettings(cores=1), snakefile=Path(sys.argv[1]), workdir=Path("."))
    rules = flow._workflow.rules
    files = lambda rule: [*rule.output, *rule.log, *filter(None, [rule.benchmark])]
    print(json.dumps({rule.name: [str(file) for file in files(rule)] for rule in rules}))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(ROOT / "Snakefile")],
        cwd=tmp_path_factory.mktemp("rules"),
        env={**os.environ, "PYTHONPATH": str(ROOT / "scripts")},
        capture_output=True,
        text=True,
        check=True,
    )
    listed: dict[str, list[str]] = json.loads(done.stdout.splitlines()[-1])
    return listed


def config() -> dict:
    return yaml.safe_load((ROOT / "config" / "config.yaml").read_text("utf-8"))


def test_every_stage_calls_a_target_of_the_workflow(stages: dict, rules: dict) -> None:
    for name, stage in stages.items():
        command, target = stage["cmd"][1].split(" -- ")
        assert command == "snakemake --cores all --resources gpu=1", name
        assert target in rules, name


def test_every_model_of_the_config_has_a_training_stage(stages: dict) -> None:
    trained = {name.split("@")[1] for name in stages if name.startswith("training@")}
    assert trained == set(config()["models"])


def test_outs_cover_what_rules_write(stages: dict, rules: dict) -> None:
    outs = [out for stage in stages.values() for out in stage["outs"]]
    models = tuple(f"results/demo/models/{name}" for name in config()["models"])
    for rule, files in rules.items():
        for file in files:
            if file.startswith("results/corpora/") and not file.startswith("results/corpora/demo"):
                continue  # log and benchmark of the synthesis, which no run owns
            on_request = ("assign/", "query/", "playlists")
            if file.startswith(tuple(f"results/demo/{name}" for name in on_request)):
                continue  # songs that came later, questions, playlists: no part of the run
            covered = any(file == out or file.startswith(out + "/") for out in outs)
            if file.startswith("results/demo/models/{model,"):
                covered = set(models) <= set(outs)
            assert covered, f"{file} of rule {rule}"


def test_no_out_is_deleted_before_a_stage_runs_and_all_are_cached(stages: dict) -> None:
    assert all(all(stage["kept"]) for stage in stages.values())


def test_stages_follow_one_another(stages: dict) -> None:
    trainings = {name for name in stages if name.startswith("training@")}
    assert stages["corpus"]["after"] == []
    assert set(stages["features"]["after"]) == {"corpus"}
    assert all(set(stages[name]["after"]) == {"corpus", "features"} for name in trainings)
    assert set(stages["latents"]["after"]) == {"corpus", "features", *trainings}
    assert set(stages["comparison"]["after"]) == {"corpus", "latents", *trainings}


def test_each_stage_records_its_own_outs(stages: dict) -> None:
    for name, stage in stages.items():
        _, record, *recorded = stage["cmd"][2].split("songatlas.run.versions.records")[1].split(" ")
        assert set(stage["outs"]) == {record, *recorded}, name


def test_results_and_stores_stay_out_of_git() -> None:
    for path in ("results/demo/models/x/weights.ckpt", ".dvc/cache/files", ".dvc/config.local"):
        done = subprocess.run(["git", "check-ignore", "-q", path], cwd=ROOT)
        assert done.returncode == 0, path


def test_dvc_sees_the_files_of_runs_that_git_holds() -> None:
    """It takes a folder for ignored when a pattern fits the folder's own name with a slash."""
    from dvc.scm import Git

    with Git(str(ROOT)) as scm:
        ignored = [scm.is_ignored(f"results/{name}") for name in ("", "mine.dvc", "mine/")]
    assert ignored == [False, False, True]


def test_nothing_blesses_results() -> None:
    files = [ROOT / "Makefile", ROOT / "dvc.yaml", *(ROOT / "scripts").rglob("*.py")]
    assert not [path for path in files if "--touch" in path.read_text("utf-8")]


# --- restoring, piece by piece ------------------------------------------------------------------


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of two files, the second made from the first, as it lies after `dvc pull`."""
    monkeypatch.chdir(tmp_path)
    folder = Path("results/r")
    (folder / "corpus").mkdir(parents=True)
    (folder / "corpus/a").write_text("first")
    (folder / "corpus/b").write_text("second")
    digest = records.identify(folder / "corpus/a").sha256
    state.write_record("results/r/corpus/a", {"rule": "a", "input_checksums": {}})
    checksums = {"results/r/corpus/a": f"sha256:{digest}"}
    state.write_record("results/r/corpus/b", {"rule": "b", "input_checksums": checksums})
    records.collect([folder / "corpus"]).write(folder / "provenance/corpus.json")
    shutil.rmtree(".snakemake")
    for path in (folder / "corpus").iterdir():
        os.utime(path, (1, 1))
    return folder


def test_what_is_as_recorded_gets_its_record_and_time_back(made: Path) -> None:
    outcome = restore.restore("r")
    assert outcome.complete
    assert outcome.verified == ["results/r/corpus/a", "results/r/corpus/b"]
    assert state.read_record("results/r/corpus/a") == {"rule": "a", "input_checksums": {}}
    assert (made / "corpus/a").stat().st_mtime > 1


def test_a_corrupted_file_is_named_and_set_aside(made: Path) -> None:
    (made / "corpus/a").write_text("fIrst")
    outcome = restore.restore("r")
    assert outcome.corrupted == ["results/r/corpus/a"]
    assert not (made / "corpus/a").exists()
    assert (made / "set-aside/results/r/corpus/a").read_text() == "fIrst"
    assert state.read_record("results/r/corpus/a") is None
    assert "corrupted, set aside: results/r/corpus/a" in outcome.text("r")


def test_a_missing_file_is_named(made: Path) -> None:
    (made / "corpus/a").unlink()
    outcome = restore.restore("r")
    assert outcome.missing == ["results/r/corpus/a"]
    assert "missing: results/r/corpus/a" in outcome.text("r")


def test_a_missing_file_comes_from_the_cache_when_it_is_there(made: Path) -> None:
    path = made / "corpus/a"
    cached = store.cached(records.identify(path).md5)
    cached.parent.mkdir(parents=True)
    path.rename(cached)
    assert restore.restore("r").complete
    assert path.read_text() == "first"


def test_a_corrupted_object_leaves_the_cache(made: Path) -> None:
    md5 = records.identify(made / "corpus/a").md5
    store.cached(md5).parent.mkdir(parents=True)
    for path in (made / "corpus/a", store.cached(md5)):
        path.write_text("fIrst")
    restore.restore("r")
    assert not store.cached(md5).exists()


def test_a_file_that_is_no_result_is_left_alone(made: Path) -> None:
    (made / "corpus/notes.txt").write_text("mine")
    assert restore.restore("r").complete
    assert (made / "corpus/notes.txt").read_text() == "mine"


def newer_record(path: Path, **more: object) -> dict:
    """Snakemake's record of a job that has just written `path`."""
    written = path.stat().st_mtime
    record = {"starttime": written - 1, "endtime": written + 1, "params": ["other"], **more}
    state.write_record(path.as_posix(), record)
    return record


def test_what_was_made_here_is_left_alone(made: Path) -> None:
    for name, text in (("a", "newer"), ("c", "new")):
        (made / "corpus" / name).write_text(text)
        record = newer_record(made / "corpus" / name)
    outcome = restore.restore("r")
    assert outcome.local == ["results/r/corpus/a"]
    assert (made / "corpus/a").read_text() == "newer"
    assert (made / "corpus/c").read_text() == "new"
    assert state.read_record("results/r/corpus/c") == record


def test_of_two_records_of_the_same_bytes_stages_keep_the_one_from_here(made: Path) -> None:
    (made / "corpus/a").write_text("first")
    record = newer_record(made / "corpus/a")
    restore.restore("r", keep_local=True)
    assert state.read_record("results/r/corpus/a") == record
    restore.restore("r")
    assert state.read_record("results/r/corpus/a") == {"rule": "a", "input_checksums": {}}


def test_of_two_records_of_the_same_bytes_the_one_whose_inputs_are_there_is_kept(
    made: Path,
) -> None:
    """Back from an experiment that wrote `b` again, from another `a`, to the same bytes."""
    (made / "corpus/b").write_text("second")
    newer_record(made / "corpus/b", input_checksums={"results/r/corpus/a": "sha256:other"})
    assert restore.restore("r", keep_local=True).complete
    given = state.read_record("results/r/corpus/b")
    assert given is not None
    assert given["rule"] == "b"


def test_a_file_that_dvc_exchanged_gets_the_record_of_its_own_version(made: Path) -> None:
    """`dvc checkout` brought `b` of an older version; Snakemake's record is of a newer one."""
    (made / "corpus/a").write_text("first of a newer version")
    newer_record(made / "corpus/a")
    now = (made / "corpus/b").stat().st_mtime
    record = {"starttime": now - 1000, "endtime": now - 900, "params": ["newer"]}
    state.write_record("results/r/corpus/b", record)
    outcome = restore.restore("r")
    given = state.read_record("results/r/corpus/b")
    assert given is not None
    assert given["rule"] == "b"
    assert outcome.outdated == ["results/r/corpus/b (from another results/r/corpus/a)"]
    # Each stage of `dvc repro` looks again: what was made here is still known to be.
    assert restore.restore("r", keep_local=True).local == ["results/r/corpus/a"]
    assert (made / "corpus/a").stat().st_mtime > (made / "corpus/b").stat().st_mtime


def test_damaged_records_vouch_for_nothing(made: Path) -> None:
    (made / "provenance/corpus.json").write_text('{"format": 1')
    outcome = restore.restore("r")
    assert len(outcome.problems) == 1
    assert len(outcome.unrecorded) == 2
    assert not list((made / "corpus").iterdir())


def test_files_made_from_other_inputs_are_noticed(made: Path) -> None:
    """Two versions beside each other: the input becomes newer, so that Snakemake compares."""
    (made / "corpus/a").write_text("another version of the first")
    path = made / "provenance/corpus.json"
    stored = records.read(path)
    files = {**stored.files, "results/r/corpus/a": records.identify(made / "corpus/a")}
    records.Records(files, stored.made).write(path)
    outcome = restore.restore("r")
    assert outcome.outdated == ["results/r/corpus/b (from another results/r/corpus/a)"]
    assert (made / "corpus/a").stat().st_mtime > (made / "corpus/b").stat().st_mtime


def test_records_cannot_name_files_outside_results(made: Path) -> None:
    path = made / "provenance/corpus.json"
    path.write_text(path.read_text().replace("results/r/corpus/a", "results/../../etc/a"))
    outcome = restore.restore("r")
    assert "not under results/" in outcome.problems[0]


def test_a_run_without_records_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(records.RecordsError, match="was it pushed"):
        restore.restore("absent")


@pytest.mark.parametrize("name", ["results/demo/corpus/tracks.parquet", "results/" + "x" * 400])
def test_records_lie_where_snakemake_looks_for_them(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from snakemake.persistence.file import FilePersistence

    monkeypatch.chdir(tmp_path)
    state.write_record(name, {"rule": "a", "params": ["1"], "record_format_version": 6})
    found = FilePersistence(path=tmp_path / ".snakemake")._read_record(name)
    assert found is not None
    assert (found.rule, found.params) == ("a", ["1"])


# --- housekeeping -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "/tmp", "corpora", "absent", "-r"])
def test_only_runs_are_removed(name: str, made: Path) -> None:
    Path("results/corpora").mkdir()
    with pytest.raises(run.RunError):
        run.clean(name)
    assert made.is_dir()
    assert Path("results/corpora").is_dir()


def test_a_link_is_no_run(made: Path, tmp_path: Path) -> None:
    Path("results/link").symlink_to(tmp_path, target_is_directory=True)
    with pytest.raises(run.RunError):
        run.clean("link")
    assert made.is_dir()


def test_a_removed_run_leaves_no_record(made: Path) -> None:
    restore.restore("r")
    run.clean("r")
    assert not made.exists()
    assert state.read_record("results/r/corpus/a") is None


def test_the_disk_report_sums_stages(made: Path) -> None:
    (made / "models").mkdir()
    (made / "models/w").write_bytes(bytes(2_000_000))
    (made / "card").write_bytes(bytes(10))
    found = {stage: (count, size) for stage, count, size in run.disk("r")}
    assert found["models"] == (1, 2_000_000)
    assert found["corpus"] == (2, len("first") + len("second"))
    assert found["."] == (1, 10)
    assert run.report("r").splitlines()[1].split() == ["models", "1", "2.0"]


# --- a run of the workflow, pushed and restored -------------------------------------------------

TABLE = "results/small/tables/comparison.csv"
TRACKED = ("results/small.dvc", "results/small.records.json.dvc")


class Project:
    """A copy of this repository under version control, and commands in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *command: str, check: bool = True, **more: str) -> str:
        environment = {
            **os.environ,
            "PYTHONPATH": f"{self.folder / 'scripts'}:{os.environ.get('PYTHONPATH', '')}",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "OMP_NUM_THREADS": "1",
            "DVC_NO_ANALYTICS": "1",
            **{
                f"GIT_{who}_{what}": "t@t"
                for who in ("AUTHOR", "COMMITTER")
                for what in ("NAME", "EMAIL")
            },
            **more,
        }
        done = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True
        )
        if check and done.returncode:
            raise AssertionError(f"{command}\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}")
        return done.stdout + done.stderr

    def python(self, module: str, *arguments: str, check: bool = True, **more: str) -> str:
        return self(sys.executable, "-m", module, *arguments, check=check, **more)

    def snakemake(self, *arguments: str) -> str:
        return self.python("snakemake", "--cores", "2", "--resources", "gpu=1", *arguments)

    def commit(self) -> None:
        self("git", "add", "--all")
        self("git", "commit", "--quiet", "--message", "state")

    def clone(self, folder: Path, remote: str) -> "Project":
        """A fresh clone elsewhere, whose default remote is `remote`."""
        self("git", "clone", "--quiet", str(self.folder), str(folder))
        other = Project(folder)
        other.python("dvc", "remote", "modify", "--local", "store", "url", remote)
        return other


def new_project(folder: Path) -> Project:
    folder.mkdir()
    copy_repository(folder)
    # The lock of another version of the run says nothing here.
    (folder / "dvc.lock").unlink(missing_ok=True)
    project = Project(folder)
    project("git", "init", "--quiet")
    return project


OPTIONS = ("--configfile", "small.yaml", "--config", "corpus_path=songs", "include=basic_vae,raw")


@pytest.fixture(scope="module")
def pushed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A small finished run with one trained model and one baseline, in the store beside it."""
    base = tmp_path_factory.mktemp("versions")
    project = new_project(base / "gpu box")
    write_corpus(project.folder / "songs")
    (project.folder / "small.yaml").write_text(SMALL, encoding="utf-8")
    project.snakemake(*OPTIONS, "--", TABLE)
    project.commit()
    project.python("dvc", "remote", "modify", "store", "url", str(base / "store"))
    project.python("songatlas.run.versions.store", "small")
    project.commit()
    return project


@pytest.fixture
def laptop(pushed: Project, tmp_path: Path) -> Project:
    """A fresh clone that can see a store of its own."""
    shutil.copytree(pushed.folder.parent / "store", tmp_path / "store")
    return pushed.clone(tmp_path / "laptop", str(tmp_path / "store"))


def plan(project: Project, *options: str) -> str:
    return project.snakemake(*(options or OPTIONS), "--dry-run", "--", TABLE)


def planned_rules(project: Project, *options: str) -> set[str]:
    lines = plan(project, *options).split("Job stats:")[-1].splitlines()
    return {
        line.split()[0] for line in lines if len(line.split()) == 2 and line.split()[1].isdigit()
    }


@pytest.mark.slow
def test_a_restored_run_has_nothing_to_do(laptop: Project) -> None:
    text = laptop.python("songatlas.run.versions.restore", "small")
    assert "files verified" in text
    assert "Nothing to be done" in plan(laptop)
    assert "up to date" in laptop.python("dvc", "status", *TRACKED)
    assert not laptop("git", "status", "--porcelain")


@pytest.mark.slow
def test_results_of_another_config_are_not_blessed(laptop: Project) -> None:
    laptop.python("songatlas.run.versions.restore", "small")
    (laptop.folder / "other.yaml").write_text(
        SMALL.replace("models:\n", "models:\n  basic_vae: {beta: 2.0}\n"), encoding="utf-8"
    )
    assert {"train", "latents", "clusters", "comparison"} <= planned_rules(
        laptop, "--configfile", "other.yaml", *OPTIONS[2:]
    )


@pytest.mark.slow
def test_results_that_no_version_holds_stop_restoring(laptop: Project) -> None:
    laptop.python("songatlas.run.versions.restore", "small")
    other = SMALL.replace("permutations: 20", "permutations: 21")
    (laptop.folder / "other.yaml").write_text(other, encoding="utf-8")
    laptop.snakemake("--configfile", "other.yaml", *OPTIONS[2:], "--", TABLE)
    made = (laptop.folder / TABLE).read_bytes()

    text = laptop.python("songatlas.run.versions.restore", "small", check=False)
    assert "in no version" in text
    assert "make clean-run RUN=small" in text
    assert (laptop.folder / TABLE).read_bytes() == made
    assert "files verified" not in text

    laptop.python("songatlas.run.versions.run", "clean", "small")
    assert "files verified" in laptop.python("songatlas.run.versions.restore", "small")
    assert (laptop.folder / TABLE).read_bytes() != made
    assert "Nothing to be done" in plan(laptop)


def object_of(project: Project, name: str, base: Path) -> Path:
    """Where the store holds a file of the run."""
    md5 = records.read(project.folder / "results/small.records.json").files[name].md5
    return base / "store" / "files" / "md5" / md5[:2] / md5[2:]


WEIGHTS = "results/small/models/basic_vae/seed-0/weights.ckpt"
LATENTS = "results/small/latents/basic_vae/seed-0.parquet"


@pytest.mark.parametrize("harm", ["corrupted", pytest.param("removed", marks=pytest.mark.slow)])
def test_a_harmed_object_is_named_and_made_anew(
    harm: str, pushed: Project, laptop: Project, tmp_path: Path
) -> None:
    path = object_of(pushed, LATENTS, tmp_path)
    if harm == "removed":
        path.unlink()
    else:
        path.chmod(0o644)
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    text = laptop.python("songatlas.run.versions.restore", "small", check=False)
    assert LATENTS in text
    assert not (laptop.folder / LATENTS).exists()
    # What was set aside is in nobody's way.
    again = laptop.python("songatlas.run.versions.restore", "small", check=False)
    assert "in no version" not in again
    laptop.snakemake(*OPTIONS, "--", LATENTS)
    before, after = (read_z(project.folder / LATENTS) for project in (pushed, laptop))
    np.testing.assert_array_equal(before, after)
    assert "Nothing to be done" in plan(laptop)


def read_z(path: Path) -> np.ndarray:
    return np.stack(tables.read(path, tables.LATENTS)["z"].to_list())


@pytest.mark.slow
def test_pushing_again_sends_nothing_new(pushed: Project) -> None:
    before = pushed("git", "status", "--porcelain")
    pushed.python("songatlas.run.versions.store", "small")
    assert pushed("git", "status", "--porcelain") == before


# --- the demo, as dvc.yaml has it ---------------------------------------------------------------


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A finished run of the demo with one model and one baseline, by Snakemake alone."""
    project = new_project(tmp_path_factory.mktemp("demo") / "project")
    path = project.folder / "config" / "config.yaml"
    small = yaml.safe_load(path.read_text("utf-8"))
    small["models"] = {name: small["models"][name] for name in ("basic_vae", "vade_small")}
    small["models"]["basic_vae"]["beta"] = 1.0  # `dvc exp run -S` changes keys that are there
    small["baselines"] = {"raw": small["baselines"]["raw"]}
    small["training"]["max_epochs"] = 2
    small["clustering"] = {"k": [3], "n_init": 2}
    small["evaluation"] = {"permutations": 10, "bootstraps": 10}
    path.write_text(yaml.safe_dump(small, sort_keys=False), encoding="utf-8")
    store_folder = project.folder.parent / "store"
    project.python("dvc", "remote", "modify", "store", "url", str(store_folder))
    project.commit()
    project.snakemake()
    return project


@pytest.mark.slow
def test_dvc_after_a_finished_run_trains_nothing_and_restores_elsewhere(
    demo: Project, tmp_path: Path
) -> None:
    text = demo.python("dvc", "repro")
    assert text.count("Nothing to be done") == 6
    assert "Training" not in text
    assert "up to date" in demo.python("dvc", "status")
    demo.python("songatlas.run.versions.store", "demo")
    demo.commit()

    other = demo.clone(tmp_path / "other", str(demo.folder.parent / "store"))
    other.python("songatlas.run.versions.restore", "demo")
    assert "Nothing to be done" in other.snakemake("--dry-run")
    assert "up to date" in other.python("dvc", "status")

    # A checkpoint that was restored gives the same latents.
    latents = "results/demo/latents/basic_vae/seed-0.parquet"
    (other.folder / latents).unlink()
    other.snakemake("--", latents)
    np.testing.assert_array_equal(read_z(demo.folder / latents), read_z(other.folder / latents))

    # After a change DVC runs what Snakemake would.
    change = "config/config.yaml:models.basic_vae.beta=2"
    text = other.python("dvc", "exp", "run", "-S", change)
    assert text.count("Training basic_vae") == 1
    assert "Training vade_small" not in text
    assert "models.basic_vae.beta" in other.python("dvc", "params", "diff")
    assert "basic_vae" in other.python("dvc", "metrics", "diff")
    other.python("dvc", "plots", "show")
    assert (other.folder / "dvc_plots" / "index.html").is_file()

    # And back: the earlier version is known as it was.
    other("git", "checkout", "--quiet", ".")
    other.python("songatlas.run.versions.restore", "demo")
    assert "Nothing to be done" in other.snakemake("--dry-run")


@contextmanager
def sshd(folder: Path) -> Iterator[tuple[int, Path]]:
    """An SSH server on loopback with keys of its own: its port and the client's key."""
    import getpass
    import socket
    import time

    server = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if server is None:
        pytest.skip("sshd is not installed (Debian: apt-get install openssh-server)")
    pytest.importorskip("dvc_ssh", reason="dvc-ssh is not installed (pip install 'dvc[ssh]')")
    for key in ("host", "client"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)], check=True
        )
    shutil.copy(folder / "client.pub", folder / "authorized_keys")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\n"
        f"AuthorizedKeysFile {folder}/authorized_keys\nStrictModes no\nUsePAM no\n"
        "PasswordAuthentication no\nSubsystem sftp internal-sftp\n"
        f"AllowUsers {getpass.getuser()}\n"
    )
    # Debian's sshd wants this folder when root starts it.
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    process = subprocess.Popen(
        [server, "-D", "-e", "-f", str(folder / "sshd_config")],
        stderr=(folder / "log").open("w"),
    )
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        else:
            raise AssertionError((folder / "log").read_text())
        yield port, folder / "client"
    finally:
        process.terminate()
        process.wait()


@pytest.mark.slow
def test_a_run_travels_over_ssh(pushed: Project, tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    with sshd(tmp_path / "server") as (port, key):
        remote = f"ssh://127.0.0.1:{port}{tmp_path}/far"
        box = pushed.clone(tmp_path / "box", remote)
        laptop = pushed.clone(tmp_path / "laptop", remote)
        for project in (box, laptop):
            for option in (("keyfile", str(key)), ("user", os.environ.get("USER", "root"))):
                project.python("dvc", "remote", "modify", "--local", "store", *option)
        near = pushed.folder.parent / "store"
        box.python("dvc", "remote", "add", "near", str(near))
        box.python("dvc", "pull", "--remote", "near", *TRACKED)
        box.python("dvc", "push", *TRACKED)
        laptop.python("songatlas.run.versions.restore", "small")
    assert (tmp_path / "far" / "files" / "md5").is_dir()
    assert "Nothing to be done" in plan(laptop)
