"""When what can wait leaves the machine to readings."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from stream.worker.standing import WorkerApp


@pytest.mark.parametrize(("waited_s", "lag", "late"), [(0.4, 9, False), (1.5, 9, True), (1.5, 0, False)])
def test_others_give_way_once_readings_have_waited_longer_than_an_alert_may_take(
    waited_s: float, lag: int, late: bool
) -> None:
    app = SimpleNamespace(
        started=True, rebalancing=False, in_recovery=False, consumer=SimpleNamespace(assignment=lambda: {0})
    )
    lane: Any = SimpleNamespace(worker=SimpleNamespace(waited_s=waited_s, taking=False), lag=lambda _app: lag)
    standing = WorkerApp(cast("Any", app), [lane], CollectorRegistry())
    assert standing.late(lane) is late
