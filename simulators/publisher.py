"""Batches to messages on a transport, on schedule, with an honest account of what was offered and what was taken."""

import time
from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from schemas.layout import ColumnBatch
from schemas.readings import ReadingBatch
from simulators.messages import PER_MESSAGE, Mode, concentrator_messages, meter_messages
from simulators.pacing import Pace, Part
from simulators.transport import Message, Stopped, Tally, Transport

#: After a stop, acknowledgements of what is under way are awaited this long [s].
FAREWELL_S = 5.0


@dataclass(frozen=True)
class PublishReport:
    """What publishing came to.

    Attributes:
        readings: handed to the broker.
        messages: the messages that held them.
        acked: readings that the broker has acknowledged.
        refused: readings that the broker has answered with a refusal.
        seconds: from the first reading to the last acknowledgement [s].
        offered_per_s: rate that the schedule asked for [readings/s]; without one, the rate of handing over.
        achieved_per_s: rate of acknowledged readings [readings/s].
        slip_p50_ms: median of how much later than scheduled readings were handed over [ms]; None without a schedule.
        slip_p99_ms: the same, 99th percentile [ms].
        stopped: a stop was asked for before the input had ended.
    """

    readings: int
    messages: int
    acked: int
    refused: int
    seconds: float
    offered_per_s: float
    achieved_per_s: float
    slip_p50_ms: float | None
    slip_p99_ms: float | None
    stopped: bool


def _never() -> bool:
    return False


def _unwatched(_sent: Tally, _acked: Tally) -> None:
    return None


@dataclass
class Publisher:
    """Publishes batches through a transport, at least once each.

    Due times are fixed beforehand and counted from the start, so that a slow broker shows as slip and not as a lower
    offered rate. Nothing is left out: where the broker is away, publishing waits and then goes on.

    Attributes:
        transport: where messages go; it stays open, so that a publisher can run several times.
        mode: one message per reading, or arrays.
        concentrator: name in the topic of the arrays.
        per_message: readings per array at most.
        pace: the schedule.
        stop: asked between messages; once true, nothing more is sent.
        watch: called with what was sent and what was acknowledged, once per part.
        now: a monotonic clock [s].
        garbage_sent: payloads that were no rows, so far.
    """

    transport: Transport
    mode: Mode = Mode.SINGLE
    concentrator: str = "replay"
    per_message: int = PER_MESSAGE
    pace: Pace = field(default_factory=Pace)
    stop: Callable[[], bool] = _never
    watch: Callable[[Tally, Tally], None] = _unwatched
    now: Callable[[], float] = time.monotonic
    garbage_sent: int = 0

    def run(self, batches: Iterable[ColumnBatch]) -> PublishReport:
        """Publish everything and wait until it is acknowledged, or until a stop is asked for."""
        run = _Run(self, self.now())
        for part in self.pace.cut(batches):
            if not run.send(part):
                break
        handed_over = self.now()
        run.drain()
        return run.report(handed_over)

    def messages(self, batch: ColumnBatch) -> list[Message]:
        """Return a batch as the messages of this publisher's mode.

        Raises:
            TypeError: it does not hold readings.
        """
        if not isinstance(batch, ReadingBatch):
            raise TypeError(f"readings are needed, this is {batch!r}")
        if self.mode is Mode.SINGLE:
            return meter_messages(batch)
        return concentrator_messages(batch, self.concentrator, self.per_message)


class _Run:
    """One run of a publisher: what was sent and how late."""

    def __init__(self, publisher: Publisher, started: float) -> None:
        self._publisher = publisher
        self._transport = publisher.transport
        self._started = started
        self._before = publisher.transport.acked, publisher.transport.refused
        self._sent = Tally()
        self._slip_s = array("d")
        self._last_due_s = 0.0
        self._stopped = False

    def send(self, part: Part) -> bool:
        """Send a part when it is due; tell whether to go on."""
        messages = self._publisher.messages(part.batch)
        if part.due_s is not None:
            self._await(part.due_s)
        for message in messages:
            if self._publisher.stop():
                self._stopped = True
                return False
            try:
                self._transport.publish(message)
            except Stopped:
                self._stopped = True
                return False
            self._sent = self._sent.plus(message)
        if part.due_s is not None:
            self._slip_s.append(self._elapsed() - part.due_s)
            self._last_due_s = part.due_s
        self._publisher.watch(self._sent, self._acked())
        return True

    def drain(self) -> None:
        """Wait for the acknowledgements that are still to come."""
        deadline: float | None = None
        while self._transport.outstanding:
            if deadline is None and (self._stopped or self._publisher.stop()):
                self._stopped = True
                deadline = self._publisher.now() + FAREWELL_S
            if deadline is not None and self._publisher.now() > deadline:
                break
            self._transport.wait(0.1)
            self._publisher.watch(self._sent, self._acked())

    def report(self, handed_over: float) -> PublishReport:
        """Return the account."""
        seconds = self._elapsed()
        acked = self._acked().readings
        sending = self._last_due_s or handed_over - self._started
        slip = np.percentile(np.frombuffer(self._slip_s), [50, 99]) * 1e3 if self._slip_s else None
        return PublishReport(
            readings=self._sent.readings,
            messages=self._sent.messages,
            acked=acked,
            refused=self._transport.refused.readings - self._before[1].readings,
            seconds=seconds,
            offered_per_s=self._sent.readings / sending if sending > 0 else 0.0,
            achieved_per_s=acked / seconds if seconds > 0 else 0.0,
            slip_p50_ms=None if slip is None else float(slip[0]),
            slip_p99_ms=None if slip is None else float(slip[1]),
            stopped=self._stopped,
        )

    def _acked(self) -> Tally:
        now, before = self._transport.acked, self._before[0]
        return Tally(now.messages - before.messages, now.readings - before.readings)

    def _elapsed(self) -> float:
        return self._publisher.now() - self._started

    def _await(self, due_s: float) -> None:
        while (left := due_s - self._elapsed()) > 0 and not self._publisher.stop():
            self._transport.wait(min(left, 0.2))
