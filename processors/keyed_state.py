"""What survives a batch: one row of numpy columns per key (a meter, a market series) of a partition."""

import mmap
from collections.abc import Mapping
from contextlib import suppress
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.layout import Ints, Positions

#: Positions that are checkpointed together: about 550 KB of meters, well below Kafka's 1 MB record.
SHARD_ROWS = 1024

#: Column -> (numpy type, values per key, value of a new row).
Columns = Mapping[str, tuple[str, int, float]]


class KeyedState:
    """Columns with one row per key, and the dictionary from key to row.

    Attributes:
        columns: what is kept; each is an attribute of its name, `numpy.ndarray` of at least `extent` rows; what comes
            after these is not set.
        version: of the columns; a worker refuses state of another one.
        key_id, group_id: keys in the database, 0 while unknown; a cache, not part of a checkpoint.
        resolved: whether these keys are up to date; an outdated key_id still serves, a key keeps its own.
    """

    columns: ClassVar[Columns]
    version: ClassVar[int]

    def __init__(self) -> None:
        self._row_of: dict[str, int] = {}
        self._names: list[str | None] = []
        self._holes: list[int] = []
        self._capacity = self._ready = 0
        self.key_id = np.zeros(0, dtype=np.int64)
        self.group_id = np.zeros(0, dtype=np.int64)
        self.resolved = np.zeros(0, dtype=bool)
        for name, (kind, width, _) in self.columns.items():
            setattr(self, name, np.empty((0, width) if width > 1 else 0, dtype=kind))

    def __len__(self) -> int:
        return len(self._row_of)

    @property
    def extent(self) -> int:
        """Positions in use, holes included."""
        return len(self._names)

    def row(self, key: str) -> int | None:
        """Return the row of one key, or None for one never seen."""
        return self._row_of.get(key)

    def rows(self, keys: pa.StringArray | pa.DictionaryArray) -> Positions:
        """Return the row of each key; keys never seen get rows in order of first appearance.

        Args:
            keys: text[n]; a dictionary of them is in the order of first appearance, each in it once.

        Returns: intp[n].
        """
        encoded = keys.dictionary_encode()
        names = encoded.dictionary.to_pylist()
        found = list(map(self._row_of.get, names))
        if None in found:
            self.reserve(max(self.extent + found.count(None) - len(self._holes), 0))
            found = [self._add(name) if row is None else row for name, row in zip(names, found, strict=True)]
        rows: Positions = np.asarray(found, dtype=np.intp)[encoded.indices.to_numpy()]
        return rows

    def find(self, keys: pa.StringArray | pa.DictionaryArray) -> Positions:
        """Return the row of each key, intp[n]; -1 for one never seen, which stays unknown."""
        encoded = keys.dictionary_encode()
        found = [self._row_of.get(name, -1) for name in encoded.dictionary.to_pylist()]
        rows: Positions = np.asarray(found, dtype=np.intp)[encoded.indices.to_numpy()]
        return rows

    def _add(self, key: str) -> int:
        if self._holes:
            row = self._holes.pop()
            self._names[row] = key
        else:
            row = self.extent
            self._names.append(key)
        self._row_of[key] = row
        return row

    def reserve(self, rows: int) -> None:
        """Make this many rows ready. Room doubles, but what was never written to takes up no memory."""
        if rows <= self._ready:
            return
        if rows > self._capacity:
            self._enlarge(max(rows, 2 * self._capacity, SHARD_ROWS))
        for name, (_, _, fresh) in self.columns.items():
            getattr(self, name)[self._ready : rows] = fresh
        self._ready = rows

    def _enlarge(self, capacity: int) -> None:
        for name, (kind, width, _) in self.columns.items():
            new = _room(capacity, width, kind)
            new[: self._ready] = getattr(self, name)[: self._ready]
            setattr(self, name, new)
        for name in ("key_id", "group_id", "resolved"):
            old = getattr(self, name)
            new = np.zeros(capacity, dtype=old.dtype)
            new[: len(old)] = old
            setattr(self, name, new)
        self._capacity = capacity

    def place(self, names: list[str | None], first_row: int) -> None:
        """Give keys fixed rows, as a checkpoint had them; None leaves a hole.

        Call `settle` once all are placed.
        """
        end = first_row + len(names)
        self.reserve(end)
        self._names += [None] * (end - self.extent)
        self._names[first_row:end] = names
        self._row_of.update((name, first_row + k) for k, name in enumerate(names) if name is not None)

    def settle(self) -> None:
        """Find the holes that keys placed by checkpoints of different ages left; new keys fill them first.

        A hole belongs to a key first seen after its shard's checkpoint: replay meets these keys again in
        their first order, so each gets its old row.
        """
        self._holes = [row for row, name in enumerate(self._names) if name is None][::-1]

    def names(self, first_row: int, count: int) -> list[str | None]:
        """Return the keys of a run of rows, None for holes."""
        return self._names[first_row : first_row + count]

    def names_at(self, rows: Positions) -> list[str]:
        """Return the keys of rows in use."""
        return [name for row in rows.tolist() if (name := self._names[row]) is not None]

    def unresolved(self, rows: Positions) -> Positions:
        """Return those of the rows, each once, whose database keys are not known or out of date."""
        return np.unique(rows[~self.resolved[rows]])

    def resolve(self, rows: Positions, key_id: Ints, group_id: Ints) -> None:
        """Take over database keys."""
        self.key_id[rows], self.group_id[rows], self.resolved[rows] = key_id, group_id, True


def _room(capacity: int, width: int, kind: str) -> npt.NDArray[np.generic]:
    """Return a column that takes up memory where it is written to, by small pages: huge ones would be half empty."""
    memory = mmap.mmap(-1, capacity * width * np.dtype(kind).itemsize)
    with suppress(AttributeError, OSError):  # a system without huge pages
        memory.madvise(mmap.MADV_NOHUGEPAGE)
    column = np.frombuffer(memory, dtype=kind)
    return column.reshape(capacity, width) if width > 1 else column
