"""Step 6: newest values go to Redis a little later, many at once, and never hold up a delivery."""

import asyncio
import time
from typing import Any, Generic, TypeVar

import numpy as np

from schemas.delivery import StoredRows
from schemas.errors import ServiceUnavailable
from sinks.sink import Latest
from stream.metrics import WorkerMetrics
from stream.outage import Outage

#: Shortest time between two writes [s].
_PAUSE_S = 0.25
#: A write that takes a second is followed by a pause of nine: at most a tenth of the worker goes into this.
_PAUSE_PER_WRITE = 9.0
#: A Redis that hangs makes a write long without any work: values must not be stale for minutes afterwards [s].
_LONGEST_PAUSE_S = 5.0
R = TypeVar("R", bound=StoredRows[Any])

#: Rows waiting before they are thinned out to one per key.
_THIN_AT = 100_000


class NewestKeeper(Generic[R]):
    """Collects stored rows and keeps the newest of each meter, or of whatever they are of, in a `Latest` sink.

    Guarantee: what waits here is lost with the process; whoever reads its records again offers it again. While Redis is
    away for longer than a checkpoint takes, the next reading mends it.

    Args:
        latest: where newest values are kept.
        metrics: what the worker counts.
    """

    def __init__(self, latest: Latest[R], metrics: WorkerMetrics) -> None:
        self._latest = latest
        self._metrics = metrics
        self._waiting: list[R] = []
        self._count = 0
        self.outage = Outage("redis")

    def offer(self, rows: R) -> None:
        """Take rows that were stored; only those newer than all before of their key matter."""
        if not rows.newest.any():
            return
        self._waiting.append(rows.where(rows.newest))
        self._count += len(self._waiting[-1])
        if self._count > _THIN_AT:
            self._waiting = [newest_of_each(type(self._waiting[0]).concat(self._waiting))]
            self._count = len(self._waiting[0])

    async def run(self) -> None:
        """Write what has collected, for ever; while Redis is away, keep the newest and try again."""
        while True:
            started = time.monotonic()
            await self.flush()
            await asyncio.sleep(pause_s(time.monotonic() - started))

    async def flush(self) -> None:
        """Write what has collected, once."""
        if not self._waiting:
            return
        rows, self._waiting, self._count = newest_of_each(type(self._waiting[0]).concat(self._waiting)), [], 0
        try:
            await self._latest.write(rows)
        except ServiceUnavailable as error:
            self.outage.begin(error.cause)
            self._waiting.insert(0, rows)
            self._count += len(rows)
        else:
            self.outage.end()
            self._metrics.latest.inc(len(rows))


def pause_s(write_s: float) -> float:
    """Return how long to wait after a write that took so long [s]."""
    return min(max(_PAUSE_S, _PAUSE_PER_WRITE * write_s), _LONGEST_PAUSE_S)


def newest_of_each(rows: R) -> R:
    """Return the last row of each key."""
    _, from_end = np.unique(rows.key_id[::-1], return_index=True)
    return rows if len(from_end) == len(rows) else rows.take(np.sort(len(rows) - 1 - from_end))
