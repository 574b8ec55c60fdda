"""Ticks as messages: one each, or those of a symbol together."""

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from schemas.json_writer import write_rows
from schemas.layout import ColumnBatch
from simulators.market.ticks import TickShipment
from simulators.messages import Mode, topic_level
from simulators.publisher import Publisher
from simulators.transport import Message


@dataclass
class TickPublisher(Publisher):
    """Publishes ticks on `market/{market}/{symbol}/tick`.

    Attributes:
        names: `market/symbol` of each position in the listing.
    """

    names: tuple[str, ...] = field(default=())

    def messages(self, batch: ColumnBatch) -> list[Message]:
        """Return a shipment as messages: with mode `SINGLE` one per tick in order, else arrays by symbol.

        Raises:
            TypeError: it is not a shipment of ticks.
        """
        if not isinstance(batch, TickShipment):
            raise TypeError(f"a shipment of ticks is needed, this is {batch!r}")
        if not len(batch):
            return []
        topics = [f"market/{'/'.join(topic_level(part) for part in name.split('/', 1))}/tick" for name in self.names]
        rows = write_rows(batch)
        if self.mode is Mode.SINGLE:
            return [Message(topics[symbol], row, 1) for symbol, row in zip(batch.sender.tolist(), rows, strict=True)]
        order = np.argsort(batch.sender, kind="stable")
        symbols = batch.sender[order]
        sorted_rows = [rows[row] for row in order.tolist()]
        edges = [0, *(np.flatnonzero(np.diff(symbols)) + 1).tolist(), len(rows)]
        return [
            Message(topics[int(symbols[first])], b"[" + b",".join(sorted_rows[first:last]) + b"]", last - first)
            for start, stop in pairwise(edges)
            for first, last in pairwise([*range(start, stop, self.per_message), stop])
        ]
