"""What processes say of themselves: notes, health and metrics."""

import os
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter

from stream.health import Health, HealthServer
from stream.processes import Samples, noted, running


def test_a_living_process_is_found_and_asked(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    counter = Counter("stored_total", "Stored.", ["flag"], registry=registry)
    counter.labels("normal").inc(3)
    counter.labels("anomaly").inc(2)
    server = HealthServer(
        "worker",
        lambda: Health(live=True, ready=False, facts={"lag_records": 7}),
        registry,
        host="127.0.0.1",
        port=0,
        local_dir=tmp_path,
    )
    with server:
        (process,) = running(tmp_path)
        health, samples = process.health(), process.samples()
    assert process.component == "worker"
    assert process.pid == os.getpid()
    assert health == {"lag_records": 7, "live": True, "ready": False}
    assert samples is not None
    assert samples.total("stored_total") == 5
    assert samples.by("stored_total", "flag") == {"normal": 3, "anomaly": 2}
    assert process.health() is None
    assert noted(tmp_path) == []


def test_a_dead_process_is_noted_but_does_not_run(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "bridge-999999999.json").write_text(
        '{"component": "bridge", "pid": 999999999, "host": "0.0.0.0", "port": 1}'
    )
    (tmp_path / "run" / "bridge-1.json").write_text("{")
    assert [process.pid for process in noted(tmp_path)] == [999999999]
    assert running(tmp_path) == []


def test_metrics_that_are_not_there_are_zero() -> None:
    assert Samples({}).total("anything") == 0
    assert Samples({}).by("anything", "flag") == {}
