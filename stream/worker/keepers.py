"""Topics that go to the database as they are: rejected readings, whoever rejected them, and the meter registry."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

import structlog
from faust.types import TP
from pydantic import BaseModel, ValidationError

from schemas.errors import ServiceUnavailable
from schemas.layout import instant_of
from schemas.registry import RegistryEntry
from stream.backoff import Backoff
from stream.worker.intake import Record

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)


def json_of(model: type[M]) -> Callable[[Record], M | None]:
    """Return what reads records that hold a JSON object each; one without a value says nothing."""
    return lambda record: model.model_validate_json(record.payload) if record.payload else None


def registry_entry(record: Record) -> tuple[RegistryEntry, datetime] | None:
    """Read a record of the registry, and when it came; one without a value says that the meter of its key is gone."""
    came = instant_of(record.arrived_us)
    if record.payload:
        return RegistryEntry.model_validate_json(record.payload), came
    if record.key is None:
        return None
    gone = {"meter_number": record.key.decode(errors="backslashreplace"), "status": "unregistered"}
    return RegistryEntry.model_validate(gone), came


class Keeper(Generic[T]):
    """Hands records of one topic to the store, then commits their offsets.

    Guarantee: at least once; repeats do no harm.

    Args:
        app: the Faust application.
        read: reads a record; one that it finds invalid is passed over.
        keep: stores many of them; raises ServiceUnavailable to be called again.
    """

    def __init__(
        self, app: Any, read: Callable[[Record], T | None], keep: Callable[[Sequence[T]], Awaitable[None]]
    ) -> None:
        self._app = app
        self._reads = read
        self._keep = keep

    async def take(self, events: Sequence[Any]) -> None:
        """Store the records of some fetches, then commit their offsets."""
        reached: dict[TP, int] = {}
        items = list[T]()
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

    def _read(self, tp: TP, record: Record) -> T | None:
        try:
            return self._reads(record)
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
