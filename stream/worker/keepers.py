"""Topics that go to the database as they are: rejected readings, whoever rejected them, and the meter registry."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

import structlog
from faust.types import TP
from pydantic import BaseModel, ValidationError

from schemas.errors import ServiceUnavailable
from stream.backoff import Backoff
from stream.worker.intake import Record

M = TypeVar("M", bound=BaseModel)


class Keeper(Generic[M]):
    """Hands records of one topic to the store, then commits their offsets.

    Guarantee: at least once; repeats do no harm.

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
        """Store the records of some fetches, then commit their offsets."""
        reached: dict[TP, int] = {}
        items = list[M]()
        for event in events:
            tp = event.message.tp
            items += [item for record in event.message.value if (item := self._read(tp, record)) is not None]
            reached[tp] = event.message.offset + 1
        backoff = Backoff()
        while items:
            try:
                await self._keep(items)
                break
            except ServiceUnavailable:
                await asyncio.sleep(backoff.next_s())
        for tp, next_offset in reached.items():
            await self._app.consumer.commit_up_to(tp, next_offset)

    def _read(self, tp: TP, record: Record) -> M | None:
        if not record.payload:
            return None  # a compacted topic's way of saying that something is gone
        try:
            return self._model.model_validate_json(record.payload)
        except ValidationError as error:
            # Somebody else's; it stays in Kafka, where it can be looked at.
            structlog.get_logger("keeper").warning(
                "unreadable_record",
                topic=tp.topic,
                partition=tp.partition,
                offset=record.offset,
                error=str(error)[:200],
            )
            return None
