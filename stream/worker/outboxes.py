"""What has closed to its topic, one JSON object each: windows to `grid.windows`, bars to `market.bars`."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from pydantic import BaseModel

from schemas.errors import ServiceUnavailable
from sinks.outbox import Outbox
from stream.backoff import Backoff, rest
from stream.outage import Outage
from stream.worker.producer import KafkaProducer, Outgoing

_PAUSE_S = 1.0

M = TypeVar("M", bound=BaseModel)


class OutboxPublisher(Generic[M]):
    """Publishes what has closed, and again what was restated since.

    Args:
        producer: how it gets to Kafka.
        outbox: finds it.
        topic: where it goes.
        key: of its record.
        busy: while true, little is published: what waits to be stored goes first.
        latest: keeps the newest of them; its absence holds nothing up, and the next one mends it.
    """

    def __init__(
        self,
        producer: KafkaProducer,
        outbox: Outbox[M],
        topic: str,
        key: Callable[[M], str],
        busy: Callable[[], bool] = lambda: False,
        latest: Callable[[list[M]], Awaitable[object]] | None = None,
    ) -> None:
        self._producer = producer
        self._outbox = outbox
        self._topic = topic
        self._key = key
        self._busy = busy
        self._latest = latest
        self._outage = Outage("redis")

    async def run(self) -> None:
        """Publish what has closed, for ever; an absence of Kafka or the database is waited for."""
        backoff = Backoff()
        while True:
            try:
                began = time.monotonic()
                more = await self._outbox.hand_on(self._send)
                backoff.reset()
                if not more or self._busy():
                    await rest(_PAUSE_S, time.monotonic() - began, self._busy)
            except ServiceUnavailable:
                # The deliverer meets the same absence and says so.
                await asyncio.sleep(backoff.next_s())

    async def _send(self, items: list[M]) -> None:
        await self._producer.send(
            [Outgoing(self._topic, self._key(item), item.model_dump_json().encode()) for item in items]
        )
        if self._latest is None:
            return
        try:
            await self._latest(items)
        except ServiceUnavailable as error:
            self._outage.begin(error.cause)
        else:
            self._outage.end()
