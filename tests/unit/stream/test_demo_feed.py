"""The demo's feed on a list: a past for every meter first, then ticks, and never ahead of the present."""

import json
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Any

import pytest

from simulators.transport import ListTransport, Message
from stream.demo.feed import Choice, Feed, Signals
from stream.demo.invented import Invented
from stream.demo.outlet import Outlet
from stream.demo.plan import BACKFILL_STEPS, SCOUT_STEPS, Plan

METERS, TICKS = 60, 2


@pytest.fixture(scope="module")
def fed() -> tuple[Feed, Outlet, list[Message]]:
    plan = Plan.before(datetime.now(UTC), TICKS)
    invented: Future[Invented] = Future()
    invented.set_result(Invented.by(METERS, 7, plan))
    transport = ListTransport()
    outlet = Outlet(lambda _stop: transport)
    signals = Signals(lambda: True, lambda: True, lambda: True)
    feed = Feed(outlet, Choice(METERS, 7, plan, prefix="R2-"), invented, signals)
    feed.run()
    return feed, outlet, transport.messages


def readings(messages: list[Message]) -> list[dict[str, Any]]:
    found = []
    for message in messages:
        try:
            document = json.loads(message.payload)
        except ValueError:
            continue
        items = document if isinstance(document, list) else [document]
        found += [item for item in items if "meter_number" in item and item["reading_time"].endswith("Z")]
    return found


def test_it_ends_by_itself(fed: tuple[Feed, Outlet, list[Message]]) -> None:
    feed, outlet, messages = fed
    assert feed.phase == "done"
    assert feed.error is None
    assert outlet.sent == outlet.acknowledged == sum(message.readings for message in messages)


def test_every_meter_gets_the_same_past_once(fed: tuple[Feed, Outlet, list[Message]]) -> None:
    feed, _, messages = fed
    end = feed._choice.plan.reading_time(BACKFILL_STEPS - 1).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
    past = [(item["meter_number"], item["reading_time"]) for item in readings(messages) if item["reading_time"] <= end]
    assert len(past) == len(set(past)) == METERS * BACKFILL_STEPS
    assert all(meter.startswith("R2-M") for meter, _ in past)


def test_the_first_meters_come_first_and_their_oddities_are_marked(fed: tuple[Feed, Outlet, list[Message]]) -> None:
    feed, outlet, messages = fed
    singles = [at for at, message in enumerate(messages) if message.topic.startswith("meters/")]
    assert all(message.topic == "concentrators/demo-first/readings" for message in messages[: singles[0]])
    assert messages[singles[0]].topic == "meters/R2-M00000000/reading"
    assert sum(message.readings for message in messages[: singles[0]]) % SCOUT_STEPS == 0
    scouted_us = round(feed._choice.plan.reading_time(SCOUT_STEPS).timestamp() * 1e6)
    assert ("meter/R2-M00000010", scouted_us) in outlet.sent_at
    assert sum(time_us > scouted_us for _, time_us in outlet.sent_at) == 3 * TICKS


def test_nothing_is_ahead_of_the_present(fed: tuple[Feed, Outlet, list[Message]]) -> None:
    _, _, messages = fed
    newest = max(item["reading_time"] for item in readings(messages))
    assert newest < datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def test_each_tick_has_its_nonsense(fed: tuple[Feed, Outlet, list[Message]]) -> None:
    _, _, messages = fed
    refused = sum(message.readings for message in messages) - len(readings(messages))
    assert refused == 4 * TICKS - sum(b"about" in message.payload for message in messages)
