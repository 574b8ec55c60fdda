"""Rejected readings from the topic to the database, whoever rejected them: the bridge, a worker, another program."""

import asyncio
from collections.abc import Sequence
from typing import Any

import structlog
from pydantic import ValidationError

from schemas.errors import ServiceUnavailable
from schemas.rejected import Rejected
from sinks.sink import Store
from stream.backoff import Backoff

_log = structlog.get_logger("rejects")


class RejectKeeper:
    """Keeps what was rejected. Guarantee: at least once; the id makes a repeat harmless.

    Args:
        app: the Faust application.
        store: where rejects are kept.
    """

    def __init__(self, app: Any, store: Store) -> None:
        self._app = app
        self._store = store

    async def take(self, events: Sequence[Any]) -> None:
        """Store records of the rejected topic, then acknowledge them."""
        rejected = [item for event in events if (item := _read(event.message)) is not None]
        backoff = Backoff()
        while rejected:
            try:
                await self._store.keep_rejected(rejected)
                break
            except ServiceUnavailable:
                await asyncio.sleep(backoff.next_s())
        for event in events:
            self._app.consumer.ack(event.message)


def _read(message: Any) -> Rejected | None:
    try:
        return Rejected.model_validate_json(message.value or b"")
    except ValidationError as error:
        # Not written by us. It stays in Kafka, where it can be looked at.
        _log.warning("unreadable_reject", offset=message.offset, partition=message.partition, error=str(error)[:200])
        return None
