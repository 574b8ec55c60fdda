"""The engine under the bench: real worker processes, from a full topic to committed rows."""

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from schemas.topics import METERS_REJECTED
from stream.processes import noted
from tests.bench.equality import differences, left
from tests.bench.feed import length
from tests.bench.figures import Span
from tests.bench.ground import Ground
from tests.bench.spec import Outcome
from tests.bench.watch import Watch
from tests.integration.processes import EngineProcess

_POLL_S = 0.5
#: Counting a table's rows takes PostgreSQL's time from the run: done where its counter has stood still this long [s].
_STILL_S = 3.0
#: Newest values, rejects and a peer's last windows may come this much later than the last row [s].
_SETTLE_S = 30.0
_numbers = itertools.count(1)


@dataclass
class Run:
    """What one run came to.

    Attributes:
        name: who ran.
        rows: readings stored.
        span: first to last commit.
        cpu_s: processor time within the span by process [s].
        wrong: how the result differs from what it must be; a run with an entry has no rate worth telling.
        flags: flag -> rows.
        extra: whatever else was seen.
    """

    name: str
    rows: int
    span: Span
    cpu_s: dict[str, float]
    wrong: list[str]
    flags: dict[str, int] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the run for a report."""
        return {**asdict(self), "rate": self.span.rate}

    def line(self) -> str:
        """Return the run as one line for a person."""
        spent = "  ".join(f"{name} {value:.1f} s" for name, value in self.cpu_s.items())
        verdict = "equal" if not self.wrong else f"WRONG: {'; '.join(self.wrong)}"
        return f"{self.name:<28} {self.span.rate:>9,.0f} /s over {self.span.seconds:5.1f} s   CPU {spent}   {verdict}"


@dataclass(frozen=True)
class Before:
    """Counters that never go back, as they stood when a run began.

    Attributes:
        inserted: rows ever inserted.
        rejected: records in the topic of rejects.
    """

    inserted: int
    rejected: int


def emptied(ground: Ground) -> Before:
    """Empty everything that a run fills, and return where the counters stand."""
    ground.empty()
    return Before(ground.inserted(), length(ground.endpoints.kafka_url, METERS_REJECTED.name))


def judged(name: str, ground: Ground, wanted: Outcome, before: Before, watch: Watch, **extra: Any) -> Run:
    """Compare what a run left with what it must be, and take its figures."""
    deadline = time.monotonic() + _SETTLE_S
    while True:
        found = left(ground, before.rejected)
        wrong = differences(found, wanted)
        if not wrong or time.monotonic() > deadline:
            break
        time.sleep(0.5)
    span = ground.span()
    return Run(name, found.rows, span, watch.spent(span.began_s, span.ended_s), wrong, found.flags, extra)


def servers(ground: Ground) -> dict[str, list[int]]:
    """Return the servers' process ids by name, for a watch."""
    return {name: [ground.server_pid(name)] for name in ("postgres", "kafka", "redis")}


def wait_for_rows(ground: Ground, before: int, rows: int, alive: Callable[[], str | None], timeout_s: float) -> None:
    """Wait until this many rows have been stored since `before`.

    Raises:
        RuntimeError: whoever writes them has ended, or they do not come in time.
    """
    deadline = time.monotonic() + timeout_s
    seen, moved_at = 0, time.monotonic()
    while True:
        inserted = ground.inserted() - before
        if inserted != seen:
            seen, moved_at = inserted, time.monotonic()
        # The counter may lag behind a connection that does nothing more: where it stands still, the table is asked.
        still = seen > 0 and time.monotonic() - moved_at > _STILL_S
        if (inserted >= rows or still) and ground.rows() >= rows:
            return
        if still:
            moved_at = time.monotonic()
        ended = alive()
        if ended is not None:
            raise RuntimeError(f"it ended by itself with {inserted:,} of {rows:,} rows:\n{ended}")
        if time.monotonic() > deadline:
            raise RuntimeError(f"{ground.rows():,} of {rows:,} rows after {timeout_s:.0f} s ({inserted:,} inserted)")
        time.sleep(_POLL_S)


@contextmanager
def workers(ground: Ground, count: int = 1, **settings: str) -> Iterator[list[EngineProcess]]:
    """Start workers of a group that never was, which therefore begin at the first record; stop them in the end."""
    group = settings.pop("METERSTREAM_WORKER__APP_ID", f"bench-{next(_numbers)}-{time.time_ns() % 1_000_000}")
    for process in noted(ground.directory):
        process.note.unlink(missing_ok=True)
    with ExitStack() as running:
        yield [
            running.enter_context(
                EngineProcess("run worker", ground.directory, METERSTREAM_WORKER__APP_ID=group, **settings)
            )
            for _ in range(count)
        ]


def dead(processes: list[EngineProcess]) -> str | None:
    """Return the end of the log where a worker is gone, None while all live."""
    for process in processes:
        if process.pid is None or process.returncode is not None:
            return process.log[-2000:]
    return None


def from_backlog(
    ground: Ground,
    wanted: Outcome,
    name: str = "meterstream",
    count: int = 1,
    timeout_s: float = 180.0,
    **settings: str,
) -> Run:
    """Let workers take everything that the raw topic holds, from nothing, and return what it came to."""
    before = emptied(ground)
    with workers(ground, count, **settings) as processes:
        pids = [process.pid for process in processes if process.pid is not None]
        with Watch({"worker": pids, **servers(ground)}) as watch:
            wait_for_rows(ground, before.inserted, wanted.rows, lambda: dead(processes), timeout_s)
        return judged(name, ground, wanted, before, watch, peak_mb=watch.peak_bytes["worker"] // 2**20)
