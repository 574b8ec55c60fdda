"""The whole path on real servers: recorded data, foreign producers, poison, the registry, workers that come and go."""

import gzip
import json
import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import chain
from pathlib import Path

import pytest
from confluent_kafka import Producer

from schemas.topics import ALERT_SIGNS, ARROW, CONTENT_TYPE, GRID_WINDOWS, METERS_RAW, METERS_REGISTRY
from schemas.windows import WindowAggregate
from stream.stack.stack import LocalStack
from stream.topic_reader import TopicReader
from stream.topics import bootstrap_servers
from tests.integration.processes import EngineProcess, command, query, reconcile, wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def worker(own_stack: LocalStack) -> Iterator[EngineProcess]:
    with EngineProcess("run worker", own_stack.directory, METERSTREAM_WORKER__CHECKPOINT_INTERVAL_S="1") as process:
        process.wait_ready()
        yield process


@pytest.fixture(scope="module")
def bridge(own_stack: LocalStack) -> Iterator[EngineProcess]:
    with EngineProcess("run bridge", own_stack.directory) as process:
        process.wait_ready()
        yield process


def kafka(stack: LocalStack) -> str:
    endpoints = stack.endpoints()
    assert endpoints is not None
    return bootstrap_servers(endpoints.kafka_url)


def produce(stack: LocalStack, topic: str, *records: tuple[str, bytes], content_type: str | None = None) -> None:
    """Produce as any other program would: default partitioner of the Java client, JSON without a header."""
    producer = Producer({"bootstrap.servers": kafka(stack), "partitioner": "murmur2_random"})
    headers = {CONTENT_TYPE: content_type} if content_type else None
    for key, value in records:
        producer.produce(topic, value, key=key, headers=headers)
    assert producer.flush(30) == 0


def reading(meter: str, moment: datetime, **values: object) -> bytes:
    return json.dumps({"meter_number": meter, "reading_time": moment.isoformat(), **values}).encode()


def stored(stack: LocalStack, prefix: str) -> str:
    return f"SELECT count(*) FROM meter_readings JOIN smart_meters USING (meter_id) WHERE meter_number LIKE '{prefix}%'"


def read_all(stack: LocalStack, topic: str) -> list[bytes]:
    endpoints = stack.endpoints()
    assert endpoints is not None
    with TopicReader(endpoints.kafka_url, topic) as reader:
        return [message.value() or b"" for message in chain.from_iterable(reader.read(reader.bounds()))]


def test_a_recorded_year_is_stored_to_the_last_digit(
    own_stack: LocalStack, bridge: EngineProcess, worker: EngineProcess, shared_data: Path
) -> None:
    file = shared_data / "uci_household" / "household_power_consumption_2006-12-16_2007-01-14.csv.gz"
    with gzip.open(file, "rt") as lines:
        powers = [line.split(";")[2] for line in list(lines)[1:]]
    measured = [Decimal(text) for text in powers if text != "?"]

    command(own_stack, "replay", str(file), "--format", "uci_household", "--mode", "concentrator")

    wait_until(own_stack, stored(own_stack, "UCI-1"), len(powers))
    total, silent = query(
        own_stack,
        "SELECT sum(consumption_kwh), count(*) FILTER (WHERE quality_flag = 'missing') "
        "FROM meter_readings JOIN smart_meters USING (meter_id) WHERE meter_number = 'UCI-1'",
    )[0]
    windows = query(own_stack, "SELECT sum(energy_kwh) FROM window_aggregates WHERE window_s = 900")[0][0]
    assert len(powers) == 40_963
    assert silent == len(powers) - len(measured) == 4
    # The file's unit is a thousandth of a kW held for a minute.
    assert Decimal(total * 60).quantize(Decimal("0.001")) == sum(measured)
    assert Decimal(windows * 60).quantize(Decimal("0.001")) == sum(measured)


def test_poison_is_kept_with_its_reason_and_neighbours_go_through(own_stack: LocalStack, worker: EngineProcess) -> None:
    good = reading("P-good", NOON, voltage=230)
    poison = {
        b"not json": "not_json",
        b'{"voltage": 230}': "missing_identity",
        b"\xff\xfe\x00": "not_json",
        b'"text"': "wrong_shape",
        reading("P-1", NOON, voltage="high"): "wrong_type",
        reading("P-2", NOON, voltage=400): "voltage_out_of_range",
        reading("P-3", NOON, consumption_kwh=-1): "negative_energy",
        reading("P" * 1000, NOON): "text_too_long",
        b'{"meter_number": "P-4", "reading_time": "2026-04-01T12:00:00"}': "bad_time",
        b'{"meter_number": "P-5", "reading_time": "2026-04-01T12:00:00Z", "voltage": NaN}': "not_finite",
        reading("P-6", NOON.replace(year=2099)): "time_in_future",
        reading("P-7", NOON.replace(year=1970)): "time_too_old",
    }

    produce(own_stack, METERS_RAW.name, *[("k", payload) for payload in poison], ("k", good))
    produce(own_stack, METERS_RAW.name, ("k", b"ARROW1 and no more"), content_type=ARROW)
    produce(own_stack, METERS_RAW.name, ("k", b"a,b,c"), content_type="text/csv")

    wait_until(own_stack, stored(own_stack, "P-good"), 1)
    wait_until(own_stack, "SELECT count(*) FROM rejected_readings", len(poison) + 2)
    rows = dict(query(own_stack, "SELECT payload_bytes, reason FROM rejected_readings"))
    reasons = [reason for (reason,) in query(own_stack, "SELECT reason FROM rejected_readings")]
    assert sorted(reasons) == sorted([*poison.values(), "bad_arrow", "unknown_content_type"])
    # What could not be read is kept as it came; what could be read and was not credible is written out again.
    assert {length: reason for length, reason in rows.items() if reason in _AS_IT_CAME} == {
        len(payload): reason for payload, reason in poison.items() if reason in _AS_IT_CAME
    }
    assert worker.health()["live"]


_AS_IT_CAME = {"missing_identity", "wrong_shape", "wrong_type", "text_too_long", "bad_time", "not_finite"}


def test_windows_follow_the_registry_and_reach_their_topic(own_stack: LocalStack, worker: EngineProcess) -> None:
    entries = [
        (f"R-{k}", json.dumps({"meter_number": f"R-{k}", "transformer": f"TX-{k // 2}", "feeder": "F-1"}).encode())
        for k in range(4)
    ]
    produce(own_stack, METERS_REGISTRY.name, *entries)
    wait_until(own_stack, "SELECT count(*) FROM smart_meters WHERE transformer_id IS NOT NULL", 4)

    readings = [
        (f"R-{k}", reading(f"R-{k}", NOON + timedelta(minutes=15 * step), consumption_kwh=0.25, voltage=230 + k))
        for step in range(4)
        for k in range(4)
    ]
    produce(own_stack, METERS_RAW.name, *readings)

    wait_until(own_stack, stored(own_stack, "R-"), len(readings))
    rows = query(
        own_stack,
        "SELECT element, count(*), sum(readings)::int, sum(energy_kwh), min(voltage_min), max(voltage_max) "
        "FROM window_aggregates WHERE window_s = 900 AND element LIKE 'transformer/TX%' GROUP BY 1 ORDER BY 1",
    )
    assert rows == [("transformer/TX-0", 4, 8, 2.0, 230.0, 231.0), ("transformer/TX-1", 4, 8, 2.0, 232.0, 233.0)]
    # Later readings of any meter close these windows, wherever their partition is.
    later = [(f"L-{k}", reading(f"L-{k}", NOON + timedelta(hours=9))) for k in range(200)]
    produce(own_stack, METERS_RAW.name, *later)
    wait_until(
        own_stack,
        "SELECT count(*) FROM element_totals WHERE element LIKE 'transformer/TX%' AND customer_class = '*' "
        "AND window_s = 900",
        8,
    )
    published = [WindowAggregate.model_validate_json(value) for value in read_all(own_stack, GRID_WINDOWS.name)]
    found = [item for item in published if item.customer_class is None and item.window_s == 900]
    mine = {(item.element, item.readings, item.energy_kwh, item.revision) for item in found}
    assert mine >= {("transformer/TX-0", 2, 0.5, 0), ("transformer/TX-1", 2, 0.5, 0), ("feeder/F-1", 4, 1.0, 0)}


@pytest.mark.usefixtures("worker")
def test_a_file_of_the_registry_comes_out_as_it_went_in(own_stack: LocalStack, tmp_path: Path) -> None:
    lines = [
        "meter_number,transformer,feeder,transformer_kva,phase,substation,region,zone,timezone,class,status,valid_from",
        "F-1,TF-1,FF-1,250.0,L2,SF-1,north,,Europe/Amsterdam,residential,active,",
        "F-1,TF-2,FF-1,,L2,SF-1,north,,Europe/Amsterdam,commercial,active,2026-03-01T00:00:00Z",
        "F-2,,,,,,,,,,active,",
    ]
    file = tmp_path / "meters.csv"
    file.write_text("\n".join(lines) + "\n")
    assert "3 entries read, 3 published, 0 problems" in command(own_stack, "registry", "import", str(file))
    wait_until(own_stack, "SELECT count(*) FROM meter_places JOIN smart_meters USING (meter_id) "
               "WHERE meter_number LIKE 'F-%'", 3)  # fmt: skip
    head, *found = command(own_stack, "registry", "export", "--history").splitlines()
    assert [head, *(line for line in found if line.startswith("F-"))] == lines
    newest = [line for line in command(own_stack, "registry", "export").splitlines() if line.startswith("F-")]
    assert newest == lines[2:]


def test_an_anomaly_is_alerted_once(own_stack: LocalStack, worker: EngineProcess) -> None:
    usual = [
        ("A-1", reading("A-1", NOON + timedelta(minutes=30 * step), consumption_kwh=0.5)) for step in range(4 * 48)
    ]
    spike = ("A-1", reading("A-1", NOON + timedelta(days=4), consumption_kwh=9.0))

    produce(own_stack, METERS_RAW.name, *usual, spike, spike)

    wait_until(own_stack, stored(own_stack, "A-1"), len(usual) + 1)
    wait_until(own_stack, "SELECT count(*) FROM alert_signs WHERE element = 'meter/A-1'", 1)
    alerts = [json.loads(value) for value in read_all(own_stack, ALERT_SIGNS.name)]
    mine = [alert for alert in alerts if alert["element"] == "meter/A-1"]
    assert [(alert["kind"], alert["measured"], alert["unit"]) for alert in mine] == [("high_consumption", 9.0, "kWh")]
    assert json.loads(command(own_stack, "latest", "A-1", "--json"))
    why = "SELECT kind, measured, unit, contributions FROM explained_readings WHERE meter_number = 'A-1'"
    ((kind, measured, unit, contributions),) = query(own_stack, why + " AND measured = 9.0")
    assert (kind, measured, unit) == ("high_consumption", 9.0, "kWh")
    assert contributions.startswith("spike 1.00")


def test_a_worker_that_slept_through_a_rebalance_does_no_harm(own_stack: LocalStack, worker: EngineProcess) -> None:
    """SIGSTOP, partitions move to another worker, SIGCONT: nothing is lost and nothing counts twice."""
    batches = [
        [(f"Z-{k}", reading(f"Z-{k}", NOON + timedelta(minutes=15 * step), consumption_kwh=0.1)) for k in range(50)]
        for step in range(60)
    ]
    assert worker.pid is not None
    with EngineProcess("run worker", own_stack.directory, METERSTREAM_WORKER__CHECKPOINT_INTERVAL_S="1") as second:
        second.wait_ready()
        for number, batch in enumerate(batches):
            if number == 10:
                os.kill(worker.pid, signal.SIGSTOP)
            produce(own_stack, METERS_RAW.name, *batch)
        time.sleep(20)  # longer than the session timeout: the group goes on without the sleeper
        os.kill(worker.pid, signal.SIGCONT)
        # It has lost its partitions without knowing; the only sound thing to do is to begin anew.
        assert worker.wait() == 70
        worker.start()
        wait_until(own_stack, stored(own_stack, "Z-"), 50 * 60)

    wait_until(own_stack, stored(own_stack, "Z-"), 50 * 60)
    proof = reconcile(own_stack)
    windows = query(
        own_stack,
        "SELECT sum(readings)::int FROM window_aggregates WHERE window_s = 900 AND element = 'transformer/unassigned'",
    )[0][0]
    rows = query(
        own_stack,
        "SELECT count(*) FROM meter_readings JOIN smart_meters USING (meter_id) WHERE transformer_id IS NULL",
    )[0][0]
    assert proof["unaccounted"] == 0
    assert windows == rows
