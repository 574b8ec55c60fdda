"""A courier whose channel fails leaves it alone, says so, hands over what is due, and tries again with one notice."""

import asyncio
from datetime import datetime

import pytest
from prometheus_client import CollectorRegistry

from processors.lifecycle.changes import take
from schemas.alert_events import AlertEvent
from schemas.alerts import Alert, AlertKind
from sinks.channels.channel import ChannelAway, ChannelRefused, Notice
from sinks.notifications import Digest, Notifications, Waiting
from stream.alerting.courier import COLLECT_S, HAND_OVER_S, IDLE_S, Courier, deliver
from stream.alerting.routes import Post, Routing
from stream.backoff import Backoff
from stream.metrics import CourierMetrics
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
        self.waiting, self.gathered = 1, False
        self.gathering: Digest | None = None
        self.told: list[int] = []
        self.failures: list[tuple[str, bool]] = []
        self.handed: list[int | None] = []
        self.signs: list[Alert] = []

    async def due(self, *_: object) -> Waiting | None:
        return Waiting(7, EVENT, self.gathered, self.waiting) if self.waiting else None

    async def digest(self, *_: object) -> Digest | None:
        return self.gathering

    async def sent(self, number: int, *_: object) -> None:
        self.told.append(number)

    async def put_off(self, _: int, error: str) -> None:
        self.failures.append((error, False))

    async def refused(self, _: int, error: str) -> None:
        self.failures.append((error, True))

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
        self.took: list[Notice] = []

    async def send(self, notice: Notice) -> None:
        self.asked += 1
        if self.script:
            raise self.script.pop(0)
        self.took.append(notice)

    async def close(self) -> None: ...


class Bench:
    """A courier, what it carries, and its clock."""

    def __init__(self, *script: Exception) -> None:
        self.now_s, self.outbox, self.pager, self.registry = 0.0, Outbox(), Pager(*script), CollectorRegistry()
        post = Post(ROUTING.channel["pager"], self.pager)
        self.courier = Courier(
            "pager", post, self.outbox, CourierMetrics(self.registry), lambda: after(1 + self.now_s / 60),
            Backoff(0.001, 0.002), lambda: self.now_s,
        )  # fmt: skip

    def counted(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"meterstream_alerts_{name}", {"channel": "pager", **labels})

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


async def test_more_than_people_read_is_told_at_once_and_under_one_key_until_it_is_known_to_be_told() -> None:
    bench = Bench(*away(1))
    bench.outbox.waiting, bench.outbox.gathering = 1_000, Digest(9, [EVENT, EVENT], 1_000)
    await bench.turn()
    bench.outbox.waiting, bench.outbox.gathered = 1, True
    await bench.turn()
    (notice,) = bench.pager.took
    assert (notice.count, notice.key, len(notice.others)) == (1_000, f"digest-{EVENT.id}", 1)
    assert bench.outbox.told == [9]
    assert bench.counted("told_notices_total") == 1_000


async def test_in_a_storm_people_get_a_digest_now_and_then_and_a_single_notice_at_once() -> None:
    bench = Bench()
    bench.outbox.waiting, bench.outbox.gathering = 1_000, Digest(9, [EVENT], 1_000)
    await bench.turn()
    for _ in range(10):
        assert await bench.turn(2.0) == COLLECT_S
    bench.outbox.waiting = 1
    await bench.turn(2.0)
    bench.outbox.waiting = 1_000
    await bench.turn(10.0)
    assert [notice.count for notice in bench.pager.took] == [1_000, 1, 1_000]


async def test_what_becomes_of_notices_is_counted() -> None:
    bench = Bench(*away(3))
    bench.outbox.waiting = 5
    for _ in range(3):
        await bench.turn()
    assert bench.counted("delivery_failures_total", cause="away") == 3
    assert (bench.counted("waiting_notices"), bench.counted("circuit_open")) == (5, 1)
    bench.pager.script = [ChannelRefused("pager: HTTP 400")]
    await bench.turn(40.0)
    assert (bench.counted("circuit_open"), bench.counted("told_notices_total")) == (0, None)
    assert bench.counted("delivery_failures_total", cause="refused") == 1
    await bench.turn(20.0)
    assert (bench.counted("told_notices_total"), bench.counted("delivery_seconds_count")) == (1, 1)
    assert bench.counted("delivery_seconds_sum") == 60.0


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
