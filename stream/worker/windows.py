"""Closed windows to the topic `grid.windows`, one JSON object each, keyed by element."""

import asyncio
from typing import Any

from aiokafka.errors import KafkaError
from faust.exceptions import ProducerSendError

from schemas.errors import ServiceUnavailable
from schemas.topics import CONTENT_TYPE, GRID_WINDOWS, JSON
from schemas.windows import WindowAggregate
from sinks.windows_outbox import WindowOutbox
from stream.backoff import Backoff

_HEADER = {CONTENT_TYPE: JSON.encode()}
_PAUSE_S = 1.0


class WindowPublisher:
    """Publishes windows once they have closed, and again when a late reading restates one.

    Args:
        app: the Faust application, whose producer is used.
        outbox: finds them.
    """

    def __init__(self, app: Any, outbox: WindowOutbox) -> None:
        self._app = app
        self._outbox = outbox

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

    async def _send(self, windows: list[WindowAggregate]) -> None:
        try:
            sent = [
                await self._app.producer.send(
                    GRID_WINDOWS.name, item.element.encode(), item.model_dump_json().encode(), None, None, _HEADER
                )
                for item in windows
            ]
            await asyncio.gather(*sent)
        except (KafkaError, ProducerSendError) as error:
            raise ServiceUnavailable("kafka", error) from error
