"""A disk that fills up while something is written: on a small file system where mounting is
permitted, and with the error injected everywhere else."""

import ast
import errno
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from conftest import ROOT
from pipeline import snakemake
from songatlas import tables
from songatlas.evaluation import layout
from songatlas.files import DiskFullError, atomic, partial_files
from songatlas.models.base import InputSpec
from songatlas.training.weights import Description, load_weights, save_weights
from test_interruptions import (  # noqa: F401 - a fixture
    ARGUMENTS,
    LATENTS,
    largest_difference,
    prepare,
    uninterrupted,
)

SMALL_BYTES = 512 * 1024


def mount(folder: Path, size: int) -> None:
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no `mount` here")
    if done.returncode:
        pytest.skip(f"may not mount a small file system here ({done.stderr.strip()})")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of half a MiB."""
    folder = tmp_path / "disk"
    mount(folder, SMALL_BYTES)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def write_table(path: Path) -> None:
    random = np.random.default_rng(0)
    z = list(random.normal(size=(200, 128)).astype(np.float32))
    ids = [f"t{i}" for i in range(200)]
    frame = tables.latents_frame("song", None, ids, ["train"] * 200, np.stack(z))
    tables.write(frame, path, tables.LATENTS)


def write_feature(path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(40, 32, 80)).astype(np.float16)
    with tables.FeatureWriter(path, "logmel", (32, 80), "float16", units="dB") as writer:
        for start in range(0, 40, 10):
            writer.write([f"w{i}" for i in range(start, start + 10)], values[start : start + 10])


def write_weights(path: Path) -> None:
    description = Description("basic_vae", InputSpec(16, 20, 0, 0), 8, {})
    save_weights(path, description, description.build().state_dict())


def write_csv(path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(4000, 3))
    layout.write_csv(pd.DataFrame(values), path)


def write_figure(path: Path) -> None:
    from matplotlib.figure import Figure

    from songatlas.report.figures.save import save

    figure = Figure(figsize=(4.0, 3.0))
    figure.subplots().imshow(np.random.default_rng(0).normal(size=(150, 150)))
    save(figure, path.with_suffix(".svg"), path, dpi=80, title="noise")  # the PNG comes first


WRITERS: dict[str, Callable[[Path], None]] = {
    "latents.parquet": write_table,
    "part-00.parquet": write_feature,
    "weights.ckpt": write_weights,
    "comparison.csv": write_csv,
    "map.png": write_figure,
}


@pytest.mark.parametrize("name", list(WRITERS))
def test_on_a_full_disk_the_error_names_the_file_and_nothing_half_written_is_left(
    name: str, disk: Path
) -> None:
    path = disk / "results" / name
    path.parent.mkdir()
    path.write_bytes(b"what was there before")
    filler = disk / "other people's data"
    filler.write_bytes(bytes(SMALL_BYTES - 48 * 1024))
    with pytest.raises(DiskFullError, match=f"{name}: no space left .* run the same command again"):
        WRITERS[name](path)
    assert path.read_bytes() == b"what was there before"
    assert partial_files(disk) == []
    assert sorted(path.parent.iterdir()) == [path]
    filler.unlink()
    WRITERS[name](path)
    assert path.stat().st_size > 40 * 1024
    if name.endswith(".parquet"):
        assert tables.read_metadata(path)["table"]
    if name == "weights.ckpt":
        assert load_weights(path)[0] is not None


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_write_that_the_system_refuses_for_space_is_named(code: int, tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    with pytest.raises(DiskFullError, match=r"metrics\.json: no space left"), atomic(path):
        raise OSError(code, os.strerror(code))
    assert list(tmp_path.iterdir()) == []


def test_another_error_of_the_system_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), atomic(tmp_path / "metrics.json"):
        raise PermissionError(errno.EACCES, "Permission denied")
    assert list(tmp_path.iterdir()) == []


def test_a_resume_state_that_cannot_be_written_stops_training_with_its_name(
    disk: Path,
) -> None:
    from test_training import QUICK, make_windows, run

    (disk / "other people's data").write_bytes(bytes(SMALL_BYTES - 48 * 1024))
    with pytest.raises(DiskFullError, match=r"last-[0-9a-f]{16}\.ckpt: no space left"):
        run(make_windows(), "conv_vae", QUICK, resume_folder=disk, resume_every_s=0.0)
    assert partial_files(disk) == []


def test_a_job_says_so_in_its_log(disk: Path, tmp_path: Path) -> None:
    from songatlas.run.jobs import job

    (disk / "full").write_bytes(bytes(SMALL_BYTES - 8192))
    log = tmp_path / "x.log"
    with pytest.raises(SystemExit) as ended, job(log):
        (disk / "new").write_bytes(bytes(100_000))
    assert ended.value.code == 1
    assert "no space left" in log.read_text(encoding="utf-8")
    assert "Traceback" not in log.read_text(encoding="utf-8")


# --- every writer is atomic --------------------------------------------------------------------

WRITES = {
    *("write_text", "write_bytes", "to_csv", "to_parquet", "to_pickle", "savefig"),
    *("write_table", "ParquetWriter", "savez", "safe_dump"),
}
ELSEWHERE = {
    # Locks, and texts of the repository.
    ("songatlas/run/running.py", "open"),
    ("songatlas/run/running.py", "write_text"),
    ("songatlas/plan/config_docs.py", "write_text"),
    # An empty log, and what processes of one training tell each other in a temporary folder.
    ("songatlas/run/jobs.py", "write_bytes"),
    ("songatlas/training/launch.py", "open"),
    ("songatlas/training/request.py", "write_text"),
    ("songatlas/training/worker.py", "write_text"),
    # `FeatureWriter`, which enters `atomic` by hand (tested above).
    ("songatlas/tables.py", "ParquetWriter"),
    ("songatlas/tables.py", "write_table"),
}


def unguarded(tree: ast.AST, guarded: bool = False) -> Iterator[str]:
    """Calls that write a file outside a block `with atomic(...)`."""
    if isinstance(tree, ast.With):
        calls = [item.context_expr for item in tree.items]
        names = [ast.unparse(call.func) for call in calls if isinstance(call, ast.Call)]
        guarded = guarded or any(name in ("atomic", "tables.atomic") for name in names)
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Attribute):
        name, owner = tree.func.attr, ast.unparse(tree.func.value)
        saves = name == "save" and owner in ("torch", "np", "numpy")
        opens = name == "open" and any(
            isinstance(argument, ast.Constant) and set(str(argument.value)) & set("wax")
            for argument in tree.args
        )
        in_memory = name == "to_csv" and not [a for a in tree.args if ast.unparse(a) != "index"]
        ours = owner == "layout" or in_memory  # text, and a function that is atomic itself
        if (name in WRITES or saves or opens) and not guarded and not ours:
            yield name
    for child in ast.iter_child_nodes(tree):
        yield from unguarded(child, guarded)


def test_every_writer_is_atomic() -> None:
    found = set()
    for path in sorted((ROOT / "scripts").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        name = path.relative_to(ROOT / "scripts").as_posix()
        found |= {(name, call) for call in unguarded(tree)}
    assert found == ELSEWHERE


# --- a whole run -------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_run_goes_on_once_there_is_space(uninterrupted: Path, tmp_path: Path) -> None:  # noqa: F811
    """At every size of the disk the run ends with an error that says so, until it has finished."""
    folder = tmp_path / "disk"
    mount(folder, 16 * 2**20)
    try:
        prepare(folder)
        used = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        failures = []
        for extra in (200_000, 1_000_000, 5_000_000, 200_000_000):
            size = f"size={used + extra}"
            subprocess.run(["mount", "-o", f"remount,{size}", str(folder)], check=True)
            done = snakemake(folder, *ARGUMENTS, *LATENTS, check=False)
            text = done.stdout + done.stderr
            assert partial_files(folder) == []
            if done.returncode == 0:
                break
            failures.append(text)
        assert done.returncode == 0, text[-3000:]
        assert len(failures) >= 2
        assert any("no space left to write it" in text for text in failures)
        assert largest_difference(folder, uninterrupted) <= 1e-6
        print(json.dumps([text[-200:] for text in failures]))
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_damaged_resume_state_is_not_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from test_training import make_windows, run, same_weights

    whole = run(make_windows(), "conv_vae")
    run(make_windows(), "conv_vae", resume_folder=tmp_path, resume_every_s=0.0)
    (state,) = tmp_path.glob("last-*.ckpt")
    state.write_bytes(state.read_bytes()[: state.stat().st_size // 2])
    again = run(make_windows(), "conv_vae", resume_folder=tmp_path)
    assert "cannot be read" in caplog.text
    assert same_weights(whole, again)
    assert torch.isfinite(again.weights[next(iter(again.weights))]).all()
