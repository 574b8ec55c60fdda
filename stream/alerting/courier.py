"""Takes notices to one channel: in order, no faster than it likes, and patient while it does not work."""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from schemas.alerts import Severity
from schemas.errors import ServiceUnavailable
from sinks.channels.channel import ChannelAway, ChannelRefused, Notice
from sinks.notifications import Notifications
from stream.alerting.breaker import Breaker, Circuit
from stream.alerting.channel_sign import channel_sign
from stream.alerting.routes import Post
from stream.backoff import Backoff
from stream.metrics import CourierMetrics

#: How often a channel is looked after that has nothing to do [s].
IDLE_S = 0.5
#: The same while it collects: much may wait, and counting that takes a while [s].
COLLECT_S = 5.0
#: While a circuit is open: how often what has become due meanwhile is handed to the next channel [s].
HAND_OVER_S = 5.0
#: And how often it is said again: its alert is over when nothing was said for `hold_s` of its kind (300) [s].
_SAY_AGAIN_S = 120.0
_SHOWN = 20


class Courier:
    """One channel's way from the outbox to its people.

    Args:
        name: of the channel.
        post: the channel and how it is treated.
        notices: what waits.
        metrics: where it is counted.
        clock: the time now, in UTC.
        backoff: waits between failures while the circuit is closed.
        timer: seconds that never go back.
    """

    def __init__(
        self,
        name: str,
        post: Post,
        notices: Notifications,
        metrics: CourierMetrics,
        clock: Callable[[], datetime],
        backoff: Backoff | None = None,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name, self._post, self._notices, self._metrics = name, post, notices, metrics
        self._clock, self._timer = clock, timer
        self._backoff = backoff or Backoff(1.0, 60.0)
        self._breaker = Breaker(post.settings.open_after, post.settings.pause_s, timer)
        self._told_at = self._gathered_at = -float("inf")
        self._said_at, self._cause = -float("inf"), ""
        self._log = structlog.get_logger("alerts")

    async def run(self) -> None:
        """Deliver for ever."""
        while True:
            try:
                pause_s = await self.turn()
            except ServiceUnavailable as absence:
                # The desk meets the same absence of the database and says so.
                self._log.info("notices_wait", channel=self._name, cause=str(absence.cause))
                pause_s = self._backoff.next_s()
            await asyncio.sleep(pause_s)

    async def turn(self) -> float:
        """Deliver one notice or one digest, if any is due; return how long to wait before the next one [s]."""
        now, settings = self._clock(), self._post.settings
        oldest = await self._notices.due(self._name, now)
        self._metrics.waiting.labels(self._name).set(oldest.count if oldest is not None else 0)
        if self._breaker.circuit is Circuit.OPEN:
            return await self._rest()
        if oldest is None:
            return IDLE_S
        collects = oldest.gathered or oldest.count > (settings.digest_over if settings.every_s is None else 1)
        rest_s = self._collect_until_s(collects=collects) - self._timer()
        if rest_s > 0:
            return min(rest_s, COLLECT_S)
        parcel = await self._digest(now) if collects else (oldest.number, Notice(oldest.event))
        return await self._deliver(*parcel, oldest.event.time) if parcel is not None else IDLE_S

    def _collect_until_s(self, *, collects: bool) -> float:
        """Return until when what is due is collected further, on the timer: a storm is a digest now and then [s]."""
        settings = self._post.settings
        if settings.every_s is not None:
            return self._told_at + settings.every_s
        return self._gathered_at + settings.digest_pause_s if collects else -float("inf")

    async def _digest(self, now: datetime) -> tuple[int, Notice] | None:
        """Return all that is due as one notice, and under which number it is kept; None where nothing is."""
        found = await self._notices.digest(self._name, now, _SHOWN)
        if found is None:
            return None
        others = tuple(event.data.alert.message for event in found.events[1:])
        return found.number, Notice(found.events[0], found.count, others)

    async def _deliver(self, number: int, notice: Notice, since: datetime) -> float:
        """Bring a notice to the channel; return how long to wait before the next one [s]."""
        try:
            await self._post.channel.send(notice)
        except ChannelAway as absence:
            return await self._away(number, absence)
        except ChannelRefused as refusal:
            self._answered()
            await self._refused(number, refusal)
        else:
            self._answered()
            self._told_at = self._timer()
            self._gathered_at = self._told_at if notice.count > 1 else self._gathered_at
            await self._notices.sent(number, self._clock())
            late_s = (self._clock() - since).total_seconds() if self._post.settings.every_s is None else None
            self._metrics.told(self._name, notice.count, late_s)
        return 60.0 / self._post.settings.per_minute

    def _answered(self) -> None:
        self._backoff.reset()
        if self._breaker.answered():
            self._log.info("channel_answers", channel=self._name)
        self._metrics.open.labels(self._name).set(0)

    async def _away(self, number: int, absence: ChannelAway) -> float:
        cause = str(absence.cause)
        opened = self._breaker.failed(absence.retry_after_s)
        self._metrics.failures.labels(self._name, "away").inc()
        self._metrics.open.labels(self._name).set(opened)
        await self._notices.put_off(number, cause)
        if not opened:
            return max(self._backoff.next_s(), absence.retry_after_s)
        self._said_at, self._cause = -float("inf"), cause
        return await self._rest()

    async def _rest(self) -> float:
        """Leave the channel alone: the next one tells what is due meanwhile, and the channel's own alert stands."""
        await self._hand_over(None)
        if self._timer() - self._said_at >= _SAY_AGAIN_S:
            await self._raise(
                f"channel {self._name} has failed {self._breaker.failures} times in a row and is left alone for "
                f"{self._breaker.rest_s:.0f} s (circuit open): {self._cause}",
                self._cause,
            )
            self._said_at = self._timer()
        return min(self._breaker.rest_s, HAND_OVER_S)

    async def _refused(self, number: int, refusal: ChannelRefused) -> None:
        self._metrics.failures.labels(self._name, "refused").inc()
        await self._hand_over(number)
        await self._notices.refused(number, str(refusal))
        await self._raise(f"channel {self._name} has refused a notice: {refusal}", str(refusal))

    async def _hand_over(self, number: int | None) -> None:
        """Let the next channel tell one notice or digest, or all that is due."""
        if self._post.settings.next is not None:
            await self._notices.hand_over(self._name, self._post.settings.next, self._clock(), number)

    async def _raise(self, message: str, cause: str) -> None:
        self._log.error("channel_failed", channel=self._name, circuit=self._breaker.circuit.value, cause=cause)
        failures = self._breaker.failures or 1
        await self._notices.raise_sign(
            channel_sign(self._name, self._clock(), message, Severity.WARNING, failures=failures, cause=cause)
        )


async def deliver(couriers: Sequence[Courier], leads: Callable[[], bool]) -> None:
    """Let couriers deliver while this desk is the active one; for ever.

    Raises:
        Exception: what a courier did not expect; a channel that nobody serves any more must not stay unnoticed.
    """
    delivering: list[asyncio.Task[None]] = []
    try:
        while True:
            if leads() and not delivering:
                delivering = [asyncio.create_task(courier.run()) for courier in couriers]
            elif not leads() and delivering:
                await _end(delivering)
                delivering = []
            for task in delivering:
                if task.done():
                    task.result()
            await asyncio.sleep(IDLE_S)
    finally:
        await _end(delivering)


async def _end(tasks: Sequence["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
