"""What has closed is handed on as fast as it goes, and a portion a second while something else goes first."""

import asyncio
from typing import Any

import pytest

from schemas.errors import ServiceUnavailable
from stream.worker.outboxes import OutboxPublisher


class Outbox:
    """Has so many portions to hand on; the first tries may fail."""

    def __init__(self, portions: int, away: int = 0) -> None:
        self.portions, self._away = portions, away

    async def hand_on(self, _send: Any) -> int:
        if self._away:
            self._away -= 1
            raise ServiceUnavailable("database", "away")
        self.portions -= self.portions > 0
        return self.portions


async def left(outbox: Outbox, monkeypatch: pytest.MonkeyPatch, *, busy: bool, pauses: int) -> int:
    """How many portions are left after so many pauses."""
    slept = 0

    async def sleep(_seconds: float) -> None:
        nonlocal slept
        slept += 1
        if slept == pauses:
            raise asyncio.CancelledError

    monkeypatch.setattr("stream.worker.outboxes.asyncio.sleep", sleep)
    publisher = OutboxPublisher[Any](None, outbox, "t", str, lambda: busy)  # type: ignore[arg-type]
    with pytest.raises(asyncio.CancelledError):
        await publisher.run()
    return outbox.portions


async def test_all_is_handed_on_before_the_first_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await left(Outbox(10), monkeypatch, busy=False, pauses=1) == 0


async def test_a_portion_a_pause_while_something_else_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await left(Outbox(10), monkeypatch, busy=True, pauses=3) == 7


async def test_what_was_handed_on_before_others_waited_does_not_count_for_the_pause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After ten minutes of work it rested for three hours, and went on resting when nobody waited any more."""
    clock, slept = [0.0], list[float]()

    class Slow(Outbox):
        async def hand_on(self, send: Any) -> int:
            clock[0] += 10.0
            return await super().hand_on(send)

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock[0] += seconds
        if not outbox.portions:
            raise asyncio.CancelledError

    outbox = Slow(60)
    monkeypatch.setattr("stream.worker.outboxes.asyncio.sleep", sleep)
    monkeypatch.setattr("stream.worker.outboxes.time.monotonic", lambda: clock[0])
    publisher = OutboxPublisher[Any](None, outbox, "t", str, lambda: 500.0 < clock[0] < 550.0)  # type: ignore[arg-type]
    with pytest.raises(asyncio.CancelledError):
        await publisher.run()
    assert sum(slept) < 50.0


async def test_an_absence_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await left(Outbox(10, away=2), monkeypatch, busy=False, pauses=3) == 0
