"""Reconcile on real servers: silent where all is well, and exact about each thing that is not."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from confluent_kafka import Producer

from schemas.topics import METERS_RAW
from stream.stack.stack import LocalStack
from stream.topics import bootstrap_servers
from tests.builders import HOUR_US, START_US, payload, reading
from tests.integration.processes import EngineProcess, database_url, wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

METERS, HOURS = 20, 50
ACCOUNTED = "SELECT sum(readings)::bigint FROM stream_offsets"
#: Readings, two unreadable things, an impossible voltage, a repeat, and two contradictions, one within its record.
TOTAL = METERS * HOURS + 6
#: All of them but the repeat.
REJECTED = 5


def produce(stack: LocalStack, *values: bytes) -> None:
    """Write records as a foreign producer would: JSON, keyed or not, and in order."""
    endpoints = stack.endpoints()
    assert endpoints is not None
    producer = Producer({"bootstrap.servers": bootstrap_servers(endpoints.kafka_url), "log_level": 0})
    for value in values:
        producer.produce(METERS_RAW.name, value, partition=3)
    assert producer.flush(20) == 0


@pytest.fixture(scope="module")
def stored(own_stack: LocalStack) -> LocalStack:
    """A stack that has taken readings of every fate."""
    with EngineProcess("run worker", own_stack.directory) as worker:
        worker.wait_ready()
        hours = [
            payload(
                *(reading(f"M{m}", START_US + h * HOUR_US, consumption_kwh=h / 8, voltage=230) for m in range(METERS))
            )
            for h in range(HOURS)
        ]
        fates = [
            b"not json",
            payload({"meter_number": "M1"}),
            payload(reading("M1", START_US - HOUR_US, voltage=400)),
            payload(reading("M1", START_US, consumption_kwh=0, voltage=230)),
            payload(reading("M2", START_US, consumption_kwh=7, voltage=230)),
            payload(reading("M3", START_US, consumption_kwh=8, voltage=230)),
        ]
        produce(own_stack, *hours)
        wait_until(own_stack, ACCOUNTED, METERS * HOURS)
        produce(own_stack, *fates)
        wait_until(own_stack, ACCOUNTED, TOTAL)
        wait_until(own_stack, "SELECT count(*) FROM rejected_readings", REJECTED)
    return own_stack


def reconcile(stack: LocalStack, *options: str) -> tuple[int, dict[str, Any]]:
    answer = subprocess.run(
        [sys.executable, "-m", "stream.cli", "reconcile", "--json", *options],
        env={**os.environ, "METERSTREAM_LOCAL_DIR": str(stack.directory)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert answer.stdout, answer.stderr
    return answer.returncode, json.loads(answer.stdout)


@pytest.fixture
def database(stored: LocalStack) -> Iterator[psycopg.Connection]:
    """A connection whose changes are undone by the test itself."""
    with psycopg.connect(database_url(stored), autocommit=True) as connection:
        yield connection


def test_every_fate_is_accounted_for(stored: LocalStack) -> None:
    code, found = reconcile(stored)
    assert code == 0, found
    total = found["total"]
    assert (total["readings"], total["rows"], total["rejected"], total["duplicates"]) == (TOTAL, METERS * HOURS, 5, 1)
    assert total["unaccounted"] == total["pending"] == total["missing"] == 0
    assert found["partitions"][3]["counters"]["stored"] == METERS * HOURS
    assert found["rejects"] == {"records": 5, "stored": 5, "waiting": 0, "foreign": 0, "missing": 0}


def test_a_deleted_row_is_missed(stored: LocalStack, database: psycopg.Connection) -> None:
    database.execute(
        "CREATE TEMP TABLE kept AS SELECT r.* FROM meter_readings r JOIN smart_meters USING (meter_id) "
        "WHERE meter_number = 'M7' ORDER BY reading_time LIMIT 1"
    )
    database.execute(
        "DELETE FROM meter_readings r USING kept k WHERE r.meter_id = k.meter_id AND r.reading_time = k.reading_time"
    )
    code, found = reconcile(stored)
    database.execute("INSERT INTO meter_readings SELECT * FROM kept")
    assert code == 1
    assert found["unaccounted"] == found["total"]["missing"] == 1
    assert "meter M7 at 2024-01-01T00:00:00+00:00 is not in the database" in found["examples"][0]


def test_a_deleted_row_that_was_repeated_is_missed_twice(stored: LocalStack, database: psycopg.Connection) -> None:
    database.execute(
        "CREATE TEMP TABLE kept AS SELECT r.* FROM meter_readings r JOIN smart_meters USING (meter_id) "
        "WHERE meter_number = 'M1' ORDER BY reading_time LIMIT 1"
    )
    database.execute(
        "DELETE FROM meter_readings r USING kept k WHERE r.meter_id = k.meter_id AND r.reading_time = k.reading_time"
    )
    code, found = reconcile(stored)
    database.execute("INSERT INTO meter_readings SELECT * FROM kept")
    assert code == 1
    assert found["unaccounted"] == found["total"]["missing"] == 2


def test_a_changed_value_is_seen(stored: LocalStack, database: psycopg.Connection) -> None:
    change = (
        "UPDATE meter_readings r SET voltage = voltage + %s FROM smart_meters m "
        "WHERE m.meter_id = r.meter_id AND m.meter_number = 'M9' AND r.reading_time = '2024-01-01T05:00:00Z'"
    )
    database.execute(change, (1,))
    code, found = reconcile(stored)
    database.execute(change, (-1,))
    assert code == 1
    assert found["unaccounted"] == 0
    assert found["total"]["altered"] == 1
    assert "meter M9 at 2024-01-01T05:00:00+00:00 has other values" in found["examples"][0]


def test_a_row_from_nowhere_is_seen(stored: LocalStack, database: psycopg.Connection) -> None:
    database.execute("SELECT add_readings_partitions(ARRAY[timestamptz '2023-01-01T00:00:00Z'])")
    database.execute(
        "INSERT INTO meter_readings "
        "(meter_id, reading_time, quality_flag, source_partition, source_offset, arrived_at) "
        "SELECT meter_id, '2023-01-01T00:00:00Z', 'normal', source_partition, source_offset, arrived_at "
        "FROM meter_readings LIMIT 1"
    )
    code, found = reconcile(stored)
    database.execute("DELETE FROM meter_readings WHERE reading_time = '2023-01-01T00:00:00Z'")
    assert code == 1
    assert found["unaccounted"] == -1


@pytest.mark.parametrize("reason", ["not_json", "voltage_out_of_range", "conflicting_duplicate"])
def test_a_missing_reject_is_missed(stored: LocalStack, database: psycopg.Connection, reason: str) -> None:
    database.execute("CREATE TEMP TABLE lost AS SELECT * FROM rejected_readings LIMIT 0")
    database.execute("INSERT INTO lost SELECT * FROM rejected_readings WHERE reason = %s LIMIT 1", (reason,))
    database.execute("DELETE FROM rejected_readings r USING lost l WHERE r.reject_id = l.reject_id")
    code, found = reconcile(stored)
    database.execute("INSERT INTO rejected_readings SELECT * FROM lost")
    assert code == 1
    assert found["unaccounted"] == found["total"]["rejects_missing"] == 1
    assert found["rejects"]["missing"] == 1


def test_all_is_well_again(stored: LocalStack) -> None:
    code, found = reconcile(stored)
    assert code == 0, found


def test_lag_is_pending_and_no_loss(stored: LocalStack) -> None:
    produce(stored, payload(reading("M1", START_US + 1_000 * HOUR_US, voltage=230)))
    code, found = reconcile(stored)
    assert code == 0, found
    assert found["total"]["pending"] == 1
    assert found["total"]["readings"] == TOTAL
    with EngineProcess("run worker", stored.directory) as worker:
        worker.wait_ready()
        wait_until(stored, ACCOUNTED, TOTAL + 1)
    code, found = reconcile(stored)
    assert code == 0, found
    assert found["total"]["pending"] == 0


def test_a_span_counts_what_arrived_in_it(stored: LocalStack) -> None:
    between = datetime.now(UTC)
    time.sleep(0.01)
    produce(stored, payload(reading("M1", START_US + 2_000 * HOUR_US, voltage=230)))
    with EngineProcess("run worker", stored.directory) as worker:
        worker.wait_ready()
        wait_until(stored, ACCOUNTED, TOTAL + 2)
    for option, readings in (("--since", 1), ("--until", TOTAL + 1)):
        code, found = reconcile(stored, option, between.isoformat())
        assert code == 0, found
        assert found["total"]["readings"] == readings
