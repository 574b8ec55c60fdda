"""A feeder without power is one outage of a running engine, whose worker is killed in the middle, and one alert."""

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from confluent_kafka import Producer

from processors.partition import partition_of
from schemas.alert_events import AlertChild
from schemas.topics import METERS_RAW, METERS_REGISTRY
from simulators.labels import read_labels
from stream.stack.stack import LocalStack
from stream.topics import bootstrap_servers, partition_count
from tests.builders import payload, reading
from tests.integration.processes import EngineProcess, command, query, wait_until
from tests.integration.test_alerting import consumed
from tests.post_office import office_in_a_thread

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

BEGIN = datetime(2026, 3, 2, 10, tzinfo=UTC)
#: Two feeders of four transformers of five meters.
FEEDER_OF = {f"M{number:02}": f"F{number // 20}" for number in range(40)}
DARK = [meter for meter, feeder in FEEDER_OF.items() if feeder == "F0"]
FOUND = "SELECT count(*) FROM grid_outages WHERE NOT withdrawn"

Said = tuple[str, float, str | None]


def at(quarter: int, meters: list[str]) -> list[Said]:
    return [(meter, 15.0 * quarter, None) for meter in meters]


def produce(stack: LocalStack, *said: Said) -> None:
    """Write readings, or what meters say of their power, so many minutes after the begin, to their partitions."""
    endpoints = stack.endpoints()
    assert endpoints is not None
    producer = Producer({"bootstrap.servers": bootstrap_servers(endpoints.kafka_url), "log_level": 0})
    partitions = partition_of(
        pa.array([meter for meter, *_ in said]), partition_count(endpoints.kafka_url, METERS_RAW.name)
    )
    for (meter, minutes, word), partition in zip(said, partitions.tolist(), strict=True):
        time_us = round((BEGIN + timedelta(minutes=minutes)).timestamp() * 1e6)
        shown = {"source_quality": word} if word else {"voltage": 230.0, "consumption_kwh": 0.2}
        producer.produce(METERS_RAW.name, payload(reading(meter, time_us, **shown)), partition=partition)
    assert producer.flush(20) == 0


def register(stack: LocalStack) -> None:
    endpoints = stack.endpoints()
    assert endpoints is not None
    producer = Producer({"bootstrap.servers": bootstrap_servers(endpoints.kafka_url), "log_level": 0})
    for number, (meter, feeder) in enumerate(FEEDER_OF.items()):
        entry = {"meter_number": meter, "transformer": f"T{number // 5}", "feeder": feeder, "substation": "S1"}
        entry |= {"region": "North", "status": "active"}
        producer.produce(METERS_REGISTRY.name, json.dumps(entry).encode(), key=meter)
    assert producer.flush(20) == 0


def test_an_outage_is_found_and_ends_though_its_worker_is_killed(own_stack: LocalStack) -> None:
    everybody = list(FEEDER_OF)
    lit = [meter for meter in everybody if meter not in DARK]
    gasps = [(meter, 35.0 + number / 100, "last_gasp") for number, meter in enumerate(DARK) if number % 5]
    with EngineProcess("run worker", own_stack.directory, METERSTREAM_OUTAGES__SETTLE_S="2") as worker:
        worker.wait_ready()
        register(own_stack)
        wait_until(own_stack, "SELECT count(*) FROM smart_meters WHERE status = 'active'", len(everybody))
        produce(own_stack, *at(0, everybody), *at(1, everybody), *at(2, everybody), *gasps)
        wait_until(own_stack, FOUND, 1)
        worker.kill()
        produce(own_stack, *at(3, lit), *at(4, lit), *((meter, 70.0, "power_up") for meter in DARK), *at(5, everybody))
        worker.start()
        worker.wait_ready()
        wait_until(own_stack, f"{FOUND} AND ended_at IS NOT NULL AND customers = {len(DARK)}", 1)
        wait_until(own_stack, FOUND, 1)
    (found,) = [json.loads(line) for line in command(own_stack, "grid", "outages", "--json").splitlines()]
    assert (found["element"], found["customers"], found["without_power"]) == ("feeder/F0", len(DARK), 0)
    assert (found["started_at"], found["ended_at"]) == ("2026-03-02T10:35:00Z", "2026-03-02T11:10:00Z")
    assert "feeder/F0" in command(own_stack, "grid", "outages")
    assert command(own_stack, "grid", "outage", str(found["outage_id"])).count("T0") == 5
    span = ("--since", "2026-03-01T00:00:00Z", "--until", "2026-04-01T00:00:00Z")
    (told,) = [json.loads(line) for line in command(own_stack, "grid", "reliability", *span, "--json").splitlines()]
    assert (told["outages"], told["customer_interruptions"], told["saifi"]) == (1, len(DARK), 0.5)
    assert told["saidi_minutes"] == pytest.approx(17.5)
    signs = query(own_stack, "SELECT DISTINCT element FROM alert_signs WHERE kind = 'outage'")
    assert signs == [("feeder/F0",)]


def test_a_simulated_feeder_of_two_thousand_meters_is_one_alert_with_each_of_them_attached(
    own_stack: LocalStack, tmp_path: Path
) -> None:
    """The simulator's own outage, with the last gasps that came, through worker and desk to a pager."""
    profile, routes, truth = tmp_path / "dark.toml", tmp_path / "routes.toml", tmp_path / "labels.parquet"
    profile.write_text("[faults]\nfeeder_outage = { count = 1, minutes = [40, 50] }\n")
    fleet = (
        "--meters 3900 --feeders 2 --seed 19 --start 2026-03-04T10:00:00Z --duration 165m --speedup 450 --mode kafka"
    )
    over = "SELECT count(*) FROM alerts WHERE kind = 'outage' AND status = 'cleared' AND severity = 'critical'"
    query(own_stack, "UPDATE alert_signs SET taken = true RETURNING 1")  # of the test before, whose meters fall silent
    with office_in_a_thread() as office:
        routes.write_text(
            f"""wait_s = 0
            [channel.pager]
            sort = "pagerduty"
            key = {{ env = "PAGER_KEY" }}
            url = "{office.url}/pagerduty"
            [[route]]
            severity = ["critical"]
            to = ["pager"]
            """
        )
        settings = {"METERSTREAM_ALERTS__ROUTES_FILE": str(routes), "PAGER_KEY": "routing-key"}
        with (
            EngineProcess("run worker", own_stack.directory, METERSTREAM_OUTAGES__SETTLE_S="1") as worker,
            EngineProcess("run alerts", own_stack.directory, **settings) as desk,
        ):
            worker.wait_ready()
            desk.wait_ready()
            command(own_stack, "simulate", "meters", *fleet.split(), "--profile", str(profile), "--labels", str(truth))
            wait_until(own_stack, over, 1)
            wait_until(own_stack, "SELECT count(*) FROM alert_notifications WHERE status = 'sent'", 2)
    (label,) = read_labels(truth)
    listed = command(own_stack, "alerts", "list", "--severity", "critical", "--children", "--json").splitlines()
    (alert,) = [json.loads(line) for line in listed]
    assert (alert["element"], alert["severity"]) == (f"feeder/{label.element}", "critical")
    assert (alert["customers"], alert["children"], len(label.meters)) == (2_000, 2_000, 2_000)
    told = command(own_stack, "alerts", "children", alert["alert_id"], "--limit", "5000", "--json").splitlines()
    attached = [AlertChild.model_validate_json(line) for line in told]
    assert [child.element for child in attached] == [f"meter/{meter}" for meter in sorted(label.meters)]
    assert all(timedelta(0) <= child.since - label.start < timedelta(seconds=10) for child in attached)
    # It comes back transformer by transformer; the last one at the end of the outage.
    back = [child.until - label.start for child in attached if child.until is not None]
    assert len(back) == 2_000
    whole = label.end - label.start
    assert 0.6 * whole <= min(back) < 0.7 * whole
    assert whole <= max(back) <= whole + timedelta(minutes=1)

    events = [json.loads(value or b"") for _, value in consumed(own_stack, "alerts", 2)]
    changes = [one["data"]["change"] for one in events if one["subject"] == alert["element"]]
    assert (changes[0], changes[-1], set(changes[1:-1]) - {"updated"}) == ("opened", "cleared", set())
    assert not [one for one in events if one["subject"].startswith("meter/")]
    assert [one["event_action"] for one in office.taken["pagerduty"]] == ["trigger", "resolve"]
    sys.stdout.write(
        f"\n{alert['message']}: {len(changes)} changes on the topic, 2 notices, {len(attached):,} children; "
        f"said so themselves: {alert['reasons']}\n"
    )
