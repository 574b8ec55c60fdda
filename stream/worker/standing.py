"""How a worker stands, to whoever asks: ready, behind, late."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from faust.exceptions import ConsumerNotStarted
from prometheus_client import CollectorRegistry

from stream.worker.lane import Lane
from stream.worker.watch import Look

#: While records wait longer than this before they are taken [s], what can wait leaves the machine to them: an alert is
#: to be told within a second.
_LATE_S = 1.0


@dataclass(frozen=True)
class WorkerApp:
    """The application and what watches it.

    Attributes:
        app: the Faust application.
        lanes: of the readings, and of the ticks.
        registry: their metrics.
    """

    app: Any
    lanes: Sequence[Lane]
    registry: CollectorRegistry

    @property
    def ready(self) -> bool:
        """Tell whether partitions are assigned and their state is recovered."""
        app = self.app
        if not app.started or app.rebalancing or app.in_recovery:
            return False
        try:
            return bool(app.consumer.assignment())
        except ConsumerNotStarted:
            return False

    def behind(self, lane: Lane) -> bool:
        """Tell whether records of a lane wait to be taken, or are being taken; while that is not known, they may."""
        try:
            return not self.ready or lane.worker.taking or lane.lag(self.app) > 0
        except (ConsumerNotStarted, RuntimeError):
            return True

    def late(self, lane: Lane) -> bool:
        """Tell whether records of a lane wait that came long ago: other work leaves the database to them then."""
        return lane.worker.waited_s > _LATE_S and self.behind(lane)

    def look(self) -> Look:
        """Return what the worker looks like now, to whatever thread asks; the watch asks every second."""
        # `tables.recovery` would make the service in the thread that asks first; the worker would then wait for ever.
        recovery = self.app.tables._recovery  # noqa: SLF001
        offsets = () if recovery is None else list(recovery.active_offsets.values())
        try:
            ready = self.ready
            lags = [lane.show_lag(self.app) for lane in self.lanes] if ready and self.app.consumer else [0]
        except (ConsumerNotStarted, RuntimeError):
            # Its partitions were taken away, or the consumer ended, between two questions: the next look will tell.
            ready, lags = False, [0]
        # The lane that has waited longest; a lane without anything to take stands still with reason.
        waiting = [lane.worker.moved_at for lane, lag in zip(self.lanes, lags, strict=False) if lag]
        return Look(
            now_s=time.monotonic(),
            ready=ready,
            lag=sum(lags),
            moved_at_s=min(waiting, default=max(lane.worker.moved_at for lane in self.lanes)),
            recovered=sum(offset or 0 for offset in offsets),
            waiting_for={name: cause for lane in self.lanes for name, cause in lane.worker.outages.items()},
            failed=bool(self.app.crashed),
        )
