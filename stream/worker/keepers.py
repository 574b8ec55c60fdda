"""Topics that go to the database as they are: rejected readings, whoever rejected them, and the meter registry."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

import structlog
from pydantic import BaseModel, ValidationError

from schemas.errors import ServiceUnavailable
from stream.backoff import Backoff

M = TypeVar("M", bound=BaseModel)


class Keeper(Generic[M]):
    """Hands records of one topic to the store, then acknowledges them. Guarantee: at least once; repeats do no harm.

    Args:
        app: the Faust application.
        model: what a record holds, as JSON.
        keep: stores many of them; raises ServiceUnavailable to be called again.
    """

    def __init__(self, app: Any, model: type[M], keep: Callable[[Sequence[M]], Awaitable[None]]) -> None:
        self._app = app
        self._model = model
        self._keep = keep

    async def take(self, events: Sequence[Any]) -> None:
        """Store records, then acknowledge them."""
        items = [item for event in events if (item := self._read(event.message)) is not None]
        backoff = Backoff()
        while items:
            try:
                await self._keep(items)
                break
            except ServiceUnavailable:
                await asyncio.sleep(backoff.next_s())
        for event in events:
            self._app.consumer.ack(event.message)

    def _read(self, message: Any) -> M | None:
        if message.value is None:
            return None  # a compacted topic's way of saying that something is gone
        try:
            return self._model.model_validate_json(message.value)
        except ValidationError as error:
            # Somebody else's; it stays in Kafka, where it can be looked at.
            structlog.get_logger("keeper").warning(
                "unreadable_record",
                topic=message.topic,
                partition=message.partition,
                offset=message.offset,
                error=str(error)[:200],
            )
            return None
