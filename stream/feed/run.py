"""The feed process: rounds on a schedule, waits where publishers ask for it, and an orderly end."""

import signal
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog
from prometheus_client import CollectorRegistry

from schemas.errors import ConfigurationError, ServiceUnavailable
from schemas.ticks import TickBatch
from simulators.feeds.publisher import FeedPublisher
from simulators.mqtt import Address, MqttTransport
from simulators.publisher import PublishReport
from stream.backoff import Backoff
from stream.bridge.url import read_url, tls_context
from stream.endpoints import resolve
from stream.feed.archive import Archive
from stream.feed.metrics import FeedMetrics
from stream.feed.poll import Poller, Round, Wanted
from stream.feed.sources import is_web
from stream.feed.web import PublisherAway, Web
from stream.health import Health, HealthServer
from stream.markets import load_markets
from stream.outage import Outage
from stream.settings import Settings

#: Longest wait between two tries of a publisher that is away [s].
_CEILING_S = 900.0
#: No publisher likes to be asked more often than this [s].
LEAST_EVERY_S = 10.0


def run(wanted: Wanted, settings: Settings, every_s: float) -> int:
    """Poll until SIGTERM or SIGINT.

    Returns: exit code.

    Raises:
        ConfigurationError: settings or sources that cannot work.
    """
    if every_s < LEAST_EVERY_S and any(is_web(source) for source in wanted.sources):
        raise ConfigurationError(f"--every {every_s:g}s: publishers are asked every {LEAST_EVERY_S:g} s at most")
    process = _Feed.of(wanted, settings)
    with (
        HealthServer(
            "feed",
            process.health,
            process.registry,
            host=settings.metrics_host,
            port=settings.feed.metrics_port,
            local_dir=settings.local_dir,
        ),
        _signals(process.stop),
    ):
        backoff = Backoff(settings.feed.backoff_s, _CEILING_S)
        while not process.stop.is_set():
            process.stop.wait(process.turn(every_s, backoff))
    return 0


def run_once(wanted: Wanted, settings: Settings) -> Round:
    """Look once.

    Raises:
        PublisherAway: a publisher does not answer.
        ConfigurationError: settings or sources that cannot work.
    """
    process = _Feed.of(wanted, settings)
    with _signals(process.stop):
        return process.poller.round(datetime.now(UTC).date())


@dataclass
class _Feed:
    """The parts of one feed process."""

    poller: Poller
    registry: CollectorRegistry
    stop: threading.Event
    outage: Outage = field(default_factory=lambda: Outage("feed"))
    last: Round | None = None

    @classmethod
    def of(cls, wanted: Wanted, settings: Settings) -> "_Feed":
        registry, stop = CollectorRegistry(), threading.Event()
        url = read_url(resolve(settings, ["mqtt_url"]).mqtt_url, settings.mqtt)
        address = Address(url.host, url.port, url.username, url.password, tls_context(url, settings.mqtt))

        def publish(batch: TickBatch) -> PublishReport:
            # A connection of its own each time: between two rounds nobody would keep it alive.
            transport = MqttTransport(
                address, f"meterstream-feed-{uuid.uuid4().hex[:12]}", stop=stop.is_set, tell=_tell
            )
            try:
                return FeedPublisher(transport, stop=stop.is_set).run([batch])
            finally:
                transport.close()

        web = Web(settings.feed.user_agent, settings.feed.pause_s, settings.feed.timeout_s, sleep=stop.wait)
        archive, metrics = Archive(settings.feeds_dir), FeedMetrics(registry)
        return cls(Poller(wanted, load_markets(settings.markets_file), web, archive, publish, metrics), registry, stop)

    def turn(self, every_s: float, backoff: Backoff) -> float:
        """Do one round; return how long to wait until the next one [s]."""
        try:
            self.last = self.poller.round(datetime.now(UTC).date())
        except PublisherAway as away:
            self.outage.begin(away.cause, retry_after_s=away.retry_after_s)
            return max(backoff.next_s(), away.retry_after_s)
        except ServiceUnavailable as absence:
            self.outage.begin(absence.cause)
            return backoff.next_s()
        self.outage.end()
        backoff.reset()
        return every_s

    def health(self) -> Health:
        """Live always; ready once a round has succeeded and while publishers answer."""
        facts = {"waiting_for": {"feed": self.outage.cause} if self.outage.cause else {}}
        return Health(live=True, ready=self.last is not None and not self.outage.cause, facts=facts)


def _tell(line: str) -> None:
    structlog.get_logger("feed").warning("broker", detail=line)


@contextmanager
def _signals(stop: threading.Event) -> Iterator[None]:
    before = {name: signal.signal(name, lambda *_: stop.set()) for name in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
