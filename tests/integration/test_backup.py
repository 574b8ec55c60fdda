"""A database that is gone comes back from its backup, and the engine goes on: what came since comes again from Kafka.

The commands are those of STORAGE.md; what is too old is rejected meanwhile, and totals are kept up by the worker.
"""

import subprocess
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from confluent_kafka import Producer

from schemas.topics import METERS_RAW
from stream.stack import settings
from stream.stack.postgres import DATABASE, SUPERUSER, bundled_binaries
from stream.stack.stack import LocalStack
from stream.topics import bootstrap_servers
from tests.builders import HOUR_US, payload, reading
from tests.integration.processes import EngineProcess, command, database_url, query, reconcile, wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

METERS, HOURS = 15, 40
RETENTION = {"METERSTREAM_RETENTION__READINGS_DAYS": "100"}
NOW_US = int(datetime.now(UTC).replace(minute=0, second=0, microsecond=0).timestamp()) * 1_000_000
FIGURES = "SELECT * FROM meter_hours ORDER BY meter_id, hour"
STORED = "SELECT count(*) FROM meter_readings"
SUMMED = "SELECT sum(readings)::bigint FROM meter_months"


def as_superuser(stack: LocalStack, database: str) -> str:
    parts = urlsplit(database_url(stack))
    return urlunsplit(
        parts._replace(netloc=f"{SUPERUSER}:{parts.password}@{parts.hostname}:{parts.port}", path=database)
    )


def program(name: str, *words: str) -> None:
    folder = settings.load().postgres_bin or bundled_binaries()
    done = subprocess.run([folder / name, *words], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr


def execute(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def back_up(stack: LocalStack, file: Path) -> None:
    program("pg_dump", "--format=custom", f"--file={file}", f"--dbname={as_superuser(stack, DATABASE)}")


def restore(stack: LocalStack, file: Path) -> None:
    url, timescale = as_superuser(stack, DATABASE), has_timescale(stack)
    server = as_superuser(stack, "postgres")
    execute(server, f"DROP DATABASE {DATABASE} WITH (FORCE)", f"CREATE DATABASE {DATABASE} OWNER {DATABASE}")
    if timescale:
        execute(url, "CREATE EXTENSION timescaledb")
        execute(url, "SELECT timescaledb_pre_restore()")
    program("pg_restore", f"--dbname={url}", "--exit-on-error", str(file))
    if timescale:
        execute(url, "SELECT timescaledb_post_restore()")


def has_timescale(stack: LocalStack) -> bool:
    return bool(query(stack, "SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'"))


def produce(stack: LocalStack, hours: range, *more: bytes) -> None:
    endpoints = stack.endpoints()
    assert endpoints is not None
    producer = Producer({"bootstrap.servers": bootstrap_servers(endpoints.kafka_url), "log_level": 0})
    for hour in hours:
        for meter in range(METERS):
            time_us = NOW_US - hour * HOUR_US
            value = payload(reading(f"B{meter}", time_us, consumption_kwh=hour / 8, demand_kw=hour / 2, voltage=230.0))
            producer.produce(METERS_RAW.name, value, partition=meter % 8)
    for value in more:
        producer.produce(METERS_RAW.name, value, partition=0)
    assert producer.flush(20) == 0


def test_backed_up_destroyed_and_restored_the_engine_goes_on(
    own_stack: LocalStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(*next(iter(RETENTION.items())))
    too_old = [payload(reading("B0", NOW_US - days * 24 * HOUR_US, voltage=230.0)) for days in (99, 101, 500)]
    file = tmp_path / "meterstream.dump"
    with EngineProcess("run worker", own_stack.directory) as worker:
        worker.wait_ready()
        produce(own_stack, range(HOURS), *too_old)
        wait_until(own_stack, STORED, METERS * HOURS + 1)
        reasons = "SELECT count(*) FROM rejected_readings WHERE reason = 'beyond_retention'"
        wait_until(own_stack, reasons, 2)
        # The worker sums up what is new, or the database does when it is asked.
        wait_until(own_stack, SUMMED, METERS * HOURS + 1)
        proof = reconcile(own_stack)
        assert (proof["unaccounted"], proof["total"]["rejected"]) == (0, 2)
        back_up(own_stack, file)
        at_backup = query(own_stack, FIGURES)
        produce(own_stack, range(HOURS, 2 * HOURS))
        wait_until(own_stack, STORED, 2 * METERS * HOURS + 1)
        wait_until(own_stack, SUMMED, 2 * METERS * HOURS + 1)
        figures = query(own_stack, FIGURES)
        worker.stop()
    restore(own_stack, file)
    assert query(own_stack, FIGURES) == at_backup
    with EngineProcess("run worker", own_stack.directory) as worker:
        worker.wait_ready()
        wait_until(own_stack, STORED, 2 * METERS * HOURS + 1)
        wait_until(own_stack, SUMMED, 2 * METERS * HOURS + 1)
        assert query(own_stack, FIGURES) == figures
        assert reconcile(own_stack)["unaccounted"] == 0
        assert "nothing to do" in command(own_stack, "db", "maintain")
