"""The worker's share of the database's upkeep, beside the flow: it never holds a delivery up."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

from schemas.errors import ServiceUnavailable
from stream.backoff import Backoff, rest

#: A failure is told no more often [s].
_FAILED_S = 300.0

_log = structlog.get_logger("upkeep")


async def again_and_again(work: Callable[[], Awaitable[list[str]]], pause_s: float, busy: Callable[[], bool]) -> None:
    """Do what is due, for ever; an absence of the database is waited for.

    Args:
        work: does it and says what it did; raises ServiceUnavailable to be called again.
        pause_s: between two times [s].
        busy: while true, little is done: what waits to be stored goes first.
    """
    backoff = Backoff()
    while True:
        try:
            began = time.monotonic()
            for done in await work():
                _log.info("upkeep", done=done)
            backoff.reset()
            await rest(pause_s, time.monotonic() - began, busy)
        except ServiceUnavailable:
            # The deliverer meets the same absence and says so.
            await asyncio.sleep(backoff.next_s())
        except Exception as error:  # noqa: BLE001 - nothing here may end a worker that can still deliver
            _log.error("upkeep_failed", error=str(error))
            await asyncio.sleep(max(pause_s, _FAILED_S))
