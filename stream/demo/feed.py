"""The demo's input, in a thread of its own: a past for every meter, then a quarter of an hour every second."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from schemas.errors import MeterstreamError
from schemas.layout import Floats
from schemas.readings import ReadingBatch
from simulators.fleet import Fleet
from simulators.messages import concentrator_messages, meter_messages
from simulators.replay.recorded import open_recorded
from simulators.replay.recording import Options
from simulators.transport import Message, Stopped
from stream.demo.invented import Invented
from stream.demo.outlet import Outlet
from stream.demo.plan import BACKFILL_STEPS, INTERVAL_S, SCOUT_STEPS, TICK_S, Plan
from stream.demo.spice import Tick, named, season, spiked

#: Readings of a tick that travel alone; more would be all that the broker does. The others share messages.
_SINGLES = 1_000
_PER_MESSAGE = 100
#: A tick is sent in so many pieces, over this part of its time.
_PIECES, _SENDING_S = 40, 0.8
#: Rows of the recorded household per tick, one a minute.
_RECORDED_ROWS = 240
_BATCH_ROWS = 50_000
_LATE_TICKS = 2
#: Every so many of the first meters shows something unusual at once.
_ODD_EVERY = 10
#: How long the bridge is waited for, the first alert, and the worker to get through the past [s].
_BRIDGE_PATIENCE_S, _ALERT_PATIENCE_S, _WORKER_PATIENCE_S = 10.0, 5.0, 60.0


@dataclass(frozen=True)
class Choice:
    """What is fed.

    Attributes:
        meters: how many.
        seed: of everything.
        plan: the simulated time.
        prefix: in front of each meter number.
        recorded: the recorded household, None without.
    """

    meters: int
    seed: int
    plan: Plan
    prefix: str = ""
    recorded: Path | None = None


@dataclass(frozen=True)
class Signals:
    """What the feed waits for.

    Attributes:
        in_kafka: all that was sent is in Kafka; what is sent now comes behind it.
        alerted: an alert was read; what follows the first meters would only be in its way.
        caught_up: all of the past is stored; the live part may begin.
    """

    in_kafka: Callable[[], bool]
    alerted: Callable[[], bool]
    caught_up: Callable[[], bool]


class Feed(threading.Thread):
    """Publishes until its plan is carried out or its outlet is stopped.

    Args:
        outlet: where messages go; it is closed at the end.
        choice: what to feed.
        invented: the fleet, soon.
        signals: what it waits for.

    Attributes:
        phase: what it is doing, in words.
        simulated: event time of the newest interval.
        error: what ended it early.
    """

    def __init__(self, outlet: Outlet, choice: Choice, invented: Future[Invented], signals: Signals) -> None:
        super().__init__(name="feed", daemon=True)
        self._outlet, self._choice, self._invented, self._signals = outlet, choice, invented, signals
        self._mean_kwh: Floats = np.zeros(choice.meters)
        self._late: list[ReadingBatch] = []
        self.phase = "starting"
        self.simulated: datetime | None = None
        self.error: MeterstreamError | None = None

    def run(self) -> None:
        """Feed; the body of the thread."""
        try:
            self._feed()
        except Stopped:
            self.phase = "stopped"
        except MeterstreamError as error:
            self.error = error
        finally:
            self._outlet.close()

    def _feed(self) -> None:
        invented = self._invented.result()
        self._send_first(invented)
        self._wait_for("waiting for the first alert", self._signals.alerted, _ALERT_PATIENCE_S)
        self.phase = "giving every meter a past"
        self._send_past(invented)
        self._wait_for("letting the worker catch up", self._signals.caught_up, _WORKER_PATIENCE_S)
        self._send_live(invented.fleet)
        self.phase = "done"

    def _wait_for(self, phase: str, signal: Callable[[], bool], patience_s: float) -> None:
        self.phase, until = phase, time.monotonic() + patience_s
        while not signal() and time.monotonic() < until:
            self._outlet.pause_until(time.monotonic() + 0.05)

    def _send_first(self, invented: Invented) -> None:
        """Send a day of the first few meters and, at once, what is unusual for them.

        The first alert then need not wait for the past of all the others.
        """
        count, first = invented.count, named(invented.first, self._choice.prefix)
        past, last = first.slice(0, SCOUT_STEPS * count), first.slice(SCOUT_STEPS * count, count)
        self._outlet.publish(_crowd(past, "demo-first"))
        # Brokers keep an order within a topic only: the present would overtake the past, and be judged without it.
        self._wait_for("giving the first meters a past", self._signals.in_kafka, _BRIDGE_PATIENCE_S)
        mean_kwh = np.nan_to_num(past.floats("consumption_kwh")).reshape(-1, count).mean(axis=0)
        odd = np.arange(count) % _ODD_EVERY == 0
        last = spiked(last, np.flatnonzero(odd), mean_kwh)
        for row in np.flatnonzero(odd).tolist():
            self._outlet.publish_marked(last, row)
        self._outlet.publish(_crowd(last.where(~odd), "demo-first"))

    def _send_past(self, invented: Invented) -> None:
        choice, fleet, sums = self._choice, invented.fleet, np.zeros(self._choice.meters)
        sent_until_us = int(choice.plan.reading_time(SCOUT_STEPS).timestamp() * 1e6)
        for batch in fleet.readings(choice.plan.start, BACKFILL_STEPS, INTERVAL_S, batch_rows=_BATCH_ROWS):
            meter = np.arange(len(batch)) % choice.meters
            sums += np.bincount(meter, np.nan_to_num(batch.floats("consumption_kwh")), choice.meters)
            sent = (meter < invented.count) & (batch.time_us <= sent_until_us)
            self._outlet.publish(_crowd(named(batch.where(~sent), choice.prefix), "demo-past"))
            self.simulated = datetime.fromtimestamp(int(batch.time_us[-1]) / 1e6, UTC)
        self._mean_kwh = sums / BACKFILL_STEPS

    def _send_live(self, fleet: Fleet) -> None:
        choice, recorded = self._choice, _parts(self._choice)
        tick, due = 0, time.monotonic()
        while choice.plan.ticks is None or tick < choice.plan.ticks:
            step = BACKFILL_STEPS + tick
            # Simulated time never runs ahead of the wall's.
            ahead = choice.plan.reading_time(step) - datetime.now(UTC)
            due = max(due, time.monotonic() + ahead.total_seconds())
            self._outlet.pause_until(due)
            batch = named(next(fleet.readings(choice.plan.interval(step), 1, INTERVAL_S)), choice.prefix)
            self.simulated, self.phase = choice.plan.reading_time(step), "live"
            self._outlet.publish(_crowd(next(recorded, ReadingBatch.empty()), "demo-recorded"))
            self._send_tick(season(batch, self._mean_kwh, choice.seed, tick), due)
            tick, due = tick + 1, due + TICK_S

    def _send_tick(self, tick: Tick, due: float) -> None:
        """Spread a tick over its second: most readings alone, stragglers of earlier ticks and repeats behind them."""
        now = ~tick.late
        now[tick.anomalous] = False
        alone = now & (np.cumsum(now) <= _SINGLES)
        self._late.append(tick.batch.where(tick.late))
        stragglers = self._late.pop(0) if len(self._late) > _LATE_TICKS else ReadingBatch.empty()
        messages = [
            *_singles(tick.batch.where(alone)),
            *_crowd(tick.batch.where(now & ~alone), "demo", _PER_MESSAGE),
            *_singles(stragglers),
            *_singles(tick.batch.take(tick.repeated)),
            *tick.nonsense,
        ]
        for piece in range(_PIECES):
            first, end = (len(messages) * edge // _PIECES for edge in (piece, piece + 1))
            self._outlet.publish(messages[first:end])
            for row in tick.anomalous[piece::_PIECES].tolist():
                self._outlet.publish_marked(tick.batch, row)
            self._outlet.pause_until(due + (piece + 1) * _SENDING_S / _PIECES)


def _singles(batch: ReadingBatch) -> list[Message]:
    return meter_messages(batch) if len(batch) else []


def _crowd(batch: ReadingBatch, name: str, per_message: int = 500) -> list[Message]:
    return concentrator_messages(batch, name, per_message) if len(batch) else []


def _parts(choice: Choice) -> Iterator[ReadingBatch]:
    """Yield the recorded household, one tick's rows at a time."""
    if choice.recorded is None:
        return
    options = Options(meter=f"{choice.prefix}UCI-1")
    for batch in open_recorded(choice.recorded, "uci_household", options).batches:
        for start in range(0, len(batch), _RECORDED_ROWS):
            yield batch.slice(start, min(_RECORDED_ROWS, len(batch) - start))
