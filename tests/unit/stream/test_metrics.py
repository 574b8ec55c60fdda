"""What workers tell of their deliveries."""

import numpy as np
from prometheus_client import CollectorRegistry

from schemas.delivery import Delivery, Progress, Stored
from stream.metrics import WorkerMetrics
from tests.builders import MINUTE_US, START_US, batch, rows

_NOW_S = START_US / 1e6 + 600.0


def delivered(registry: CollectorRegistry) -> WorkerMetrics:
    """Three readings of ten and five minutes ago and of a minute to come, that arrived four minutes ago."""
    metrics = WorkerMetrics(registry, clock=lambda: _NOW_S)
    of = batch("M1", [START_US, START_US + 5 * MINUTE_US, START_US + 11 * MINUTE_US])
    found = rows(of, arrived_us=START_US + 6 * MINUTE_US)
    progress = [Progress(2, 0, 3, START_US + 5 * MINUTE_US, 3, 0), Progress(3, 0, 0, -(2**63), 0, 0)]
    stored = Stored(np.ones(3, dtype=bool), np.zeros(3, dtype=bool), [])
    metrics.delivered(Delivery("meters.raw", "life", found, [], progress), stored)
    return metrics


def test_latencies_are_those_of_readings_from_their_arrival_and_from_their_own_time() -> None:
    registry = CollectorRegistry()
    delivered(registry)
    assert registry.get_sample_value("meterstream_worker_arrival_to_stored_seconds_count") == 3
    assert registry.get_sample_value("meterstream_worker_arrival_to_stored_seconds_sum") == 3 * 240.0
    name = "meterstream_worker_event_to_stored_seconds"
    assert registry.get_sample_value(f"{name}_sum") == 600.0 + 300.0
    assert registry.get_sample_value(f"{name}_bucket", {"le": "1.0"}) == 1
    assert registry.get_sample_value(f"{name}_bucket", {"le": "300.0"}) == 2


def test_a_watermark_falls_behind_the_clock_while_nothing_comes() -> None:
    registry = CollectorRegistry()
    metrics = delivered(registry)
    name = "meterstream_worker_watermark_delay_seconds"
    assert registry.get_sample_value(name, {"partition": "2"}) == 300.0
    metrics._clock = lambda: _NOW_S + 50.0
    assert registry.get_sample_value(name, {"partition": "2"}) == 350.0
    assert registry.get_sample_value(name, {"partition": "3"}) is None


def test_partitions_that_have_moved_away_are_not_shown_any_more() -> None:
    registry = CollectorRegistry()
    metrics = delivered(registry)
    metrics.waiting({2: 7, 4: 0})
    name = "meterstream_worker_lag_records"
    assert [registry.get_sample_value(name, {"partition": number}) for number in "24"] == [7, 0]
    metrics.waiting({4: 1})
    assert registry.get_sample_value(name, {"partition": "2"}) is None
    assert registry.get_sample_value("meterstream_worker_watermark_delay_seconds", {"partition": "2"}) is None
    assert registry.get_sample_value(name, {"partition": "4"}) == 1
