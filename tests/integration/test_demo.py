"""A small demo on real servers: everything adds up, every operator's command answers, and nothing is left running."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from stream.processes import running
from stream.stack.stack import LocalStack
from tests.integration.processes import command

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

METERS, SECONDS = 200, 20


def demo(stack: LocalStack, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "stream.cli", "demo", *options],
        env={**os.environ, "METERSTREAM_LOCAL_DIR": str(stack.directory)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture(scope="module")
def report(own_stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The figures of one demo."""
    file = tmp_path_factory.mktemp("demo") / "r.json"
    running_demo = demo(own_stack, "--meters", str(METERS), "--seconds", str(SECONDS), "--report", str(file))
    output, _ = running_demo.communicate(timeout=300)
    assert running_demo.returncode == 0, output
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def test_nothing_is_unaccounted_for(report: dict[str, Any]) -> None:
    assert report["unaccounted"] == 0
    assert report["sound"] is True
    assert report["stored"] > METERS * 192
    assert report["stored"] + report["rejected"] + report["duplicates"] == report["readings_published"]


def test_there_is_something_to_see_in_every_panel(report: dict[str, Any]) -> None:
    assert report["alerts"] > 0
    # A voltage that is only worth a warning is a matter of chance, and of how much a busy machine gets done.
    assert all(report["quality"][flag] > 0 for flag in ("normal", "anomaly", "missing"))
    reasons = {"bad_time", "missing_identity", "not_json", "voltage_out_of_range", "wrong_type"}
    assert reasons <= set(report["rejected_by_reason"])
    assert report["duplicates"] > 0


def test_alerts_are_timed_from_end_to_end(report: dict[str, Any]) -> None:
    latency = report["alert_latency_ms"]
    assert latency["measured"] >= 10
    assert 0 < latency["p50"] <= latency["p99"] <= latency["max"]
    assert report["ready_s"] < report["first_stored_s"]
    assert report["ready_s"] < report["first_alert_s"]


def test_no_process_of_the_engine_is_left_and_the_stack_that_ran_before_runs_on(
    report: dict[str, Any], own_stack: LocalStack
) -> None:
    assert report["restarts"] == 0
    assert running(own_stack.directory) == []
    assert own_stack.endpoints() is not None


def test_reconcile_says_the_same_afterwards(report: dict[str, Any], own_stack: LocalStack) -> None:
    found = json.loads(command(own_stack, "reconcile", "--json"))
    assert found["sound"] is True
    assert found["total"]["rows"] == report["stored"]
    assert found["total"]["readings"] == report["bridged"]
    assert found["rejects"]["records"] == found["rejects"]["stored"] == report["rejected"]


def test_a_reconcile_of_another_time_finds_nothing_to_prove(report: dict[str, Any], own_stack: LocalStack) -> None:
    assert report["stored"]
    found = json.loads(command(own_stack, "reconcile", "--until", "1d", "--json"))
    assert found["sound"] is True
    assert found["total"]["readings"] == 0


def test_latest_comes_from_redis(report: dict[str, Any], own_stack: LocalStack) -> None:
    assert report["stored"]
    found = json.loads(command(own_stack, "latest", "M00000001", "--json"))
    assert found["meter_number"] == "M00000001"
    assert found["source"] == "redis"


def test_alerts_are_in_kafka_and_in_the_database(report: dict[str, Any], own_stack: LocalStack) -> None:
    told = command(own_stack, "alerts", "tail", "--no-follow", "--children", "--json").splitlines()
    kept = command(own_stack, "alerts", "list", "--limit", "100000", "--children", "--json").splitlines()
    in_kafka = {json.loads(line)["data"]["alert"]["alert_id"] for line in told}
    assert in_kafka == {json.loads(line)["alert_id"] for line in kept}
    # The desk may open one more while the demo sums up.
    assert 0 < report["alerts"] <= len(kept)


def test_the_database_tells_what_it_holds(report: dict[str, Any], own_stack: LocalStack) -> None:
    found = json.loads(command(own_stack, "db", "status", "--json"))
    assert found["due"] == []
    assert any(table["name"] == "meter_readings" and table["size_bytes"] > 1_000_000 for table in found["tables"])
    assert json.loads(command(own_stack, "db", "migrate", "--json"))["applied"] == []
    assert report["versions"]["postgresql"] == found["postgresql"]


def test_the_doctor_finds_nothing_that_fails(report: dict[str, Any], own_stack: LocalStack) -> None:
    assert report["stored"]
    found = json.loads(command(own_stack, "doctor", "--json"))
    assert found["ok"] is True
    levels = {finding["name"]: finding["level"] for finding in found["findings"]}
    assert all(levels[name] == "ok" for name in ("kafka", "topics", "mqtt", "database", "migrations", "redis", "lag"))
    assert levels["worker"] == "warn"


def test_an_early_end_is_clean_and_proved_too(report: dict[str, Any], own_stack: LocalStack) -> None:
    assert report["stored"]
    interrupted = demo(own_stack, "--meters", "20")
    assert interrupted.stdout is not None
    lines = []
    for line in interrupted.stdout:
        lines.append(line)
        if "live: " in line:
            break
    interrupted.send_signal(signal.SIGINT)
    rest, _ = interrupted.communicate(timeout=120)
    assert interrupted.returncode == 0, "".join(lines) + rest
    assert "unaccounted 0" in rest
    assert running(own_stack.directory) == []


def test_a_killed_demo_leaves_no_process(own_stack: LocalStack) -> None:
    victim = demo(own_stack, "--meters", "20")
    deadline = time.monotonic() + 60
    while len(running(own_stack.directory)) < 2:
        assert time.monotonic() < deadline
        assert victim.poll() is None
        time.sleep(0.1)
    victim.kill()
    victim.communicate()
    while running(own_stack.directory):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    for note in Path(own_stack.directory, "run").glob("*.json"):
        note.unlink()
