"""Which shard a song belongs to: a pure function of its identifier."""

import hashlib


def shard_of(identifier: str, n: int) -> int:
    """Shard in [0, n) of an identifier; stable across machines, runs and Python versions."""
    digest = hashlib.sha256(identifier.encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") % n


def shard_name(index: int) -> str:
    """File name part of a shard: `00`, `01`, ..., `100`, ..."""
    return f"{index:02d}"
