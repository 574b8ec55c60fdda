"""What survives a batch: one row of numpy columns per meter of a partition."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.layout import Ints, Positions

#: Hour of day, for working days and for weekends.
SLOTS = 48
#: Positions that are checkpointed together: about 400 KB, well below Kafka's 1 MB record.
SHARD_ROWS = 1024

#: Before any reading.
NEVER_US = int(np.iinfo(np.int64).min)

#: Column -> (type, values per meter, value of a new row). 477 bytes per meter in all.
COLUMNS: Mapping[str, tuple[str, int, float]] = {
    "last_time_us": ("i8", 1, NEVER_US),
    "interval_s": ("f4", 1, 0),
    "misfits": ("u1", 1, 0),
    "energy_kwh": ("f8", 1, 0),
    "covered_s": ("f8", 1, 0),
    "spread_kw": ("f4", 1, 0),
    "last_kw": ("f4", 1, np.nan),
    "day_mean_kw": ("f4", 1, np.nan),
    "peak_kw": ("f4", 1, np.nan),
    "slot_mean_kw": ("f4", SLOTS, 0),
    "slot_spread_kw": ("f4", SLOTS, 0),
    "slot_count": ("u1", SLOTS, 0),
}


class MeterState:
    """Columns with one row per meter, and the dictionary from meter number to row.

    Attributes:
        last_time_us: event time of the newest reading [us], NEVER_US before the first.
        interval_s: the meter's usual time between readings [s], 0 while unknown.
        misfits: readings in a row that did not fit `interval_s`.
        energy_kwh: energy of the recent past, older days counting less [kWh].
        covered_s: time that `energy_kwh` covers, older days counting less [s].
        spread_kw: mean absolute deviation of power from its mean [kW].
        last_kw: mean power of the newest interval with one [kW], NaN before the first.
        day_mean_kw: mean power, what is older than a day hardly counting [kW], NaN before the first.
        peak_kw: highest mean power of an interval, older ones counting less [kW], NaN before the first.
        slot_mean_kw, slot_spread_kw, slot_count: the same per slot of the week, and how often each was seen.
        meter_id, group_id: keys in the database, 0 while unknown; a cache, not part of a checkpoint.
        resolved: whether these keys are up to date; an outdated meter_id still serves, a meter keeps its own.
    """

    last_time_us: npt.NDArray[np.int64]
    interval_s: npt.NDArray[np.float32]
    misfits: npt.NDArray[np.uint8]
    energy_kwh: npt.NDArray[np.float64]
    covered_s: npt.NDArray[np.float64]
    spread_kw: npt.NDArray[np.float32]
    last_kw: npt.NDArray[np.float32]
    day_mean_kw: npt.NDArray[np.float32]
    peak_kw: npt.NDArray[np.float32]
    slot_mean_kw: npt.NDArray[np.float32]
    slot_spread_kw: npt.NDArray[np.float32]
    slot_count: npt.NDArray[np.uint8]

    def __init__(self) -> None:
        self._row_of: dict[str, int] = {}
        self._names: list[str | None] = []
        self._holes: list[int] = []
        self._capacity = 0
        self.meter_id = np.zeros(0, dtype=np.int64)
        self.group_id = np.zeros(0, dtype=np.int64)
        self.resolved = np.zeros(0, dtype=bool)
        for name, (kind, width, _) in COLUMNS.items():
            setattr(self, name, np.empty((0, width) if width > 1 else 0, dtype=kind))

    def __len__(self) -> int:
        return len(self._row_of)

    @property
    def extent(self) -> int:
        """Positions in use, holes included."""
        return len(self._names)

    def row(self, meter_number: str) -> int | None:
        """Return the row of one meter, or None for a meter never seen."""
        return self._row_of.get(meter_number)

    def rows(self, meter_numbers: pa.StringArray) -> Positions:
        """Return the row of each reading's meter; meters never seen get rows in order of first appearance.

        Args:
            meter_numbers: text[n].

        Returns: intp[n].
        """
        encoded = meter_numbers.dictionary_encode()
        names = encoded.dictionary.to_pylist()
        found = list(map(self._row_of.get, names))
        if None in found:
            found = [self._add(name) if row is None else row for name, row in zip(names, found, strict=True)]
        rows: Positions = np.asarray(found, dtype=np.intp)[encoded.indices.to_numpy()]
        return rows

    def _add(self, meter_number: str) -> int:
        if self._holes:
            row = self._holes.pop()
            self._names[row] = meter_number
        else:
            row = self.extent
            self._names.append(meter_number)
            self.reserve(row + 1)
        self._row_of[meter_number] = row
        return row

    def reserve(self, rows: int) -> None:
        """Make room for this many rows; capacity grows by half, so that growth costs little time and little room."""
        if rows <= self._capacity:
            return
        capacity = max(rows, self._capacity * 3 // 2, SHARD_ROWS)
        for name, (kind, width, fresh) in COLUMNS.items():
            old = getattr(self, name)
            new = np.full((capacity, width) if width > 1 else capacity, fresh, dtype=kind)
            new[: len(old)] = old
            setattr(self, name, new)
        self.meter_id = np.pad(self.meter_id, (0, capacity - self._capacity))
        self.group_id = np.pad(self.group_id, (0, capacity - self._capacity))
        self.resolved = np.pad(self.resolved, (0, capacity - self._capacity))
        self._capacity = capacity

    def place(self, names: list[str | None], first_row: int) -> None:
        """Give meters fixed rows, as a checkpoint had them; None leaves a hole.

        Call `settle` once all are placed.
        """
        end = first_row + len(names)
        self.reserve(end)
        self._names += [None] * (end - self.extent)
        self._names[first_row:end] = names
        self._row_of.update((name, first_row + k) for k, name in enumerate(names) if name is not None)

    def settle(self) -> None:
        """Find the holes that meters placed by checkpoints of different ages left; new meters fill them first.

        A hole belongs to a meter first seen after its shard's checkpoint: replay meets these meters again in
        their first order, so each gets its old row.
        """
        self._holes = [row for row, name in enumerate(self._names) if name is None][::-1]

    def names(self, first_row: int, count: int) -> list[str | None]:
        """Return the meter numbers of a run of rows, None for holes."""
        return self._names[first_row : first_row + count]

    def names_at(self, rows: Positions) -> list[str]:
        """Return the meter numbers of rows in use."""
        return [name for row in rows.tolist() if (name := self._names[row]) is not None]

    def unresolved(self, rows: Positions) -> Positions:
        """Return those of the rows, each once, whose database keys are not known or out of date."""
        return np.unique(rows[~self.resolved[rows]])

    def resolve(self, rows: Positions, meter_id: Ints, group_id: Ints) -> None:
        """Take over database keys of meters."""
        self.meter_id[rows], self.group_id[rows], self.resolved[rows] = meter_id, group_id, True
