"""Why a song cannot be used."""

from pathlib import Path

from songatlas.errors import SongatlasError
from songatlas.tables import REJECT_REASONS


class AudioError(SongatlasError):
    """A song that cannot be used: `reason` is one of `tables.REJECT_REASONS`."""

    def __init__(self, path: str | Path, reason: str, detail: str) -> None:
        if reason not in REJECT_REASONS:
            raise ValueError(f"unknown reason `{reason}`")
        super().__init__(f"{path}: {reason}: {detail}")
        self.path, self.reason, self.detail = str(path), reason, detail

    def __reduce__(self) -> tuple[type["AudioError"], tuple[str, str, str]]:
        return type(self), (self.path, self.reason, self.detail)
