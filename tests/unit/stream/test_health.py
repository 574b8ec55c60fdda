"""What a process says of itself over HTTP, and where it says that."""

import json
import os
from http.client import HTTPConnection
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter

from stream.health import Health, HealthServer


def get(port: int, path: str) -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def serve(tmp_path: Path, health: Health, registry: CollectorRegistry | None = None) -> HealthServer:
    return HealthServer(
        "bridge", lambda: health, registry or CollectorRegistry(), host="127.0.0.1", port=0, local_dir=tmp_path
    )


@pytest.mark.parametrize(
    ("live", "ready", "overall", "liveness"),
    [(True, True, 200, 200), (True, False, 503, 200), (False, True, 503, 503), (False, False, 503, 503)],
)
def test_the_status_says_whether_to_send_work_and_whether_to_restart(
    tmp_path: Path, live: bool, ready: bool, overall: int, liveness: int
) -> None:
    with serve(tmp_path, Health(live=live, ready=ready, facts={"waiting_for": {"kafka": "away"}})) as server:
        status, body = get(server.port, "/health")
        assert (status, json.loads(body)) == (
            overall,
            {"live": live, "ready": ready, "waiting_for": {"kafka": "away"}},
        )
        assert get(server.port, "/health/live")[0] == liveness
        assert get(server.port, "/health/ready")[0] == overall


def test_metrics_are_those_of_the_registry(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    Counter("meterstream_test_things_total", "Things.", registry=registry).inc(3)
    with serve(tmp_path, Health(live=True, ready=True), registry) as server:
        status, body = get(server.port, "/metrics?name[]=x")
    assert status == 200
    assert "meterstream_test_things_total 3.0" in body


def test_another_path_is_not_found(tmp_path: Path) -> None:
    with serve(tmp_path, Health(live=True, ready=True)) as server:
        assert get(server.port, "/")[0] == 404


def test_the_port_is_noted_while_the_process_lives(tmp_path: Path) -> None:
    note = tmp_path / "run" / f"bridge-{os.getpid()}.json"
    with serve(tmp_path, Health(live=True, ready=True)) as server:
        assert json.loads(note.read_text()) == {
            "component": "bridge",
            "pid": os.getpid(),
            "host": "127.0.0.1",
            "port": server.port,
        }
    assert not note.exists()
