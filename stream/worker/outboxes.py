"""What has closed to its topic, one JSON object each: windows to `grid.windows`, bars to `market.bars`."""

import asyncio
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from aiokafka.errors import KafkaError
from faust.exceptions import ProducerSendError
from pydantic import BaseModel

from schemas.errors import ServiceUnavailable
from schemas.topics import CONTENT_TYPE, JSON
from sinks.outbox import Outbox
from stream.backoff import Backoff

_HEADER = {CONTENT_TYPE: JSON.encode()}
_PAUSE_S = 1.0

M = TypeVar("M", bound=BaseModel)


class OutboxPublisher(Generic[M]):
    """Publishes what has closed, and again what was restated since.

    Args:
        app: the Faust application, whose producer is used.
        outbox: finds it.
        topic: where it goes.
        key: of its record.
    """

    def __init__(self, app: Any, outbox: Outbox[M], topic: str, key: Callable[[M], str]) -> None:
        self._app = app
        self._outbox = outbox
        self._topic = topic
        self._key = key

    async def run(self) -> None:
        """Publish what has closed, for ever; an absence of Kafka or the database is waited for."""
        backoff = Backoff()
        while True:
            try:
                while await self._outbox.hand_on(self._send):
                    backoff.reset()
                await asyncio.sleep(_PAUSE_S)
            except ServiceUnavailable:
                # The deliverer meets the same absence and says so.
                await asyncio.sleep(backoff.next_s())

    async def _send(self, items: list[M]) -> None:
        try:
            sent = [
                await self._app.producer.send(
                    self._topic, self._key(item).encode(), item.model_dump_json().encode(), None, None, _HEADER
                )
                for item in items
            ]
            await asyncio.gather(*sent)
        except (KafkaError, ProducerSendError) as error:
            raise ServiceUnavailable("kafka", error) from error
