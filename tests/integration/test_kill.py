"""kill -9 of the worker and of the bridge in mid-replay leaves the database as an undisturbed run would."""

import csv
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stream.stack.stack import LocalStack
from tests.integration.processes import EngineProcess, command, query, reconcile, wait_until
from tests.undisturbed import undisturbed

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

METERS, READINGS = 12, 1_500
START = datetime(2026, 3, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Input:
    path: Path
    rows: dict[tuple[str, datetime], tuple[float, float]]


@pytest.fixture(scope="module")
def readings(tmp_path_factory: pytest.TempPathFactory) -> Input:
    """A quarter of an hour between readings, a spike now and then; every value a short decimal."""
    random = np.random.default_rng(11)
    path = tmp_path_factory.mktemp("input") / "readings.csv"
    rows: dict[tuple[str, datetime], tuple[float, float]] = {}
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["meter_number", "reading_time", "consumption_kwh", "voltage"])
        for step in range(READINGS):
            moment = START + timedelta(minutes=15 * step)
            for meter in range(METERS):
                energy = round(float(random.gamma(4, 0.05)) * (40 if random.random() < 0.002 else 1), 3)
                voltage = round(float(random.normal(230, 4)), 1)
                rows[f"K-{meter}", moment] = (energy, voltage)
                out.writerow([f"K-{meter}", moment.isoformat(), energy, voltage])
    return Input(path, rows)


def snapshot(stack: LocalStack) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that must not depend on what was killed when."""
    return {
        "readings": query(
            stack,
            "SELECT meter_number, reading_time, consumption_kwh, voltage, "
            "quality_flag, anomaly_score, failed_rules, warned_rules "
            "FROM meter_readings JOIN smart_meters USING (meter_id) ORDER BY 1, 2",
        ),
        "windows": query(
            stack,
            "SELECT window_s, window_start, element, readings, energy_kwh, voltage_mean, voltage_min, voltage_max "
            "FROM window_aggregates ORDER BY 1, 2, 3",
        ),
        "alerts": query(stack, "SELECT alert_id, measured, expected FROM alert_signs ORDER BY 1"),
        "gaps": query(stack, "SELECT meter_id, lit_at, back_at FROM supply_gaps ORDER BY 1, 2"),
    }


def test_kills_in_mid_replay_change_nothing(own_stack: LocalStack, readings: Input) -> None:
    checkpoints = {"METERSTREAM_WORKER__CHECKPOINT_INTERVAL_S": "1"}
    with (
        EngineProcess("run bridge", own_stack.directory) as bridge,
        EngineProcess("run worker", own_stack.directory, **checkpoints) as worker,
    ):
        bridge.wait_ready()
        worker.wait_ready()
        file = ("replay", str(readings.path), "--format", "plain_csv")
        publishing = threading.Thread(target=command, args=(own_stack, *file, "--mode", "single"))
        publishing.start()
        for victim, pause_s in ((worker, 1.5), (bridge, 1.0), (worker, 2.0), (bridge, 1.0), (worker, 1.0)):
            time.sleep(pause_s)
            victim.kill()
            victim.start()
        publishing.join()
        wait_until(own_stack, "SELECT count(*) FROM meter_readings", len(readings.rows))
        proof = reconcile(own_stack)

        assert proof["unaccounted"] == 0
        found = snapshot(own_stack)
        check_against_input(found, readings)
        check_against_flow(found, own_stack)

        # The same file again, and in any order, changes nothing.
        before = query(own_stack, "SELECT sum(duplicates)::bigint FROM stream_offsets")[0][0]
        command(own_stack, *file, "--mode", "concentrator")
        command(own_stack, *file, "--mode", "concentrator", "--shuffle", "3")
        repeated = before + 2 * len(readings.rows)
        wait_until(own_stack, "SELECT sum(duplicates)::bigint FROM stream_offsets", repeated)

        assert reconcile(own_stack)["unaccounted"] == 0
        assert snapshot(own_stack) == found


def check_against_input(found: dict[str, list[tuple[Any, ...]]], readings: Input) -> None:
    """Rows and windows equal a plain recomputation that shares no code with the engine."""
    stored = {(meter, moment): (energy, voltage) for meter, moment, energy, voltage, *_ in found["readings"]}
    assert stored == readings.rows
    assert found["gaps"] == [], "every meter has had power all the time"
    energy: dict[tuple[int, datetime], Fraction] = defaultdict(Fraction)
    count: dict[tuple[int, datetime], int] = defaultdict(int)
    for (_, moment), (value, _) in readings.rows.items():
        for length in (60, 900):
            seconds = int(moment.timestamp())
            key = (length, datetime.fromtimestamp(seconds - seconds % length, UTC))
            energy[key] += Fraction(str(value))
            count[key] += 1
    windows = {(length, start): (n, total) for length, start, _, n, total, *_ in found["windows"]}
    assert {key: n for key, (n, _) in windows.items()} == count
    assert {key: total for key, (_, total) in windows.items()} == {key: float(total) for key, total in energy.items()}


def check_against_flow(found: dict[str, list[tuple[Any, ...]]], stack: LocalStack) -> None:
    """Flags, rules, scores and alerts equal those of one undisturbed pass over what Kafka holds."""
    endpoints = stack.endpoints()
    assert endpoints is not None
    judged = undisturbed(endpoints.kafka_url)
    assert judged.alerts
    assert {alert_id for alert_id, *_ in found["alerts"]} == judged.alerts.keys()
    said = {(meter, moment): rest for meter, moment, _, _, *rest in found["readings"]}
    assert {key: flag for key, (flag, *_) in said.items()} == judged.flags
    assert {key: tuple(rules) for key, (_, _, *rules) in said.items()} == judged.rules
    scores = {key: np.nan if score is None else score for key, (_, score, *_) in said.items()}
    assert scores == pytest.approx(judged.scores, rel=1e-6, nan_ok=True)
