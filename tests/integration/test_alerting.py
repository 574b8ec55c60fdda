"""From readings to alerts on real servers: a stranger's consumer understands all of it, and kill -9 loses none."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer
from jsonschema import Draft202012Validator

from stream.processes import running
from stream.stack.stack import LocalStack
from stream.topics import bootstrap_servers
from tests.integration.processes import EngineProcess, command, query, wait_until
from tests.post_office import office_in_a_thread

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

START = datetime(2026, 4, 1, tzinfo=UTC)
METERS, USUAL = 20, 4 * 48
SCHEMAS = Path(__file__).resolve().parents[2] / "schemas" / "json"
_STANDING = "SELECT count(*) FROM alerts WHERE status = 'open'"


@pytest.fixture(scope="module")
def worker(own_stack: LocalStack) -> Iterator[EngineProcess]:
    with EngineProcess("run worker", own_stack.directory) as process:
        process.wait_ready()
        yield process


@pytest.fixture(scope="module")
def desk(own_stack: LocalStack, worker: EngineProcess) -> Iterator[EngineProcess]:
    with EngineProcess("run alerts", own_stack.directory) as process:
        process.wait_ready()
        yield process


def servers(stack: LocalStack) -> str:
    endpoints = stack.endpoints()
    assert endpoints is not None
    return bootstrap_servers(endpoints.kafka_url)


def send(stack: LocalStack, steps: range, unusual: frozenset[int] = frozenset()) -> None:
    """Half-hourly readings of every meter; at unusual steps far more than ever."""
    producer = Producer({"bootstrap.servers": servers(stack), "partitioner": "murmur2_random"})
    for step in steps:
        moment = (START + timedelta(minutes=30 * step)).isoformat()
        for number in range(METERS):
            energy = 9.0 if step in unusual else 0.5
            value = {"meter_number": f"A-{number}", "reading_time": moment, "consumption_kwh": energy}
            producer.produce("meters.raw", json.dumps(value), key=f"A-{number}")
    assert producer.flush(30) == 0


def consumed(stack: LocalStack, topic: str, least: int) -> list[tuple[str, bytes | None]]:
    """Key and value of every record, read with nothing of ours."""
    consumer = Consumer(
        {"bootstrap.servers": servers(stack), "group.id": f"stranger-{time.time_ns()}", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic])
    found: list[tuple[str, bytes | None]] = []
    heard_at = time.monotonic()
    while time.monotonic() - heard_at < (3 if len(found) >= least else 60):
        message = consumer.poll(0.5)
        if message is not None and message.error() is None:
            value = message.value()
            found.append(((message.key() or b"").decode(), value))  # type: ignore[union-attr, arg-type]
            heard_at = time.monotonic()
    consumer.close()
    return found


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads((SCHEMAS / f"{name}.json").read_text()))


def test_alerts_open_stand_and_end_and_a_stranger_understands_every_one(
    own_stack: LocalStack, desk: EngineProcess
) -> None:
    send(own_stack, range(USUAL))
    send(own_stack, range(USUAL, USUAL + 1), frozenset({USUAL}))
    wait_until(own_stack, _STANDING, METERS)
    standing = {key for key, value in consumed(own_stack, "alerts.state", METERS) if value is not None}
    assert standing == {row[0] for row in query(own_stack, "SELECT alert_id FROM alerts")}

    send(own_stack, range(USUAL + 1, USUAL + 6))
    wait_until(own_stack, "SELECT count(*) FROM alerts WHERE status = 'cleared'", METERS)

    events = consumed(own_stack, "alerts", 2 * METERS)
    told: dict[str, list[str]] = {}
    for key, value in events:
        event: dict[str, Any] = json.loads(value or b"")
        validator("alert_event").validate(event)
        assert key == event["subject"] == event["data"]["alert"]["element"]
        told.setdefault(key, []).append(event["data"]["change"])
    assert told == {f"meter/A-{number}": ["opened", "cleared"] for number in range(METERS)}
    latest = dict(consumed(own_stack, "alerts.state", 2 * METERS))
    assert set(latest.values()) == {None}
    for _, value in consumed(own_stack, "alerts.signs", METERS):
        validator("alert_sign").validate(json.loads(value or b""))


def test_the_parts_say_how_long_it_took_and_what_waits(own_stack: LocalStack, desk: EngineProcess) -> None:
    """After the readings of the test before."""
    said = {process.component: process.samples() for process in running(own_stack.directory)}
    worker, of_desk = said["worker"], said["alerts"]
    assert worker is not None
    assert of_desk is not None
    for since in ("arrival", "event"):
        assert worker.total(f"meterstream_worker_{since}_to_stored_seconds_count") == METERS * (USUAL + 6)
    waiting = [value for (name, _), value in worker.values.items() if name == "meterstream_worker_lag_records"]
    assert waiting
    assert sum(waiting) == 0
    assert worker.total("meterstream_worker_watermark_delay_seconds") > 0
    assert of_desk.total("meterstream_alerts_arrival_to_topic_seconds_count") >= METERS


def test_a_desk_that_is_killed_again_and_again_loses_no_alert_and_tells_each_under_one_id(
    own_stack: LocalStack, desk: EngineProcess
) -> None:
    before = len(consumed(own_stack, "alerts", 2 * METERS))
    for turn in range(4):
        step = USUAL + 50 + 12 * turn
        send(own_stack, range(step, step + 6), frozenset({step}))
        time.sleep(0.3 * turn)
        desk.kill()
        desk.start()
        desk.wait_ready()
    wait_until(own_stack, "SELECT count(*) FROM alert_signs WHERE taken", 5 * METERS)
    wait_until(own_stack, "SELECT -count(*) FROM alerts WHERE status = 'open'", 0)
    wait_until(own_stack, "SELECT -count(*) FROM alert_history WHERE NOT published", 0)
    assert query(own_stack, "SELECT sum(count)::int FROM alerts") == [(5 * METERS,)]
    events = [json.loads(value or b"") for _, value in consumed(own_stack, "alerts", before)]
    kept = {row[0]: json.loads(row[1]) for row in query(own_stack, "SELECT event_id, event FROM alert_history")}
    assert {event["id"]: event for event in events} == kept
    assert all(kept[event["id"]] == event for event in events)


def test_a_desk_that_is_killed_while_it_delivers_tells_everybody(
    own_stack: LocalStack, worker: EngineProcess, desk: EngineProcess, tmp_path: Path
) -> None:
    """Each at least once, and under one key where the channel knows one."""
    desk.stop()
    with office_in_a_thread() as office:
        routes = tmp_path / "routes.toml"
        routes.write_text(
            f"""wait_s = 0
            [channel.pager]
            sort = "pagerduty"
            key = {{ env = "PAGER_KEY" }}
            url = "{office.url}/pagerduty"
            per_minute = 600
            digest_over = 1000
            [[route]]
            to = ["pager"]
            """
        )
        settings = {"METERSTREAM_ALERTS__ROUTES_FILE": str(routes), "PAGER_KEY": "routing-key"}
        step = USUAL + 120
        with EngineProcess("run alerts", own_stack.directory, **settings) as telling:
            telling.wait_ready()
            send(own_stack, range(step, step + 1), frozenset({step}))
            for told in (3, 8, 13):
                wait_until(own_stack, "SELECT count(*) FROM alert_notifications WHERE status = 'sent'", told)
                telling.kill()
                telling.start()
            wait_until(own_stack, "SELECT count(*) FROM alert_notifications WHERE status = 'sent'", METERS)
            send(own_stack, range(step + 1, step + 6))
            wait_until(own_stack, "SELECT count(*) FROM alert_notifications WHERE status = 'sent'", 2 * METERS)
        assert office.wrong == []
        events = office.taken["pagerduty"]
        keys = {event["dedup_key"] for event in events if event["event_action"] == "trigger"}
        told = "SELECT alert_id FROM alert_notifications WHERE status = 'sent'"
        ends = {event["dedup_key"] for event in events if event["event_action"] == "resolve"}
        assert keys == ends == {row[0] for row in query(own_stack, told)}
        assert len(keys) == METERS
    desk.start()
    desk.wait_ready()


def test_operators_see_and_act_through_the_command(own_stack: LocalStack, desk: EngineProcess) -> None:
    step = USUAL + 150
    send(own_stack, range(step, step + 1), frozenset({step}))
    wait_until(own_stack, _STANDING, METERS)
    listed = [json.loads(line) for line in command(own_stack, "alerts", "list", "--open", "--json").splitlines()]
    assert len(listed) == METERS
    one, other = (item["alert_id"] for item in listed[:2])
    assert "is acknowledged by ada" in command(own_stack, "alerts", "ack", one[:10], "--by", "ada", "--note", "mine")
    assert "is resolved by grace" in command(own_stack, "alerts", "resolve", other, "--by", "grace")
    command(own_stack, "alerts", "silence", "meter/A-3", "--for", "1h", "--reason", "known")
    wait_until(own_stack, "SELECT count(*) FROM alerts WHERE silenced AND status = 'open'", 1)
    shown = json.loads(command(own_stack, "alerts", "show", one, "--json"))
    last = shown["history"][-1]["data"]
    assert (last["change"], last["by"], last["note"]) == ("acknowledged", "ada", "mine")
    assert "mine" in command(own_stack, "alerts", "show", one)
    with pytest.raises(AssertionError, match="there is no alert 00000000"):
        command(own_stack, "alerts", "resolve", "00000000")
    with pytest.raises(AssertionError, match="was acknowledged by ada"):
        command(own_stack, "alerts", "ack", one, "--by", "grace")
    lines = command(own_stack, "alerts", "tail", "--no-follow", "--element", f"{listed[0]['element']}")
    assert "acknowledged" in lines
    assert "by ada" in lines
