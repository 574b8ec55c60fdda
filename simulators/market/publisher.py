"""Ticks as messages: one each, or those of a symbol together."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from schemas.json_writer import write_rows
from schemas.layout import ColumnBatch
from schemas.ticks import TickBatch
from simulators.market.ticks import TickShipment
from simulators.messages import Mode, topic_level
from simulators.publisher import Publisher
from simulators.transport import Message


@dataclass
class TickPublisher(Publisher):
    """Publishes simulated ticks on `market/{market}/{symbol}/tick`.

    Attributes:
        names: `market/symbol` of each position in the listing.
    """

    names: tuple[str, ...] = field(default=())

    def messages(self, batch: ColumnBatch) -> list[Message]:
        """Return a shipment as messages.

        Raises:
            TypeError: it is not a shipment of ticks.
        """
        if not isinstance(batch, TickShipment):
            raise TypeError(f"a shipment of ticks is needed, this is {batch!r}")
        return tick_messages(batch, batch.sender, self.names, self.mode, self.per_message)


def tick_messages(
    batch: TickBatch, sender: npt.NDArray[np.integer], names: Sequence[str], mode: Mode, per_message: int
) -> list[Message]:
    """Return ticks as messages: with mode `SINGLE` one per tick in order, else arrays by symbol.

    Args:
        batch: n ticks.
        sender: int[n], position of each one's symbol in the names.
        names: `market/symbol` each.
        mode: one each, or arrays.
        per_message: ticks per array at most.
    """
    if not len(batch):
        return []
    topics = [f"market/{'/'.join(topic_level(part) for part in name.split('/', 1))}/tick" for name in names]
    rows = write_rows(batch)
    if mode is Mode.SINGLE:
        return [Message(topics[symbol], row, 1) for symbol, row in zip(sender.tolist(), rows, strict=True)]
    order = np.argsort(sender, kind="stable")
    symbols = sender[order]
    sorted_rows = [rows[row] for row in order.tolist()]
    edges = [0, *(np.flatnonzero(np.diff(symbols)) + 1).tolist(), len(rows)]
    return [
        Message(topics[int(symbols[first])], b"[" + b",".join(sorted_rows[first:last]) + b"]", last - first)
        for start, stop in pairwise(edges)
        for first, last in pairwise([*range(start, stop, per_message), stop])
    ]
