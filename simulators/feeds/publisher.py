"""Ticks of published files as messages: an array for each symbol, in the order of the file."""

from dataclasses import dataclass

import pyarrow.compute as pc

from schemas.layout import ColumnBatch
from schemas.ticks import TickBatch
from simulators.market.publisher import tick_messages
from simulators.messages import Mode
from simulators.publisher import Publisher
from simulators.transport import Message


@dataclass
class FeedPublisher(Publisher):
    """Publishes ticks on `market/{market}/{symbol}/tick`."""

    mode: Mode = Mode.CONCENTRATOR

    def messages(self, batch: ColumnBatch) -> list[Message]:
        """Return ticks as messages.

        Raises:
            TypeError: it does not hold ticks.
        """
        if not isinstance(batch, TickBatch):
            raise TypeError(f"ticks are needed, this is {batch!r}")
        named = pc.binary_join_element_wise(batch.column("market"), batch.column("symbol"), "/").dictionary_encode()
        return tick_messages(batch, named.indices.to_numpy(), named.dictionary.to_pylist(), self.mode, self.per_message)
