"""Data quality on real servers: the worker estimates gaps by itself, and every `meterstream vee` command is used."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from schemas.topics import METERS_RAW
from stream.stack.stack import LocalStack
from stream.topics import bootstrap_servers
from tests.builders import payload, reading
from tests.integration.processes import EngineProcess, command, query, wait_until
from tests.vee import RULES

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
HOURS = 24 * 21
#: 09:00 to 14:00 of a Wednesday in the middle.
GAP = range(24 * 9 + 9, 24 * 9 + 14)
SPAN = ("--from", BEGIN.isoformat(), "--until", (BEGIN + HOURS * HOUR).isoformat())


def used(hour: int) -> float:
    return round(0.1 * (hour % 24 + 1), 1)


def produce(stack: LocalStack, hours: list[int]) -> None:
    endpoints = stack.endpoints()
    assert endpoints is not None
    producer = Producer({"bootstrap.servers": bootstrap_servers(endpoints.kafka_url), "log_level": 0})
    sent = [
        reading("V1", round((BEGIN + (hour + 1) * HOUR).timestamp() * 1e6), consumption_kwh=used(hour), voltage=230)
        for hour in hours
    ]
    producer.produce(METERS_RAW.name, payload(*sent), partition=0)
    assert producer.flush(20) == 0


def best(stack: LocalStack, hours: range) -> list[tuple[Any, ...]]:
    first, last = BEGIN + (hours[0] + 1) * HOUR, BEGIN + (hours[-1] + 1) * HOUR
    return query(
        stack,
        "SELECT kind, round(consumption_kwh::numeric, 3)::float8, author FROM best_values "
        f"WHERE reading_time BETWEEN '{first.isoformat()}' AND '{last.isoformat()}' ORDER BY reading_time",
    )


def span(hours: range) -> tuple[str, ...]:
    begin, end = BEGIN + hours[0] * HOUR, BEGIN + (hours[-1] + 1) * HOUR
    return ("--meter", "V1", "--from", begin.isoformat(), "--until", end.isoformat())


@pytest.fixture(scope="module")
def stored(own_stack: LocalStack) -> Iterator[LocalStack]:
    """Three weeks of a meter that lacks five hours, estimated by the worker."""
    first = list(range(48))
    with EngineProcess("run worker", own_stack.directory) as worker:
        worker.wait_ready()
        produce(own_stack, first)
        wait_until(own_stack, "SELECT count(*) FROM meter_readings", len(first))
    # A worker that starts looks at once how often each meter sends.
    with EngineProcess("run worker", own_stack.directory, METERSTREAM_ESTIMATES__PAUSE_S="0.5") as worker:
        worker.wait_ready()
        wait_until(own_stack, "SELECT count(*) FROM meter_intervals", 1)
        produce(own_stack, [hour for hour in range(48, HOURS) if hour not in GAP])
        wait_until(own_stack, "SELECT count(*) FROM vee_values", len(GAP))
        yield own_stack


def test_the_worker_has_estimated_the_gap_by_itself(stored: LocalStack) -> None:
    assert best(stored, GAP) == [("estimate", pytest.approx(used(hour), abs=1e-6), "engine") for hour in GAP]
    assert command(stored, "vee", "estimate", *SPAN).endswith("0 new values written\n")


def test_the_report_says_how_much_is_estimated(stored: LocalStack) -> None:
    found = json.loads(command(stored, "vee", "report", *SPAN, "--json"))
    assert (found["received"], found["valued"], found["estimated"]) == (HOURS - len(GAP), HOURS, len(GAP))
    assert found["completeness"] == 1.0
    assert f"{len(GAP)} of them estimated" in command(stored, "vee", "report", *SPAN)


def test_a_person_accepts_rejects_and_sets_values(stored: LocalStack) -> None:
    accepted, rejected, set_ = range(240, 244), range(260, 266), range(300, 302)
    assert command(stored, "vee", "accept", *span(accepted), "--reason", "read twice", "--author", "ann") == (
        "4 intervals accepted\n"
    )
    assert best(stored, accepted) == [("accept", used(hour), "ann") for hour in accepted]
    command(stored, "vee", "edit", *span(set_), "--every", "1h", "--reason", "read", "--author", "bob", "1.5", "2.5")
    assert [row[:2] for row in best(stored, set_)] == [("edit", 1.5), ("edit", 2.5)]
    command(stored, "vee", "reject", *span(rejected), "--reason", "meter test", "--author", "ann")
    # What was rejected is due to be estimated, and the worker does it.
    wait_until(stored, "SELECT count(*) FROM best_values WHERE kind = 'estimate'", len(GAP) + len(rejected))
    assert best(stored, rejected) == [("estimate", pytest.approx(used(hour)), "engine") for hour in rejected]


def test_a_newer_rule_set_writes_what_it_judges_otherwise_and_once(stored: LocalStack, tmp_path: Path) -> None:
    stricter = tmp_path / "rules.toml"
    text = RULES.text.replace(f"version = {RULES.version}", "version = 77", 1)
    stricter.write_text(text.replace("[rules.energy_range]\nwarn = 20000", "[rules.energy_range]\nwarn = 2.35"))
    asked = ("vee", "rerun", "--rules", str(stricter), *SPAN, "--reason", "stricter")
    # The last hour of each day uses 2.4 kW; one of these a person has rejected.
    assert "20 otherwise than before, 20 new values written" in command(stored, *asked)
    assert "0 new values written" in command(stored, *asked)
    assert "20 otherwise than before, 20 new values written" in command(
        stored, "vee", "rerun", *SPAN, "--reason", "as it was"
    )


def test_a_mistake_is_named(stored: LocalStack) -> None:
    with pytest.raises(AssertionError, match="the database has no meter nobody"):
        command(stored, "vee", "estimate", *SPAN, "--meter", "nobody")
