"""The demo from beginning to end: bring up, feed, watch, drain, prove, report."""

import json
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime

from schemas.errors import MeterstreamError, ServiceUnavailable
from stream.backlog import backlog
from stream.connections import lines
from stream.demo.feed import Choice, Feed, Signals
from stream.demo.gauges import Gauges, Totals
from stream.demo.invented import Invented
from stream.demo.options import Options
from stream.demo.outlet import Outlet
from stream.demo.plan import Plan
from stream.demo.report import Outcome, as_json
from stream.demo.screen import Screen
from stream.demo.snapshot import Latency, Rates, Snapshot, Speedometer
from stream.demo.surroundings import address_of, household, prefix_after, versions
from stream.demo.taps import Taps
from stream.processes import running
from stream.reconcile.account import Reconciliation
from stream.reconcile.run import Request, reconcile
from stream.reconcile.subject import readings
from stream.session import NotReady, Session, session, terminable
from stream.settings import Settings

#: The picture changes this often; until the first reading is stored it is looked for more often [s].
_LOOK_S, _EAGER_LOOK_S = 0.5, 0.1
_DRAIN_TIMEOUT_S = 90.0
_INTERRUPTED = 130


class FeedFailed(MeterstreamError):
    """The feed ended although it should not have."""


def run(settings: Settings, options: Options, shown: Screen, started: float) -> int:
    """Run the demo.

    Args:
        settings: the engine's.
        options: what was asked for.
        shown: where it shows itself.
        started: when the command began, on the monotonic clock [s].

    Returns: exit code: 0 when something was stored and nothing is missing.
    """
    components = {process.component for process in running(settings.local_dir) if process.health() is not None}
    plan = Plan.before(datetime.now(UTC), options.seconds)
    bridges, workers = (int(name not in components) for name in ("bridge", "worker"))
    try:
        with terminable(), shown, ThreadPoolExecutor(1) as meanwhile:
            # Made while the servers start, so that the first alert need not wait for it.
            invented = meanwhile.submit(Invented.by, options.meters, options.seed, plan)
            with session(
                settings, bridges=bridges, workers=workers, tell=shown.tell, purge=options.purge
            ) as running_session:
                running_session.wait_ready()
                shown.tell("bridge and worker are ready")
                return Demo(settings, options, running_session, shown, started).run(plan, invented)
    except KeyboardInterrupt:
        shown.tell("stopped; nothing runs any more")
        return _INTERRUPTED


class Demo:
    """One demo on a running engine.

    Args:
        settings: the engine's.
        options: what was asked for.
        running_session: stack and engine.
        shown: where it shows itself.
        started: when the command began, on the monotonic clock [s].
    """

    def __init__(
        self, settings: Settings, options: Options, running_session: Session, shown: Screen, started: float
    ) -> None:
        self._settings, self._options, self._shown, self._started = settings, options, shown, started
        self._endpoints, self._engine = running_session.endpoints, running_session.engine
        self._ready_s = time.monotonic() - started
        self._since = datetime.now(UTC)
        self._prefix = prefix_after(self._endpoints.database_url)
        self._outlet = Outlet.to(address_of(settings, self._endpoints.mqtt_url))
        self._taps = Taps(self._endpoints.kafka_url, self._outlet.sent_at)
        self._gauges = Gauges(running(settings.local_dir))
        self._speed = Speedometer()
        self._totals, self._rates = Totals(), Rates()
        self._stored_at: float | None = None
        self._simulated: datetime | None = None
        named = f", meter numbers begin with {self._prefix}" if self._prefix else ""
        self._subtitle = f"{options.meters:,} meters, seed {options.seed}{named}"
        self._connections = lines(self._endpoints, f"{self._prefix}M00000001")

    def run(self, plan: Plan, invented: Future[Invented]) -> int:
        """Feed, watch, drain, prove and report; return the exit code.

        Args:
            plan: the simulated time.
            invented: the fleet, soon.
        """
        options = self._options
        choice = Choice(options.meters, options.seed, plan, self._prefix, household(options.data))
        signals = Signals(
            lambda: self._in_kafka(self._outlet.sent), lambda: self._taps.alerts.first_at is not None, self._caught_up
        )
        feed = Feed(self._outlet, choice, invented, signals)
        interrupted = False
        with ExitStack() as ending:
            ending.enter_context(self._taps)
            ending.callback(self._outlet.stop)
            feed.start()
            try:
                self._watch(feed)
            except KeyboardInterrupt:
                interrupted = True
                self._shown.tell("ending; what is under way is stored and checked first (again to end at once)")
            self._outlet.stop()
            feed.join()
            if self._outlet.began_at is None:
                raise KeyboardInterrupt
            self._drain()
            feed_s = time.monotonic() - self._outlet.began_at
            outcome = self._conclude(self._prove(), feed_s, interrupted=interrupted)
        return self._report(outcome)

    def _watch(self, feed: Feed) -> None:
        """Show how things are until the feed ends or its time is over."""
        while feed.is_alive():
            began = self._outlet.began_at
            over = self._options.seconds is not None and began is not None
            if over and time.monotonic() - (began or 0.0) >= (self._options.seconds or 0.0):
                return
            if self._engine.failures:
                raise NotReady("; ".join(self._engine.failures))
            self._simulated = feed.simulated
            self._look(feed.phase)
            time.sleep(_LOOK_S if self._stored_at else _EAGER_LOOK_S)
        if feed.error is not None:
            raise feed.error
        if feed.phase != "done":
            raise FeedFailed(f"the feed ended while {feed.phase}; the reason is above")

    def _look(self, phase: str) -> None:
        """Read all gauges and show them."""
        self._totals = self._gauges.read(running(self._settings.local_dir))
        now, stored = time.monotonic(), sum(self._totals.stored.values())
        if stored and self._stored_at is None:
            self._stored_at = now
        self._rates = self._speed.rates(now, self._outlet.acknowledged, self._totals.bridged, stored)
        self._shown.show(self._snapshot(phase))

    def _snapshot(self, phase: str) -> Snapshot:
        alerts, started = self._taps.alerts, self._started
        return Snapshot(
            elapsed_s=time.monotonic() - started,
            phase=phase,
            simulated=self._simulated,
            published=self._outlet.acknowledged,
            totals=self._totals,
            rates=self._rates,
            rejects=self._taps.rejects.by_reason.copy(),
            alerts=alerts.count,
            newest=tuple(alerts.newest),
            latency=Latency.of(list(alerts.latency_ms)),
            first_stored_s=None if self._stored_at is None else self._stored_at - started,
            first_alert_s=None if alerts.first_at is None else alerts.first_at - started,
            connections=self._connections,
            subtitle=self._subtitle,
        )

    def _in_kafka(self, readings: int) -> bool:
        """Whether so many readings have come through MQTT, as far as the bridges' gauges tell."""
        totals = self._totals
        return totals.in_flight == 0 and totals.bridged + totals.refused >= readings

    def _caught_up(self) -> bool:
        """Whether everything that was sent is stored, as far as gauges tell."""
        return self._in_kafka(self._outlet.sent) and self._totals.accounted >= self._totals.bridged

    def _drain(self) -> None:
        """Wait until all is stored, but not for ever: what is left then shows in the proof."""
        deadline = time.monotonic() + _DRAIN_TIMEOUT_S
        self._look("draining")
        while not (self._in_kafka(self._outlet.acknowledged) and self._all_stored()) and time.monotonic() < deadline:
            time.sleep(_EAGER_LOOK_S)
            self._look("draining")

    def _all_stored(self) -> bool:
        """Whether the database has all that Kafka has: gauges count what was taken, not what was committed."""
        try:
            waiting = backlog(self._endpoints, self._settings.worker.app_id)
        except ServiceUnavailable:
            return False
        return not (waiting.records or waiting.rejects)

    def _prove(self) -> Reconciliation:
        request = Request(self._endpoints, self._settings.worker.app_id, since=self._since)
        proof = reconcile(
            request, readings(self._settings.retention.limits), lambda _done, _total: self._look("checking")
        )
        self._look("done")
        return proof

    def _conclude(self, proof: Reconciliation, feed_s: float, *, interrupted: bool) -> Outcome:
        return Outcome(
            started_at=self._since,
            final=self._snapshot("done"),
            proof=proof,
            refused=self._taps.rejects.at_bridge,
            ready_s=self._ready_s,
            feed_s=feed_s,
            peak_per_s=self._speed.peak_stored,
            injected=len(self._outlet.sent_at),
            interrupted=interrupted,
            restarts=sum(member.starts - 1 for member in self._engine.members),
        )

    def _report(self, outcome: Outcome) -> int:
        """Say what came of it, and write the report."""
        self._shown.finish()
        total = outcome.proof.total
        self._shown.tell(
            f"{outcome.final.published:,} readings published: {total.rows:,} stored, "
            f"{total.rejected + outcome.refused:,} rejected, {total.duplicates:,} duplicates, "
            f"unaccounted {outcome.unaccounted:,}"
        )
        for example in outcome.proof.examples:
            self._shown.tell(example)
        if self._options.report is not None:
            found = as_json(outcome, self._options, versions(self._settings, self._endpoints))
            self._options.report.write_text(json.dumps(found, indent=2) + "\n")
            self._shown.tell(f"report: {self._options.report}")
        return 0 if outcome.good else 1
