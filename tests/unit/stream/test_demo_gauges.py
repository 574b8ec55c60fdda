"""Sums over the engine's processes, through restarts."""

from dataclasses import dataclass, field
from typing import Any

from stream.demo.gauges import Gauges
from stream.processes import Samples


@dataclass
class Scripted:
    pid: int
    counts: dict[tuple[str, tuple[tuple[str, str], ...]], float]
    facts: dict[str, Any] | None = field(default_factory=lambda: {"waiting_for": {}})

    def samples(self) -> Samples | None:
        return None if self.facts is None else Samples(self.counts)

    def health(self) -> dict[str, Any] | None:
        return self.facts


def bridge(pid: int, rows: int, **facts: object) -> Scripted:
    counts = {
        ("meterstream_bridge_rows_total", (("feed", "meters"),)): float(rows),
        ("meterstream_bridge_rows_total", (("feed", "market"),)): 1_000.0,
        ("meterstream_bridge_rejected_total", (("reason", "not_json"),)): 2.0,
    }
    return Scripted(pid, counts, {"waiting_for": {}, **facts})


def worker(pid: int, normal: int, **facts: object) -> Scripted:
    counts = {
        ("meterstream_worker_stored_readings_total", (("flag", "normal"),)): float(normal),
        ("meterstream_worker_stored_readings_total", (("flag", "anomaly"),)): 1.0,
        ("meterstream_worker_duplicate_readings_total", ()): 3.0,
        ("meterstream_worker_readings_total", ()): float(normal + 4),
    }
    return Scripted(pid, counts, {"waiting_for": {}, **facts})


def test_all_processes_are_summed_up() -> None:
    found = Gauges().read([bridge(1, 10, in_flight_messages=4), bridge(2, 20), worker(3, 5, lag_records=6)])  # type: ignore[list-item]
    assert (found.bridged, found.refused, found.accounted, found.duplicates) == (30, 4, 9, 3)
    assert found.stored == {"normal": 5, "anomaly": 1}
    assert (found.in_flight, found.lag) == (4, 6)


def test_what_a_dead_process_did_still_counts() -> None:
    gauges = Gauges()
    gauges.read([worker(1, 5)])  # type: ignore[list-item]
    found = gauges.read([worker(2, 7)])  # type: ignore[list-item]
    assert found.stored["normal"] == 12


def test_what_was_done_before_the_demo_does_not_count() -> None:
    gauges = Gauges([worker(1, 5)])  # type: ignore[list-item]
    found = gauges.read([worker(1, 8)])  # type: ignore[list-item]
    assert found.stored == {"normal": 3}
    assert found.duplicates == 0


def test_a_process_that_does_not_answer_keeps_its_last_word() -> None:
    gauges = Gauges()
    gauges.read([worker(1, 5)])  # type: ignore[list-item]
    silent = worker(1, 9)
    silent.facts = None
    assert gauges.read([silent]).stored["normal"] == 5  # type: ignore[list-item]


def test_absences_are_named() -> None:
    found = Gauges().read([worker(1, 5, waiting_for={"redis": "refused"})])  # type: ignore[list-item]
    assert found.waiting_for == {"redis": "refused"}
