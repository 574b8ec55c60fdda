"""What a fleet sends, as a publisher takes it: parts with due times, and the messages that carry them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.json_writer import write_rows
from schemas.layout import Floats, Ints
from schemas.readings import ReadingBatch
from simulators.dispatch import Dispatch, Garbage
from simulators.grid import Grid
from simulators.messages import Mode, meter_messages
from simulators.pacing import UNPACED, Pace, Part
from simulators.publisher import Publisher
from simulators.transport import Message


class Shipment(ReadingBatch):
    """Readings that are sent together, and what else is sent with them.

    Args:
        records: the readings.
        due_s: float64[n], when each is sent, seconds since the simulation's epoch.
        meter: int64[n], who sends each, position in the grid's senders.
        garbage: payloads that are no readings.
    """

    def __init__(self, records: pa.RecordBatch, due_s: Floats, meter: Ints, garbage: list[Garbage]) -> None:
        super().__init__(records)
        self.due_s = due_s
        self.meter = meter
        self.garbage = garbage

    @classmethod
    def of(cls, sent: Dispatch) -> Self:
        """Return what a dispatcher sends."""
        return cls(sent.batch.records, sent.due_s, sent.meter, sent.garbage)

    def take(self, rows: npt.NDArray[Any]) -> "Shipment":
        """Return the readings at these positions, without the garbage."""
        return Shipment(self.records.take(pa.array(rows)), self.due_s[rows], self.meter[rows], [])

    def piece(self, start: int, stop: int, garbage: list[Garbage]) -> "Shipment":
        """Return a run of the readings, with some garbage."""
        rows = slice(start, stop)
        return Shipment(self.records.slice(start, stop - start), self.due_s[rows], self.meter[rows], garbage)


@dataclass(frozen=True)
class FleetPace(Pace):
    """Turns the times at which a fleet sends into due times of a run.

    Attributes:
        origin_s: the moment that the run starts at, seconds since the simulation's epoch.
    """

    origin_s: int = 0

    def cut(self, batches: Iterable[ReadingBatch]) -> Iterator[Part]:
        """Cut shipments into parts, none of which is due before any of its readings; other batches by their times."""
        for batch in batches:
            if isinstance(batch, Shipment):
                yield from self._shipment(batch)
            else:
                yield from super().cut([batch])

    def _shipment(self, shipment: Shipment) -> Iterator[Part]:
        ticks = self._ticks_of(shipment.due_s)
        others = self._ticks_of(np.array([item.due_s for item in shipment.garbage]))
        for tick in np.unique(np.concatenate([ticks, others])).tolist():
            start, stop = (int(np.searchsorted(ticks, tick, side=side)) for side in ("left", "right"))
            first, last = (int(np.searchsorted(others, tick, side=side)) for side in ("left", "right"))
            garbage = shipment.garbage[first:last]
            for begin in range(start, max(stop, start + 1), self.most_rows):
                piece = shipment.piece(begin, min(begin + self.most_rows, stop), garbage if begin == start else [])
                yield Part(None if self.speedup == UNPACED else tick * self.tick_s, piece)

    def _ticks_of(self, due_s: Floats) -> Floats:
        if self.speedup == UNPACED:
            return np.zeros(len(due_s))
        ticks: Floats = np.ceil((due_s - self.origin_s) / (self.speedup * self.tick_s))
        return ticks


@dataclass
class FleetPublisher(Publisher):
    """Publishes shipments: each reading alone, or by the concentrator at the meters' transformer.

    Attributes:
        grid: names meters and transformers.
        garbage_sent: payloads that were no readings, so far.
    """

    grid: Grid | None = None
    garbage_sent: int = 0

    def messages(self, batch: ReadingBatch) -> list[Message]:
        """Return a shipment as messages, its garbage last."""
        if not isinstance(batch, Shipment) or self.grid is None:
            return super().messages(batch)
        self.garbage_sent += len(batch.garbage)
        garbage = [self._garbage(item, self.grid) for item in batch.garbage]
        if not len(batch):
            return garbage
        single = self.mode is Mode.SINGLE
        return (meter_messages(batch) if single else concentrated(batch, self.grid, self.per_message)) + garbage

    def _garbage(self, item: Garbage, grid: Grid) -> Message:
        if self.mode is Mode.SINGLE:
            return Message(f"meters/{grid.meter_numbers[item.meter].decode()}/reading", item.payload, 0)
        return Message(_topic(int(grid.meter_transformer[item.meter])), item.payload, 0)


def concentrated(shipment: Shipment, grid: Grid, per_message: int) -> list[Message]:
    """Return arrays of the readings of each transformer, with the order in time kept inside."""
    transformer = grid.sender_transformer[shipment.meter]
    order = np.argsort(transformer, kind="stable")
    rows = write_rows(shipment)
    rows = [rows[row] for row in order.tolist()]
    names = transformer[order]
    edges = [0, *(np.flatnonzero(np.diff(names)) + 1).tolist(), len(rows)]
    return [
        Message(_topic(int(names[first])), b"[" + b",".join(rows[first:last]) + b"]", last - first)
        for start, stop in pairwise(edges)
        for first, last in pairwise([*range(start, stop, per_message), stop])
    ]


def _topic(transformer: int) -> str:
    return f"concentrators/C{transformer:06d}/readings"
