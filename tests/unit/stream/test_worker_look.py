"""A look at a worker from another thread, while it changes."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from faust.exceptions import ConsumerNotStarted
from faust.types import TP
from prometheus_client import CollectorRegistry

from schemas.topics import METERS_RAW
from stream.metrics import WorkerMetrics
from stream.worker.lane import Lane, Source
from stream.worker.standing import WorkerApp


@pytest.mark.parametrize(
    "ended", [ConsumerNotStarted(), RuntimeError("Set changed size during iteration")], ids=["ended", "reassigned"]
)
def test_a_consumer_that_ends_while_it_is_looked_at_does_not_end_the_watch(ended: Exception) -> None:
    """The watch ends a worker that has failed; it must not die of what it sees then."""

    def assignment() -> set[TP]:
        nonlocal asked
        asked += 1
        if asked > 1:
            raise ended
        return {TP(METERS_RAW.name, 0)}

    asked = 0
    app: Any = SimpleNamespace(
        started=True,
        rebalancing=False,
        in_recovery=False,
        crashed=True,
        tables=SimpleNamespace(_recovery=None),
        consumer=SimpleNamespace(assignment=assignment, _committed_offset={}),
    )
    source = Source(METERS_RAW, "life", 1)
    metrics = WorkerMetrics(CollectorRegistry())
    lane = Lane(source, cast("Any", SimpleNamespace(moved_at=0.0, outages={})), cast("Any", None), metrics)
    look = WorkerApp(app, [lane], CollectorRegistry()).look()
    assert (look.failed, look.ready, look.lag) == (True, False, 0)
    assert asked == 2


def test_each_look_shows_what_waits_by_partition() -> None:
    """By Kafka's end of a partition and by what was taken or, where nothing was, committed."""
    mine = {TP(METERS_RAW.name, number): end for number, end in ((0, 10), (1, 25), (2, None))}
    consumer = SimpleNamespace(
        assignment=lambda: {*mine, TP("other", 0)},
        highwater=mine.get,
        _committed_offset={TP(METERS_RAW.name, 1): 5},
    )
    app: Any = SimpleNamespace(
        started=True,
        rebalancing=False,
        in_recovery=False,
        crashed=False,
        tables=SimpleNamespace(_recovery=None),
        consumer=consumer,
    )
    worker: Any = SimpleNamespace(moved_at=0.0, outages={}, next_offset={0: 7}.get)
    registry = CollectorRegistry()
    lane = Lane(Source(METERS_RAW, "life", 3), worker, cast("Any", None), WorkerMetrics(registry))
    assert WorkerApp(app, [lane], registry).look().lag == 23
    name = "meterstream_worker_lag_records"
    assert [registry.get_sample_value(name, {"partition": number}) for number in "012"] == [3, 20, 0]
