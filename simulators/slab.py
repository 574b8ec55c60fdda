"""Readings of some meters over consecutive intervals as matrices, on their way to being a batch."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from schemas.layout import Floats, Ints, Mask
from schemas.readings import ReadingBatch
from simulators.columns import fixed_text, instants
from simulators.day import Columns
from simulators.span import Span


@dataclass
class Slab:
    """Readings, one row per interval and one column per meter; faults change it in place.

    Attributes:
        span: which intervals.
        meters: int[n], rising, positions in the grid.
        columns: float64[k, n] by name.
        clock_s: int64[k, n], what the meters' clocks show: seconds since the epoch.
        silent: bool[k, n], readings that never leave the meter.
    """

    span: Span
    meters: Columns
    columns: dict[str, Floats]
    clock_s: Ints
    silent: Mask

    @classmethod
    def empty(cls, span: Span, meters: Columns, names: tuple[str, ...]) -> "Slab":
        """Return a slab whose columns are still to be filled."""
        shape = span.count, len(meters)
        clock = np.repeat(span.edges_s[1:], len(meters)).reshape(shape)
        return cls(span, meters, {name: np.empty(shape) for name in names}, clock, np.zeros(shape, dtype=bool))

    def part(self, first: int, last: int, start_s: int, end_s: int) -> tuple[slice, slice]:
        """Return the rows and columns of meters first to last (not included) in intervals that end in (start, end]."""
        ends = self.span.edges_s[1:]
        rows = slice(*(int(row) for row in np.searchsorted(ends, (start_s, end_s), side="right")))
        return rows, slice(*(int(column) for column in np.searchsorted(self.meters, (first, last))))

    def rows(self) -> npt.NDArray[np.intp]:
        """Return the readings that leave their meters, by time then meter, as positions in the flattened matrices."""
        return np.flatnonzero(~self.silent.reshape(-1))

    def batch(self, numbers: npt.NDArray[np.bytes_], rows: npt.NDArray[np.intp]) -> ReadingBatch:
        """Return readings as a batch.

        Args:
            numbers: meter numbers of the whole grid.
            rows: which readings and in which order, as positions in the flattened matrices.
        """
        columns = {name: values.reshape(-1) for name, values in self.columns.items()}
        batch = ReadingBatch.from_columns(
            meter_number=fixed_text(np.tile(numbers[self.meters], self.span.count)),
            reading_time=instants(self.clock_s.reshape(-1)),
            sequence=np.repeat(self.span.numbers, len(self.meters)),
            **columns,
        )
        everything = len(rows) == self.silent.size and (len(rows) < 2 or bool((np.diff(rows) == 1).all()))
        return batch if everything else batch.take(rows)
