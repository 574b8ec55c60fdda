"""Takes notices to one channel: in order, no faster than it likes, and patient while it does not work."""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from schemas.alerts import Severity
from schemas.errors import ServiceUnavailable
from sinks.channels.channel import ChannelAway, ChannelRefused, Notice
from sinks.notifications import Notifications, Waiting
from stream.alerting.breaker import Breaker, Circuit
from stream.alerting.channel_sign import channel_sign
from stream.alerting.routes import Post
from stream.backoff import Backoff

#: How often a channel is looked after that has nothing to do [s].
IDLE_S = 0.5
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
        clock: the time now, in UTC.
        backoff: waits between failures while the circuit is closed.
        timer: seconds that never go back.
    """

    def __init__(
        self,
        name: str,
        post: Post,
        notices: Notifications,
        clock: Callable[[], datetime],
        backoff: Backoff | None = None,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name, self._post, self._notices, self._clock, self._timer = name, post, notices, clock, timer
        self._backoff = backoff or Backoff(1.0, 60.0)
        self._breaker = Breaker(post.settings.open_after, post.settings.pause_s, timer)
        self._told_at = -float("inf")
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
        if self._breaker.circuit is Circuit.OPEN:
            return await self._rest()
        every_s, now_s = self._post.settings.every_s, self._timer()
        if every_s is not None and now_s - self._told_at < every_s:
            return min(every_s - (now_s - self._told_at), IDLE_S)
        now = self._clock()
        found = await self._notices.due(self._name, now, 1)
        if not found:
            return IDLE_S
        digest = found[0].waiting > (1 if every_s is not None else self._post.settings.digest_over)
        try:
            if not await (self._digest(now) if digest else self._one(found[0])):
                return IDLE_S
        except ChannelAway as absence:
            return await self._away(found[0], absence)
        except ChannelRefused as refusal:
            self._answered()
            await self._refused(found[0], refusal)
        else:
            self._answered()
            self._told_at = self._timer()
        return 60.0 / self._post.settings.per_minute

    async def _one(self, waiting: Waiting) -> bool:
        await self._post.channel.send(Notice(waiting.event))
        await self._notices.sent(waiting.number, self._clock())
        return True

    async def _digest(self, now: datetime) -> bool:
        """Tell of all that is due at once; False where all of it was over meanwhile and nothing was sent."""
        last = await self._notices.last(self._name, now)
        worst = await self._notices.due(self._name, now, _SHOWN, worst=True)
        if not worst:
            return False
        first, others = worst[0], tuple(one.event.data.alert.message for one in worst[1:])
        await self._post.channel.send(Notice(first.event, first.waiting, others))
        await self._notices.sent_to(self._name, last, now, self._clock())
        return True

    def _answered(self) -> None:
        self._backoff.reset()
        if self._breaker.answered():
            self._log.info("channel_answers", channel=self._name)

    async def _away(self, waiting: Waiting, absence: ChannelAway) -> float:
        cause = str(absence.cause)
        opened = self._breaker.failed(absence.retry_after_s)
        await self._notices.failed(waiting.number, cause, for_good=False)
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

    async def _refused(self, waiting: Waiting, refusal: ChannelRefused) -> None:
        await self._notices.failed(waiting.number, str(refusal), for_good=True)
        await self._hand_over(waiting.number)
        await self._raise(f"channel {self._name} has refused a notice: {refusal}", str(refusal))

    async def _hand_over(self, number: int | None) -> None:
        """Let the next channel tell one notice, or all that is due."""
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
