"""Spectrograms that stay in their shards: row groups are read as batches ask for them."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch
from torch import Tensor

from songatlas import tables
from songatlas.errors import TableError

KEPT_BYTES = 2 * 2**30
"""Row groups in memory at once."""

POOL_BYTES = 2**30
"""Windows among which an epoch is shuffled at a time: their row groups must fit in `KEPT_BYTES`."""

KEPT_FILES = 64
"""Files open at once."""


def check_complete(
    paths: Sequence[str | Path], window_ids: Sequence[str], found: np.ndarray
) -> None:
    """Refuse a feature in whose files a window was not `found` (n,) bool.

    Raises:
        TableError: naming the first.
    """
    if not found.all():
        window_id = window_ids[int(np.flatnonzero(~found)[0])]
        raise TableError(
            f"{Path(paths[0]).parent}: window {window_id} is missing; delete the folder and run "
            "again"
        )


class StoredSpectrograms:
    """A feature's values in the order of `window_ids`, indexed as a tensor on the CPU is.

    A row group holds the windows of one song, so that a batch reads what it needs and no file as a
    whole. Several threads may ask.
    """

    device = torch.device("cpu")

    def __init__(
        self,
        paths: Sequence[str | Path],
        window_ids: Sequence[str],
        shape: tuple[int, ...],
        dtype: torch.dtype,
    ) -> None:
        """Read where every window lies; of the files no more than their identifiers.

        Raises:
            TableError: when a window is in no file.
        """
        self.paths = sorted(map(str, paths))
        self.shape = torch.Size((len(window_ids), *shape))
        self.dtype = dtype
        row_of = {window_id: row for row, window_id in enumerate(window_ids)}
        self.group = np.full(len(window_ids), -1, np.int64)
        """Number of each row's row group among all of them."""
        self._offset = np.zeros(len(window_ids), np.int64)
        self._groups: list[tuple[int, int]] = []
        self._sizes: list[int] = []
        for number, path in enumerate(self.paths):
            key = tables.read_metadata(path)["key"]
            with pq.ParquetFile(path) as file:
                for group in range(file.num_row_groups):
                    ids = file.read_row_group(group, columns=[key])[key].to_pylist()
                    for offset, window_id in enumerate(ids):
                        row = row_of.get(window_id)
                        if row is not None:
                            self.group[row], self._offset[row] = len(self._groups), offset
                    self._groups.append((number, group))
                    self._sizes.append(file.metadata.row_group(group).total_byte_size)
        check_complete(paths, window_ids, self.group >= 0)
        self._blocks: OrderedDict[int, Tensor] = OrderedDict()
        self._files: OrderedDict[int, pq.ParquetFile] = OrderedDict()
        self._kept = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def nbytes(self) -> int:
        return self.shape.numel() * self.dtype.itemsize

    def new_zeros(self, shape: Sequence[int]) -> Tensor:
        return torch.zeros(tuple(shape), dtype=self.dtype)

    def __getitem__(self, rows: Tensor) -> Tensor:
        """Values at `rows` (b,) int64, (b, ...).

        Raises:
            TableError: for NaN or infinity.
        """
        wanted = rows.numpy()
        found = torch.empty((len(wanted), *self.shape[1:]), dtype=self.dtype)
        groups = self.group[wanted]
        with self._lock:
            for group in dict.fromkeys(groups.tolist()):
                at = np.flatnonzero(groups == group)
                offsets = torch.from_numpy(self._offset[wanted[at]])
                found[torch.from_numpy(at)] = self._block(group)[offsets]
        return found

    def _block(self, group: int) -> Tensor:
        if group in self._blocks:
            self._blocks.move_to_end(group)
            return self._blocks[group]
        number, inside = self._groups[group]
        arrow = self._file(number).read_row_group(inside, columns=["values"])
        values = tables.feature_values(arrow, self.shape[1:])
        if not np.isfinite(values).all():
            raise TableError(
                f"{self.paths[number]}: row group {inside} holds NaN or infinity; delete the "
                "folder and run again"
            )
        block = torch.tensor(values).to(self.dtype)
        self._blocks[group] = block
        self._kept += block.nbytes
        while self._kept > KEPT_BYTES and len(self._blocks) > 1:
            self._kept -= self._blocks.popitem(last=False)[1].nbytes
        return block

    def _file(self, number: int) -> pq.ParquetFile:
        if number not in self._files:
            self._files[number] = pq.ParquetFile(self.paths[number])
            if len(self._files) > KEPT_FILES:
                self._files.popitem(last=False)[1].close()
        self._files.move_to_end(number)
        return self._files[number]

    def pooled(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Shuffled `rows` in an order that reads every row group once.

        Row groups are drawn into pools of `POOL_BYTES`; a pool's rows keep their order among
        themselves, and pools follow one another. Rows without values are in the first pool.
        """
        heard = rows < len(self)
        groups = np.unique(self.group[rows[heard]])
        drawn = rng.permutation(groups)
        per_row = max(1, self.nbytes // max(1, len(self)))
        counts = np.bincount(self.group[rows[heard]], minlength=len(self._groups))
        pool_of = np.zeros(len(self._groups), np.int64)
        before = np.cumsum(counts[drawn]) - counts[drawn]
        pool_of[drawn] = before * per_row // POOL_BYTES
        pool = np.zeros(len(rows), np.int64)
        pool[heard] = pool_of[self.group[rows[heard]]]
        return rows[np.argsort(pool, kind="stable")]

    def identity(self) -> bytes:
        """Where every row lies, and how large each row group is."""
        return self.group.tobytes() + self._offset.tobytes() + np.array(self._sizes).tobytes()
