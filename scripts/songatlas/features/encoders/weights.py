"""Where the weights of an encoder lie on this machine, and that they are the fetched ones.

`snakemake fetch_weights` writes a lock file: per repository the commit that it fetched and the
sha256 of every file. Whoever keeps that file with the project has every later fetch and every run
refuse anything else.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from songatlas.errors import SongatlasError
from songatlas.files import atomic

BLOCK_BYTES = 1 << 22
END_BYTES = 1 << 16


@dataclass(frozen=True)
class Pinned:
    """A repository as it was fetched: its commit, and the sha256 of its files by name."""

    revision: str
    files: Mapping[str, str]


def read_lock(path: str | Path) -> dict[str, Pinned]:
    """What a lock file pins, by repository; nothing where there is no file.

    Raises:
        SongatlasError: when it is no lock file.
    """
    path = Path(path)
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {
            str(name): Pinned(str(found["revision"]), dict(found["files"]))
            for name, found in content.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SongatlasError(
            f"{path}: no lock of weights ({error}); restore it, or delete it and fetch again"
        ) from None


def write_lock(path: str | Path, pinned: Mapping[str, Pinned]) -> None:
    """Write a lock file, repositories and files in alphabetical order."""
    content = {name: asdict(pinned[name]) for name in sorted(pinned)}
    with atomic(path) as temporary:
        text = json.dumps(content, indent=1, sort_keys=True)
        temporary.write_text(f"{text}\n", encoding="utf-8")


def digests(folder: Path) -> dict[str, str]:
    """sha256 of every file under a folder, by its path within it."""
    found = {}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(".") for part in inside.parts):
            found[inside.as_posix()] = _sha256(path)
    return found


def identity(folder: Path) -> str:
    """Digest of a local checkpoint, quick enough for planning: the ends of large files stand for
    them."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.name.startswith("."):
            size = path.stat().st_size
            digest.update(f"{path.name} {size}\0".encode())
            with path.open("rb") as file:
                digest.update(file.read(END_BYTES))
                file.seek(max(size - END_BYTES, 0))
                digest.update(file.read(END_BYTES))
    return digest.hexdigest()[:16]


def differences(pinned: Mapping[str, str], present: Mapping[str, str]) -> list[str]:
    """Files that are missing or are not the pinned ones; files beyond them do not matter."""
    return [
        f"{name} ({'missing' if name not in present else 'another content'})"
        for name in sorted(pinned)
        if present.get(name) != pinned[name]
    ]


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def locate(source: str, lock: str | Path) -> Path:
    """The folder of a checkpoint: a local folder, or a repository in the Hugging Face cache.

    Of a repository that the lock pins, the pinned commit is taken and its files are compared with
    the lock. The network is never used.

    Raises:
        SongatlasError: when it is not there or is not what the lock says, naming the command that
            fetches it.
    """
    local = Path(source).expanduser()
    if local.is_dir():
        return local
    if source.startswith((".", "/", "~")) or source.count("/") != 1:
        raise SongatlasError(
            f"pretrained.weights: there is no folder `{source}`; correct the path, or give a "
            "repository of the Hugging Face Hub (<owner>/<name>)"
        )
    pinned = read_lock(lock).get(source)
    folder = cached(source, pinned.revision if pinned else None)
    if folder is None:
        what = f"commit {pinned.revision[:12]} of `{source}`" if pinned else f"`{source}`"
        raise SongatlasError(
            f"the weights {what} are not in the cache folder {cache_folder()}. Runs never "
            "download; fetch them with the config of your run:\n"
            "  snakemake --cores 1 fetch_weights --configfile <your config>"
        )
    if pinned is not None:
        wrong = differences(pinned.files, digests(folder))
        if wrong:
            raise SongatlasError(
                f"{folder}: not the weights that {lock} pins: {', '.join(wrong[:3])}. Delete the "
                "folder and fetch them again, or, if you trust them, take the entry out of the lock"
            )
    return folder


def cache_folder() -> Path:
    """Hugging Face's cache on this machine, as its environment variables say now."""
    if "HF_HUB_CACHE" in os.environ:
        return Path(os.environ["HF_HUB_CACHE"])
    home = os.environ.get("HF_HOME") or "~/.cache/huggingface"
    return Path(home).expanduser() / "hub"


def cached(repository: str, revision: str | None) -> Path | None:
    """The snapshot of a repository in the cache: of a commit, or what `main` was fetched as."""
    folder = cache_folder() / f"models--{repository.replace('/', '--')}"
    if revision is None:
        main = folder / "refs" / "main"
        if not main.is_file():
            return None
        revision = main.read_text(encoding="utf-8").strip()
    snapshot = folder / "snapshots" / revision
    return snapshot if snapshot.is_dir() else None
