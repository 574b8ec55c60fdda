"""Takes notices to one channel: in order, no faster than it likes, and patient while it does not work."""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime

import structlog

from schemas.alerts import Alert, AlertKind, Severity, alert_id
from schemas.errors import ServiceUnavailable
from sinks.channels.channel import ChannelAway, ChannelRefused, Notice
from sinks.notifications import Notifications, Waiting
from stream.alerting.routes import Post
from stream.backoff import Backoff

#: How often a channel is looked after that has nothing to do [s].
IDLE_S = 0.5
#: Failures in a row after which a channel counts as broken: it is left alone longer, and the next one is tried.
_BROKEN_AFTER = 4
_SHOWN = 20


class Courier:
    """One channel's way from the outbox to its people.

    Args:
        name: of the channel.
        post: the channel and how it is treated.
        notices: what waits.
        clock: the time now, in UTC.
        backoff: waits between failures.
    """

    def __init__(
        self,
        name: str,
        post: Post,
        notices: Notifications,
        clock: Callable[[], datetime],
        backoff: Backoff | None = None,
    ) -> None:
        self._name, self._post, self._notices, self._clock = name, post, notices, clock
        self._backoff = backoff or Backoff(1.0, 60.0)
        self._failures = 0
        self._next_at = -float("inf")
        self._told_at = -float("inf")

    async def run(self) -> None:
        """Deliver for ever."""
        log = structlog.get_logger("alerts")
        while True:
            try:
                pause_s = await self.turn()
            except ServiceUnavailable as absence:
                # The desk meets the same absence of the database and says so.
                log.info("notices_wait", channel=self._name, cause=str(absence.cause))
                pause_s = self._backoff.next_s()
            await asyncio.sleep(pause_s)

    async def turn(self) -> float:
        """Deliver one notice or one digest, if any is due; return how long to wait before the next one [s]."""
        every_s, now_s = self._post.settings.every_s, time.monotonic()
        if every_s is not None and now_s - self._told_at < every_s:
            return min(every_s - (now_s - self._told_at), IDLE_S)
        now = self._clock()
        found = await self._notices.due(self._name, now, 1)
        if not found:
            return IDLE_S
        digest = found[0].waiting > (1 if every_s is not None else self._post.settings.digest_over)
        try:
            await (self._digest(now) if digest else self._one(found[0]))
        except ChannelAway as absence:
            return await self._away(found[0], absence)
        except ChannelRefused as refusal:
            await self._refused(found[0], refusal)
        else:
            self._works()
        return 60.0 / self._post.settings.per_minute

    async def _one(self, waiting: Waiting) -> None:
        await self._post.channel.send(Notice(waiting.event))
        await self._notices.sent(waiting.number, self._clock())

    async def _digest(self, now: datetime) -> None:
        last = await self._notices.last(self._name, now)
        worst = await self._notices.due(self._name, now, _SHOWN, worst=True)
        first, others = worst[0], tuple(one.event.data.alert.message for one in worst[1:])
        await self._post.channel.send(Notice(first.event, first.waiting, others))
        await self._notices.sent_to(self._name, last, now, self._clock())

    def _works(self) -> None:
        self._failures = 0
        self._told_at = time.monotonic()
        self._backoff.reset()

    async def _away(self, waiting: Waiting, absence: ChannelAway) -> float:
        self._failures += 1
        await self._notices.failed(waiting.number, str(absence.cause), for_good=False)
        if self._failures >= _BROKEN_AFTER:
            await self._broken(str(absence.cause), None)
        return max(self._backoff.next_s(), absence.retry_after_s)

    async def _refused(self, waiting: Waiting, refusal: ChannelRefused) -> None:
        await self._notices.failed(waiting.number, str(refusal), for_good=True)
        await self._broken(str(refusal), waiting.number)

    async def _broken(self, cause: str, number: int | None) -> None:
        now, element = self._clock(), f"channel/{self._name}"
        structlog.get_logger("alerts").error("channel_failed", channel=self._name, cause=cause)
        if self._post.settings.next is not None:
            await self._notices.hand_over(self._name, self._post.settings.next, now, number)
        await self._notices.raise_sign(
            Alert(
                alert_id=alert_id(AlertKind.CHANNEL_FAILED, element, round(now.timestamp() * 1e6)),
                kind=AlertKind.CHANNEL_FAILED,
                severity=Severity.WARNING,
                element=element,
                occurred_at=now,
                arrived_at=now,
                measured=float(self._failures or 1),
                expected=0.0,
                unit="failures",
                score=1.0,
                reasons=cause,
                message=f"channel {self._name} does not take notices: {cause}",
            )
        )
