"""What a fleet sends, as a publisher takes it, and the messages that carry it."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np

from schemas.json_writer import write_rows
from schemas.layout import ColumnBatch
from schemas.readings import ReadingBatch
from simulators.cargo import Cargo
from simulators.dispatch import Dispatch
from simulators.garbage import Garbage
from simulators.grid import Grid
from simulators.messages import Mode, meter_messages
from simulators.publisher import Publisher
from simulators.transport import Message


class Shipment(Cargo, ReadingBatch):
    """Readings that are sent together; `sender` is a position in the grid's senders."""

    @classmethod
    def of(cls, sent: Dispatch) -> Self:
        """Return what a dispatcher sends."""
        return cls(sent.batch.records, sent.due_s, sent.meter, sent.garbage)


@dataclass
class FleetPublisher(Publisher):
    """Publishes shipments: each reading alone, or by the concentrator at the meters' transformer.

    Attributes:
        grid: names meters and transformers.
    """

    grid: Grid | None = None

    def messages(self, batch: ColumnBatch) -> list[Message]:
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
    transformer = grid.sender_transformer[shipment.sender]
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
