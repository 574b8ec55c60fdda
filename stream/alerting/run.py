"""The process of the alert desk: one is active, the others stand by."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from prometheus_client import CollectorRegistry

from schemas.errors import ServiceUnavailable
from sinks.alert_ledger import AlertLedger
from sinks.alert_outbox import AlertOutbox
from sinks.migrations import migrate
from sinks.notifications import Notifications
from stream.alerting.courier import Courier, deliver
from stream.alerting.desk import Desk
from stream.alerting.routes import load_routing, open_channels
from stream.alerting.rules import load_alert_rules
from stream.backoff import Backoff
from stream.endpoints import resolve
from stream.health import Health, HealthServer
from stream.metrics import CourierMetrics, DeskMetrics
from stream.outage import Outage
from stream.settings import Settings
from stream.stack.endpoints import Endpoints
from stream.topics import ensure_topics
from stream.worker.producer import KafkaProducer, producer_settings

#: Longest wait for news, which is also how soon a stop is noticed, and how often alerts that stand are looked at [s].
_WAIT_S = 0.5
_LOOK_S = 1.0


def run(settings: Settings) -> int:
    """Run a desk until SIGTERM or SIGINT.

    Returns: exit code.

    Raises:
        ConfigurationError: settings or rules that cannot work.
    """
    return asyncio.run(_Process.of(settings).run(settings))


@dataclass
class _Process:
    """The parts of one desk."""

    endpoints: Endpoints
    ledger: AlertLedger
    outbox: AlertOutbox
    notices: Notifications
    desk: Desk
    couriers: list[Courier]
    metrics: DeskMetrics
    registry: CollectorRegistry
    database: Outage = field(default_factory=lambda: Outage("database"))
    kafka: Outage = field(default_factory=lambda: Outage("kafka"))
    prepared: bool = False
    leads: bool = False
    looked_at: float = -float("inf")

    @classmethod
    def of(cls, settings: Settings) -> "_Process":
        endpoints = resolve(settings, needs=("kafka_url", "database_url"))
        ledger, outbox = AlertLedger(endpoints.database_url), AlertOutbox(endpoints.database_url)
        producer = KafkaProducer(producer_settings(endpoints.kafka_url))
        rules, registry = load_alert_rules(settings.alerts.rules_file), CollectorRegistry()
        routing, notices = load_routing(settings.alerts.routes_file), Notifications(endpoints.database_url)
        posts = open_channels(routing)
        following = {name for name, post in posts.items() if post.channel.follows}
        desk = Desk(ledger, outbox, producer, rules, notices, routing, following, settings.scoring.judging, _now)
        telling = CourierMetrics(registry)
        couriers = [Courier(name, post, notices, telling, _now) for name, post in posts.items()]
        return cls(endpoints, ledger, outbox, notices, desk, couriers, DeskMetrics(registry), registry)

    async def run(self, settings: Settings) -> int:
        """Work until told to stop."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        with HealthServer(
            "alerts",
            self.health,
            self.registry,
            host=settings.metrics_host,
            port=settings.alerts.metrics_port,
            local_dir=settings.local_dir,
        ):
            backoff = Backoff()
            posting = asyncio.create_task(deliver(self.couriers, lambda: self.leads))
            while not stop.is_set():
                if posting.done():
                    posting.result()
                if not await self._patiently(partial(self._prepare, settings) if not self.prepared else self._turn):
                    with suppress(TimeoutError):
                        await asyncio.wait_for(stop.wait(), backoff.next_s())
                else:
                    backoff.reset()
            posting.cancel()
            await asyncio.gather(posting, return_exceptions=True)
        await self.notices.close()
        await self.ledger.close()
        await self.outbox.close()
        return 0

    async def _patiently(self, step: Callable[[], Awaitable[None]]) -> bool:
        """Do a step; False where a service is away, which is logged once."""
        try:
            await step()
        except ServiceUnavailable as absence:
            (self.kafka if absence.service == "kafka" else self.database).begin(absence.cause)
            return False
        self.database.end()
        self.kafka.end()
        return True

    async def _prepare(self, settings: Settings) -> None:
        kafka, database = self.endpoints.kafka_url, self.endpoints.database_url
        await asyncio.to_thread(ensure_topics, kafka, settings.partitions, settings.replication)
        await asyncio.to_thread(migrate, database)
        self.prepared = True

    async def _turn(self) -> None:
        self.leads = await self.ledger.leads()
        signs = 0
        if self.leads:
            with self.metrics.seconds.labels("signs").time():
                signs = await self.desk.take_signs()
            self.metrics.signs.inc(signs)
            # What has begun does not wait until everything that stands was looked at.
            await self._hand_on()
            if self.desk.looking or time.monotonic() - self.looked_at >= _LOOK_S:
                await self._look()
        if not signs and not self.desk.looking:
            await self.ledger.wait(_WAIT_S)

    async def _look(self) -> None:
        """Look at some of what stands; rounds begin no closer to each other than so."""
        with self.metrics.seconds.labels("look").time():
            changed = 0
            if not self.desk.looking:
                self.looked_at = time.monotonic()
                changed = await self.desk.escalate()
            changed += await self.desk.look()
        if changed:
            await self._hand_on()

    async def _hand_on(self) -> None:
        """Bring what was kept to channels and to Kafka."""
        if self.couriers:
            with self.metrics.seconds.labels("route").time():
                await self.desk.route()
        with self.metrics.seconds.labels("publish").time():
            self.metrics.events.inc(await self.desk.publish())
        self.metrics.lateness.observe(self.desk.lateness_s())

    def health(self) -> Health:
        """Ready when active or standing by; not ready while a service is away."""
        away = {"database": self.database.cause, "kafka": self.kafka.cause}
        waiting = {name: cause for name, cause in away.items() if cause}
        return Health(
            live=True, ready=self.prepared and not waiting, facts={"waiting_for": waiting, "active": self.leads}
        )


def _now() -> datetime:
    return datetime.now(UTC)
