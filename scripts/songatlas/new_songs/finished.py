"""What assigning new songs reads of a finished run; nothing there is ever written or made again."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from songatlas import tables
from songatlas.clustering.views import of_view
from songatlas.corpus.shared_splits import shared_splits
from songatlas.errors import SongatlasError


@dataclass(frozen=True)
class Branch:
    """One model with one seed, as `Plan.assign_branches` declares it.

    `inputs` are the features that it reads; `baseline` is its declaration where it is one.
    """

    name: str
    seed: int
    inputs: Sequence[str]
    baseline: dict[str, Any] | None = None


@dataclass(frozen=True)
class Finished:
    """A run by its folder `results/<run>`, and its groups of near copies where it has them."""

    folder: Path
    near_copies: str | None = None

    def latents(self, branch: Branch) -> pd.DataFrame:
        """The vectors of the run's songs and windows (`tables.LATENTS`)."""
        path = self._there("latents", branch.name, f"seed-{branch.seed}.parquet")
        return tables.read(path, tables.LATENTS)

    def evaluated_on(self, branch: Branch) -> str:
        """Songs that a baseline's vectors were made to be scored on (`evaluation.evaluate_on`)."""
        path = self._there("latents", branch.name, f"seed-{branch.seed}.parquet")
        return str(tables.read_metadata(path).get("evaluate_on", "all"))

    def song_clusters(self, branch: Branch) -> pd.DataFrame:
        """The run's clusters of whole songs (`tables.CLUSTERS`)."""
        path = self._there("clusters", branch.name, f"seed-{branch.seed}.parquet")
        return of_view(tables.read(path, tables.CLUSTERS, filters=[("level", "==", "song")]))

    def weights(self, branch: Branch) -> Path:
        """A trained model's weights."""
        return self._there("models", branch.name, f"seed-{branch.seed}", "weights.ckpt")

    def tracks(self, columns: Sequence[str]) -> pd.DataFrame:
        """Columns of the run's songs."""
        return tables.read(self._there("corpus", "tracks.parquet"), tables.TRACKS, columns)

    def windows(self, columns: Sequence[str]) -> pd.DataFrame:
        """Columns of the run's windows, `track_id` and `split` among them."""
        path = self._there("corpus", "windows.parquet")
        return shared_splits(tables.read(path, tables.WINDOWS, columns), self.near_copies)

    def parts(self, feature: str) -> list[Path]:
        """Files of one feature."""
        return sorted(self._there("features", feature).glob("part-*.parquet"))

    def song_parts(self, feature: str) -> list[Path]:
        """Files of a feature's own vectors of songs."""
        return sorted(self._there("features", feature).glob("songs-*.parquet"))

    def _there(self, *parts: str) -> Path:
        path = self.folder.joinpath(*parts)
        if not path.exists():
            raise SongatlasError(
                f"{path}: is not there, so the run `{self.folder.name}` is not finished; finish it "
                f"first (make resume RUN={self.folder.name}), then assign songs to it"
            )
        return path
