"""When a worker should end itself: a fresh start mends what waiting does not."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Look:
    """What a worker looks like at one moment.

    Attributes:
        now_s: monotonic time [s].
        ready: it has its partitions and has recovered its state.
        lag: records that wait to be taken.
        moved_at_s: when it last took records [s].
        recovered: changelog records read so far while it recovers.
        waiting_for: services that are away.
        failed: it has given up and is being taken down.
    """

    now_s: float
    ready: bool
    lag: int
    moved_at_s: float
    recovered: int
    waiting_for: Mapping[str, str]
    failed: bool = False


class Watch:
    """Looks at a worker again and again, and tells when it cannot go on.

    Faust does not always come back by itself: a process that was stopped for longer than its session has lost its
    partitions without knowing, a rebalance within a rebalance can leave it waiting for ever, and one that has failed
    waits for Kafka before it ends, which may be away.

    Args:
        session_timeout_s: a worker that does not run for this long is out of its group [s].
        stall_timeout_s: longest time that records may wait without any progress [s].
        unready_timeout_s: longest wait for partitions, or for the next piece of their state [s].
        end_timeout_s: longest wait for the end of a worker that has failed [s].
    """

    def __init__(
        self, session_timeout_s: float, stall_timeout_s: float, unready_timeout_s: float, end_timeout_s: float = 5.0
    ) -> None:
        self._unready_timeout_s = unready_timeout_s
        self._session_timeout_s = session_timeout_s
        self._stall_timeout_s = stall_timeout_s
        self._end_timeout_s = end_timeout_s
        self._looked_at_s: float | None = None
        self._failed_since_s: float | None = None
        self._unready_since_s: float | None = None
        self._recovered = 0

    def verdict(self, look: Look) -> str | None:
        """Return why the worker should end, None while it should not; called every second or so."""
        before_s, self._looked_at_s = self._looked_at_s, look.now_s
        if before_s is not None and look.now_s - before_s > self._session_timeout_s:
            return f"it did not run for {look.now_s - before_s:.0f} s, longer than its session lasts"
        if look.failed:
            self._failed_since_s = self._failed_since_s or look.now_s
            ending_s = look.now_s - self._failed_since_s
            return f"it failed {ending_s:.0f} s ago and does not end" if ending_s > self._end_timeout_s else None
        if look.waiting_for:
            self._unready_since_s = None
            return None
        if look.ready:
            self._unready_since_s = None
            still_s = look.now_s - look.moved_at_s
            if look.lag and still_s > self._stall_timeout_s:
                return f"{look.lag} records wait and nothing has moved for {still_s:.0f} s"
            return None
        return self._unready(look)

    def _unready(self, look: Look) -> str | None:
        if self._unready_since_s is None or look.recovered != self._recovered:
            self._unready_since_s, self._recovered = look.now_s, look.recovered
        waited_s = look.now_s - self._unready_since_s
        return f"it has waited {waited_s:.0f} s for its partitions" if waited_s > self._unready_timeout_s else None
