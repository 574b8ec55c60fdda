"""Estimates beside the stream: what has become due is estimated while nothing waits to be stored."""

import asyncio
from collections.abc import Callable

from schemas.errors import ServiceUnavailable
from stream.backoff import Backoff
from stream.metrics import WorkerMetrics
from stream.vee.automatic import AutomaticEstimation


async def keep_estimating(
    estimation: AutomaticEstimation, metrics: WorkerMetrics, pause_s: float, busy: Callable[[], bool]
) -> None:
    """Estimate what is due, for ever; an absence of the database is waited for.

    Args:
        estimation: does it, in a thread of its own.
        metrics: counts what was written.
        pause_s: how often what is due is looked for [s].
        busy: while true, only one step is made in each pause: what waits to be stored goes first.
    """
    backoff = Backoff()
    while True:
        try:
            before = estimation.written
            done = await asyncio.to_thread(estimation.step)
            metrics.estimates.inc(estimation.written - before)
            backoff.reset()
            if not done or busy():
                await asyncio.sleep(pause_s)
        except ServiceUnavailable:
            # The deliverer meets the same absence and says so.
            await asyncio.sleep(backoff.next_s())
