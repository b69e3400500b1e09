"""`make map`: the command that makes a map of a folder of music.

`python -m songatlas.plan.map_library FOLDER RUN CORES`; an empty RUN is named after the folder.
"""

import json
import os
import re
import sys
import unicodedata
import zlib
from collections.abc import Sequence
from pathlib import Path

from songatlas.errors import SongatlasError
from songatlas.files import atomic
from songatlas.run.running import FOLDER
from songatlas.run.versions.run import RESERVED

CONFIG = "config/library.yaml"
OTHERS = (*RESERVED, "demo")
"""Names of runs that a folder of music must not take."""


def run_name(folder: Path) -> str:
    """The name of the run of a folder: that of the folder in ASCII letters, digits, `-` and `_`.

    Where none of these is left (音楽), or the name is one of Songatlas's own, `library-` and a
    checksum of the name.
    """
    plain = unicodedata.normalize("NFKD", folder.name).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9_]+", "-", plain).strip("-_")[:80]
    if name and name not in OTHERS:
        return name
    return f"library-{zlib.crc32(os.fsencode(folder.name)):08x}"


def arguments(songs: str, run: str = "") -> list[str]:
    """What Snakemake is given: the config of a library, and a file that says where it is.

    `--config` would read a path with a colon or quotes as something else.

    Raises:
        SongatlasError: in one line, where `songs` is no folder.
    """
    if not songs:
        raise SongatlasError("say where the music is: make map SONGS=FOLDER")
    folder = Path(os.path.expanduser(songs)).absolute()  # noqa: PTH111 - `Path.expanduser` raises
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "no such folder"
        raise SongatlasError(f"{songs}: {what}; give the folder of your music (SONGS=FOLDER)")
    run = run or run_name(folder.resolve())
    where = FOLDER / f"{run.replace('/', '-')}.songs.yaml"
    with atomic(where) as temporary:  # JSON is YAML
        temporary.write_text(json.dumps({"corpus_path": str(folder), "run": run}) + "\n", "utf-8")
    return ["--resources", "gpu=1", "--configfile", CONFIG, str(where)]


def main(argv: Sequence[str]) -> None:
    """Become Snakemake, for `FOLDER RUN CORES`."""
    songs, run, cores = argv
    try:
        command = ["snakemake", "--cores", cores, *arguments(songs, run)]
    except SongatlasError as error:
        sys.exit(str(error))
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
