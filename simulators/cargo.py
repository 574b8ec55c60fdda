"""What is sent together, with the time that each row of it is due, and its way into the schedule of a run."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.layout import ColumnBatch, Floats, Ints
from simulators.garbage import Garbage
from simulators.pacing import UNPACED, Pace, Part


class Cargo(ColumnBatch):
    """Rows that are sent together, and what else is sent with them; mixed into a class of batches.

    Args:
        records: the rows.
        due_s: float64[n], when each is sent, seconds since the simulation's epoch.
        sender: int64[n], who sends each.
        garbage: payloads that are no rows.
    """

    def __init__(self, records: pa.RecordBatch, due_s: Floats, sender: Ints, garbage: list[Garbage]) -> None:
        super().__init__(records)
        self.due_s = due_s
        self.sender = sender
        self.garbage = garbage

    @classmethod
    def concat(cls, batches: list[Self]) -> Self:
        """Put cargo one behind the other, in order; at least one batch."""
        due, sender = (np.concatenate([getattr(batch, name) for batch in batches]) for name in ("due_s", "sender"))
        garbage = [item for batch in batches for item in batch.garbage]
        return cls(pa.concat_batches([batch.records for batch in batches]), due, sender, garbage)

    def take(self, rows: npt.NDArray[Any]) -> Self:
        """Return the rows at these positions, without the garbage."""
        return type(self)(self.records.take(pa.array(rows)), self.due_s[rows], self.sender[rows], [])

    def piece(self, start: int, stop: int, garbage: list[Garbage]) -> Self:
        """Return a run of the rows, with some garbage."""
        rows = slice(start, stop)
        return type(self)(self.records.slice(start, stop - start), self.due_s[rows], self.sender[rows], garbage)


@dataclass(frozen=True)
class CargoPace(Pace):
    """Turns the times at which rows are due in a simulation into due times of a run.

    Attributes:
        origin_s: the moment that the run starts at, seconds since the simulation's epoch.
    """

    origin_s: int = 0

    def cut(self, batches: Iterable[ColumnBatch]) -> Iterator[Part]:
        """Cut cargo into parts, none of which is due before any of its rows; other batches by their times."""
        for batch in batches:
            if isinstance(batch, Cargo):
                yield from self._cargo(batch)
            else:
                yield from super().cut([batch])

    def _cargo(self, cargo: Cargo) -> Iterator[Part]:
        ticks = self._ticks_of(cargo.due_s)
        others = self._ticks_of(np.array([item.due_s for item in cargo.garbage]))
        for tick in np.unique(np.concatenate([ticks, others])).tolist():
            start, stop = (int(np.searchsorted(ticks, tick, side=side)) for side in ("left", "right"))
            first, last = (int(np.searchsorted(others, tick, side=side)) for side in ("left", "right"))
            garbage = cargo.garbage[first:last]
            for begin in range(start, max(stop, start + 1), self.most_rows):
                piece = cargo.piece(begin, min(begin + self.most_rows, stop), garbage if begin == start else [])
                yield Part(None if self.speedup == UNPACED else tick * self.tick_s, piece)

    def _ticks_of(self, due_s: Floats) -> Floats:
        if self.speedup == UNPACED:
            return np.zeros(len(due_s))
        ticks: Floats = np.ceil((due_s - self.origin_s) / (self.speedup * self.tick_s))
        return ticks
