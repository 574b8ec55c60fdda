"""A courier whose channel fails leaves it alone, says so, hands over what is due, and tries again with one notice."""

import asyncio
from datetime import datetime

import pytest

from processors.lifecycle.changes import take
from schemas.alert_events import AlertEvent
from schemas.alerts import Alert, AlertKind
from sinks.channels.channel import ChannelAway, ChannelRefused, Notice
from sinks.notifications import Notifications, Waiting
from stream.alerting.courier import HAND_OVER_S, IDLE_S, Courier, deliver
from stream.alerting.routes import Post, Routing
from stream.backoff import Backoff
from tests.alerting import RULES, after, sign

EVENT = AlertEvent.of(take(sign(), None, RULES), after(1))
ROUTING = Routing.model_validate(
    {
        "channel": {
            "pager": {"sort": "pagerduty", "key": {"env": "KEY"}, "next": "chat", "open_after": 3, "pause_s": 40},
            "chat": {"sort": "slack", "url": {"env": "URL"}},
        }
    }
)


class Outbox(Notifications):
    """Notices in memory: one that waits until it was told, and what was done."""

    def __init__(self) -> None:
        super().__init__("")
        self.waiting = 1
        self.told: list[int] = []
        self.failures: list[tuple[str, bool]] = []
        self.handed: list[int | None] = []
        self.signs: list[Alert] = []

    async def due(self, *_: object, worst: bool = False) -> list[Waiting]:
        return [Waiting(7, EVENT, 0, self.waiting)] if self.waiting and not worst else []

    async def last(self, *_: object) -> int:
        return 7

    async def sent(self, number: int, *_: object) -> None:
        self.told.append(number)

    async def failed(self, _: int, error: str, *, for_good: bool) -> None:
        self.failures.append((error, for_good))

    async def hand_over(self, channel: str, to: str, _: datetime, number: int | None = None) -> None:
        assert (channel, to) == ("pager", "chat")
        self.handed.append(number)

    async def raise_sign(self, sign: Alert) -> None:
        self.signs.append(sign)


class Pager:
    """A channel that does as its script says, and then takes everything."""

    keyed = follows = True

    def __init__(self, *script: Exception) -> None:
        self.script, self.asked = list(script), 0

    async def send(self, _: Notice) -> None:
        self.asked += 1
        if self.script:
            raise self.script.pop(0)

    async def close(self) -> None: ...


class Bench:
    """A courier, what it carries, and its clock."""

    def __init__(self, *script: Exception) -> None:
        self.now_s, self.outbox, self.pager = 0.0, Outbox(), Pager(*script)
        post = Post(ROUTING.channel["pager"], self.pager)
        self.courier = Courier(
            "pager", post, self.outbox, lambda: after(self.now_s / 60), Backoff(0.001, 0.002), lambda: self.now_s
        )

    async def turn(self, seconds: float = 0.0) -> float:
        self.now_s += seconds
        return await self.courier.turn()


def away(count: int, retry_after_s: float = 0.0) -> list[Exception]:
    return [ChannelAway("pager: HTTP 500", retry_after_s) for _ in range(count)]


async def test_a_few_failures_are_tried_again_and_nobody_is_alarmed() -> None:
    bench = Bench(*away(2))
    for _ in range(3):
        await bench.turn()
    assert bench.outbox.told == [7]
    assert bench.outbox.signs == bench.outbox.handed == []


async def test_after_enough_in_a_row_it_is_left_alone_and_the_next_one_is_given_what_is_due() -> None:
    bench = Bench(*away(3))
    for _ in range(3):
        pause_s = await bench.turn()
    assert pause_s == HAND_OVER_S
    (raised,) = bench.outbox.signs
    assert (raised.kind, raised.element, raised.measured) == (AlertKind.CHANNEL_FAILED, "channel/pager", 3.0)
    assert "left alone for" in raised.message
    assert "(circuit open): pager: HTTP 500" in raised.message
    assert await bench.turn(HAND_OVER_S) == HAND_OVER_S
    assert bench.pager.asked == 3
    assert bench.outbox.handed == [None, None]


async def test_after_its_pause_one_notice_tries_it_and_closes_the_circuit() -> None:
    bench = Bench(*away(3))
    for _ in range(3):
        await bench.turn()
    await bench.turn(40.0)
    assert (bench.pager.asked, bench.outbox.told) == (4, [7])
    bench.pager.script = away(1)
    await bench.turn()
    assert len(bench.outbox.signs) == 1


async def test_a_probe_that_fails_is_said_again() -> None:
    bench = Bench(*away(4))
    for _ in range(3):
        await bench.turn()
    await bench.turn(40.0)
    assert [said.measured for said in bench.outbox.signs] == [3.0, 4.0]
    asked = bench.pager.asked
    await bench.turn(39.0)
    assert bench.pager.asked == asked


async def test_its_alert_stands_as_long_as_the_channel_asks_to_be_left_alone() -> None:
    bench = Bench(*away(3, 3_600.0))
    for _ in range(3):
        assert await bench.turn() >= HAND_OVER_S
    for _ in range(120):
        await bench.turn(HAND_OVER_S)
    spans = [
        (later.occurred_at - said.occurred_at).total_seconds()
        for said, later in zip(bench.outbox.signs, bench.outbox.signs[1:], strict=False)
    ]
    assert len(spans) == 5
    assert max(spans) < RULES.kind[AlertKind.CHANNEL_FAILED].hold_s
    assert bench.pager.asked == 3


async def test_a_channel_that_refuses_a_notice_works() -> None:
    bench = Bench(*away(2), ChannelRefused("pager: HTTP 400"), *away(2))
    for _ in range(6):
        await bench.turn()
    assert bench.outbox.failures[2] == ("pager: HTTP 400", True)
    assert bench.outbox.handed == [7]
    (raised,) = bench.outbox.signs
    assert raised.message == "channel pager has refused a notice: pager: HTTP 400"
    assert bench.outbox.told == [7]


@pytest.mark.parametrize("retry_after_s", [30.0, 90.0])
async def test_a_channel_is_left_alone_as_long_as_it_asks(retry_after_s: float) -> None:
    bench = Bench(*away(1, retry_after_s))
    assert await bench.turn() == retry_after_s


async def test_a_digest_of_what_is_over_meanwhile_is_not_sent_and_proves_nothing() -> None:
    bench = Bench(*away(3))
    for _ in range(3):
        await bench.turn()
    bench.outbox.waiting = 1_000
    assert await bench.turn(40.0) == IDLE_S
    assert bench.pager.asked == 3
    bench.outbox.waiting, bench.pager.script = 1, away(1)
    assert await bench.turn() == HAND_OVER_S


async def test_what_a_courier_does_not_expect_ends_the_desk_and_not_only_the_courier() -> None:
    bench = Bench(KeyError("unheard of"))
    with pytest.raises(KeyError, match="unheard of"):
        await deliver([bench.courier], lambda: True)


async def test_a_desk_that_stands_by_delivers_nothing() -> None:
    bench = Bench()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(deliver([bench.courier], lambda: False), 0.05)
    assert bench.pager.asked == 0
