"""`meterstream simulate score` reads what the engine has said from the database, and only that of the run."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from simulators.faults import FaultClass
from simulators.garbage import digest
from simulators.labels import Label, write_labels
from sinks.migrations import migrate
from stream.simulate.evidence import gather
from stream.stack.endpoints import Endpoints
from stream.stack.stack import LocalStack

pytestmark = pytest.mark.integration

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


def after(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


@pytest.fixture(scope="module")
def said(stack: Endpoints) -> Iterator[str]:
    """A database in which the engine has said a few things about meters of ours."""
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE scored")
    url = stack.database_url.rsplit("/", 1)[0] + "/scored"
    migrate(url)
    with psycopg.connect(url, autocommit=True) as connection:
        for number in (1, 2):
            connection.execute("INSERT INTO smart_meters (meter_number) VALUES (%s)", [f"M{number:08d}"])
        connection.execute("SELECT add_readings_partitions(%s)", [[NOON]])
        for meter, minutes, flag in ((1, 15, "anomaly"), (1, 30, "normal"), (2, 45, "warning"), (2, 600, "warning")):
            connection.execute(
                "INSERT INTO meter_readings (meter_id, reading_time, quality_flag, source_partition, source_offset, "
                "arrived_at) SELECT meter_id, %s, %s, 0, 0, now() FROM smart_meters WHERE meter_number = %s",
                [after(minutes), flag, f"M{meter:08d}"],
            )
        connection.execute(
            "INSERT INTO alert_signs VALUES ('a', 'high_consumption', 'warning', 'meter/M00000001', %s, now(), 1, 2, "
            "'kWh', 0.9, 'much')",
            [after(15)],
        )
        for number, (meter, payload) in enumerate(
            [
                ("M00000002", f'{{"meter_number":"M00000002","reading_time":"{after(50).isoformat()}"}}'),
                ("M00000002", f'{{"meter_number":"M00000002","reading_time":"{after(900).isoformat()}"}}'),
                (None, "ERR modem busy"),
                (None, "null"),
            ]
        ):
            connection.execute(
                "INSERT INTO rejected_readings VALUES (%s, 'negative_energy', '', 'meters.raw[0]@1', now(), %s, %s, "
                "'utf-8', 1)",
                [str(number), meter, payload],
            )
    yield url
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        connection.execute("DROP DATABASE scored WITH (FORCE)")


def test_signs_are_those_of_the_run(said: str) -> None:
    evidence = gather(said, NOON, after(120))
    found = sorted(zip(evidence.signs.kind, evidence.signs.place, evidence.signs.time_us.tolist(), strict=True))
    assert found == [
        ("alert/high_consumption", "M00000001", int(after(15).timestamp() * 1e6)),
        ("flag/anomaly", "M00000001", int(after(15).timestamp() * 1e6)),
        ("flag/warning", "M00000002", int(after(45).timestamp() * 1e6)),
        ("reject/negative_energy", "M00000002", int(after(50).timestamp() * 1e6)),
    ]
    assert evidence.signs.unplaced == {}
    assert evidence.signs.content == {
        digest(b"ERR modem busy"): "reject/negative_energy",
        digest(b"null"): "reject/negative_energy",
    }
    assert evidence.meter_days == pytest.approx(2 * 2 / 24)


def test_what_is_said_of_markets_is_left_out_for_a_fleet_and_the_other_way_round(said: str) -> None:
    with psycopg.connect(said, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO alert_signs VALUES ('m', 'price_spike', 'warning', 'market/omie/ES', %s, now(), 1, 2, "
            "'EUR', 0.9, 'up')",
            [after(20)],
        )
    try:
        fleet, markets = (gather(said, NOON, after(120), markets=which) for which in (False, True))
        assert not any(place == "omie/ES" for place in fleet.signs.place)
        assert list(zip(markets.signs.kind, markets.signs.place, strict=True)) == [("alert/price_spike", "omie/ES")]
        assert (markets.meter_days, markets.signs.content) == (0.0, {})
    finally:
        with psycopg.connect(said, autocommit=True) as connection:
            connection.execute("DELETE FROM alert_signs WHERE alert_id = 'm'")


def test_an_outage_is_a_sign_of_each_meter_that_it_interrupts(said: str) -> None:
    with psycopg.connect(said, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO alert_signs VALUES ('o', 'outage', 'warning', 'feeder/F1', %(at)s, now(), 2, 0, 'customers', "
            "1, 'dark')",
            {"at": after(60)},
        )
        connection.execute(
            "WITH o AS (INSERT INTO grid_outages (element_kind, element, started_at, dark_by, cause, customers, told, "
            "found_at) VALUES ('feeder', 'feeder/F1', %(at)s, %(at)s, 'last_gasp', 1, 1, %(at)s) RETURNING outage_id) "
            "INSERT INTO grid_outage_meters SELECT outage_id, meter_id, %(at)s FROM o CROSS JOIN smart_meters "
            "WHERE meter_number = 'M00000002'",
            {"at": after(60)},
        )
    try:
        signs = gather(said, NOON, after(120)).signs
        outages = [
            place
            for kind, place in zip(signs.kind, signs.place, strict=True)
            if kind == "alert/outage" or place == "F1"
        ]
        assert outages == ["M00000002"]
    finally:
        with psycopg.connect(said, autocommit=True) as connection:
            connection.execute("DELETE FROM alert_signs WHERE alert_id = 'o'")
            connection.execute("DELETE FROM grid_outage_meters")
            connection.execute("DELETE FROM grid_outages")


def scored(directory: Path, url: str, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "stream.cli", "simulate", "score", *words]
    environment = {**os.environ, "METERSTREAM_LOCAL_DIR": str(directory), "METERSTREAM_DATABASE_URL": url}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_the_command_prints_tables_json_and_a_page(local_stack: LocalStack, said: str, tmp_path: Path) -> None:
    spike = Label(
        label_id="x", fault=FaultClass.SPIKE, element_kind="meter", element="M00000001", start=NOON, end=after(15),
        meters=["M00000001"], size=9.0, unit="factor",
    )  # fmt: skip
    file, html = tmp_path / "labels.parquet", tmp_path / "score.html"
    write_labels(file, [spike])
    words = ("--labels", str(file), "--until", after(60).isoformat())
    shown = scored(local_stack.directory, said, *words, "--html", str(html))
    assert shown.returncode == 0, shown.stderr
    assert "100 %" in shown.stdout
    assert "spike" in html.read_text()
    found: dict[str, Any] = json.loads(scored(local_stack.directory, said, *words, "--json").stdout)
    (one,) = [one for one in found["classes"] if one["labelled"]]
    assert (one["fault"], one["recall"], one["precision"]) == ("spike", 1.0, 1.0)
    assert found["false_alarms"] == 0  # A warning and a reject of another meter are remarks.
    write_labels(file, [spike.model_copy(update={"element": "M00000002", "meters": ["M00000002"]})])
    assert json.loads(scored(local_stack.directory, said, *words, "--json").stdout)["false_alarms"] == 2


def test_no_labels_and_no_label_file_are_told_apart(local_stack: LocalStack, said: str, tmp_path: Path) -> None:
    empty, other = tmp_path / "empty.parquet", tmp_path / "other.parquet"
    write_labels(empty, [])
    other.write_bytes(b"PAR1 is not all")
    unnamed = scored(local_stack.directory, said, "--labels", str(empty))
    assert unnamed.returncode == 1
    assert "--since" in unnamed.stderr
    named = ("--since", NOON.isoformat(), "--until", after(60).isoformat(), "--json")
    found = json.loads(scored(local_stack.directory, said, "--labels", str(empty), *named).stdout)
    assert {one["recall"] for one in found["classes"]} == {None}
    broken = scored(local_stack.directory, said, "--labels", str(other))
    assert broken.returncode == 1
    assert "holds no labels" in broken.stderr
    assert "Traceback" not in broken.stderr
