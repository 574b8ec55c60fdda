"""Topics that go to the database as they are: rejected readings, whoever rejected them, and the meter registry."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Generic, TypeVar

import structlog
from faust.types import TP
from pydantic import BaseModel, ValidationError

from schemas.errors import ServiceUnavailable
from schemas.layout import instant_of
from schemas.registry import RegistryEntry
from stream.backoff import Backoff
from stream.worker.gaps import MOST, GapReader
from stream.worker.intake import Record

#: Before any offset.
NOWHERE = -1

T = TypeVar("T")
R = TypeVar("R")
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


async def patiently(attempt: Callable[[], Awaitable[R]]) -> R:
    """Try until the service is there."""
    backoff = Backoff()
    while True:
        try:
            return await attempt()
        except ServiceUnavailable:
            await asyncio.sleep(backoff.next_s())


class Keeper(Generic[T]):
    """Hands records of one topic to the store, then commits their offsets.

    Guarantee: at least once; repeats do no harm.

    Args:
        app: the Faust application.
        read: reads a record; one that it finds invalid is passed over.
        keep: stores many of them; raises ServiceUnavailable to be called again.
        gaps: fetches records that Faust has passed over.
    """

    def __init__(
        self,
        app: Any,
        read: Callable[[Record], T | None],
        keep: Callable[[Sequence[T]], Awaitable[None]],
        gaps: GapReader,
    ) -> None:
        self._app = app
        self._reads = read
        self._keep = keep
        self._gaps = gaps
        self._next: dict[int, int] = {}

    async def take(self, events: Sequence[Any]) -> None:
        """Store the records of some fetches, then commit their offsets."""
        reached: dict[TP, int] = {}
        items = list[T]()
        for event in events:
            tp, fetched = event.message.tp, event.message.value
            records = [*await self._passed_over(tp.partition, fetched[0].offset), *fetched]
            items += [item for record in records if (item := self._read(tp, record)) is not None]
            self._next[tp.partition] = reached[tp] = event.message.offset + 1
        if items:
            await patiently(partial(self._keep, items))
        for tp, next_offset in reached.items():
            await self._app.consumer.commit_up_to(tp, next_offset)

    async def _passed_over(self, partition: int, first: int) -> list[Record]:
        """Return what is missing before a fetch that begins here: Faust drops fetches when partitions move."""
        begin = self._next.get(partition, NOWHERE)
        if begin >= first:
            return []
        # Another worker may have kept more meanwhile; where nothing was kept yet the group's place is all there is.
        begin = max(begin, await patiently(partial(self._gaps.start, partition)))
        if begin >= first:
            return []
        begin = max(begin, await patiently(partial(self._gaps.earliest, partition)))
        pieces = [(start, min(start + MOST, first)) for start in range(begin, first, MOST)]
        return [record for piece in pieces for record in await patiently(partial(self._gaps.read, partition, *piece))]

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
