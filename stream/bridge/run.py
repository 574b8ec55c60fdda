"""The bridge process: puts the parts together, watches them, and stops them in order."""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import structlog
from prometheus_client import CollectorRegistry

from schemas.errors import ServiceUnavailable
from schemas.topics import MQTT_READINGS, MQTT_TICKS
from stream.backoff import Backoff
from stream.bridge.batcher import Batcher
from stream.bridge.client import Client
from stream.bridge.inflight import Batch, InFlight
from stream.bridge.kafka import Kafka, Stopped, producer_settings
from stream.bridge.mqtt import Subscriber
from stream.bridge.records import MARKET, METERS
from stream.bridge.url import read_url, tls_context
from stream.endpoints import resolve
from stream.health import Health, HealthServer
from stream.identity import identity
from stream.metrics import BridgeMetrics
from stream.outage import Outage
from stream.settings import Settings
from stream.stack.endpoints import Endpoints
from stream.topics import ensure_topics, partition_count

_WATCH_S = 1.0
#: Kafka answers within milliseconds; silence this long is worth a line in the log [s].
_SLOW_S = 10.0


def run(settings: Settings) -> int:
    """Run a bridge until SIGTERM or SIGINT.

    Returns: exit code: 0 after a stop that was asked for, 1 when a part of the bridge failed.

    Raises:
        ConfigurationError: settings that cannot work.
    """
    endpoints = resolve(settings, needs=("kafka_url", "mqtt_url"))
    with identity("bridge", settings.bridge.client_id, settings.local_dir) as name:
        bridge = Bridge(settings, endpoints, name)
        with (
            HealthServer(
                "bridge",
                bridge.health,
                bridge.registry,
                host=settings.metrics_host,
                port=settings.bridge.metrics_port,
                local_dir=settings.local_dir,
            ),
            _signals(bridge.stop),
        ):
            return bridge.run()


@contextmanager
def _signals(stop: Callable[[], None]) -> Iterator[None]:
    before = {name: signal.signal(name, lambda *_: stop()) for name in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


class Bridge:
    """The parts of one bridge and their threads.

    Args:
        settings: all of them.
        endpoints: where Kafka and MQTT are.
        client_id: MQTT client id.
    """

    def __init__(self, settings: Settings, endpoints: Endpoints, client_id: str) -> None:
        self._settings, self._endpoints = settings, endpoints
        self._stop = threading.Event()
        self.registry = CollectorRegistry()
        self._metrics = BridgeMetrics(self.registry)
        self._kafka_outage, self._mqtt_outage = Outage("kafka"), Outage("mqtt")
        self._prepared = False
        self._oldest: float | None = None
        self._oldest_seen = 0.0
        bridge = settings.bridge
        self._in_flight = InFlight(bridge.max_in_flight, bridge.max_buffer_bytes)
        self._kafka = Kafka(
            producer_settings(endpoints.kafka_url, bridge.max_buffer_bytes),
            self._kafka_outage,
            self._metrics,
            bridge.source,
        )
        self._batcher = Batcher(
            bridge, self._partitions, self._kafka, self._in_flight, self._acknowledge, self._metrics
        )
        self._subscriber = self._subscribe(client_id)
        self._threads = {
            name: threading.Thread(target=part.run, name=name, daemon=True)
            for name, part in (("kafka", self._kafka), ("batcher", self._batcher), ("mqtt", self._subscriber))
        }

    def _subscribe(self, client_id: str) -> Subscriber:
        bridge, mqtt = self._settings.bridge, self._settings.mqtt
        url = read_url(self._endpoints.mqtt_url, mqtt)
        client = Client(
            url,
            client_id,
            receive_maximum=bridge.max_in_flight,
            session_expiry_s=bridge.session_expiry_s,
            keepalive_s=mqtt.keepalive_s,
            tls=tls_context(url, mqtt),
        )
        filters = [f"$share/{bridge.share_group}/{name}" for name in (*MQTT_READINGS, *MQTT_TICKS)]
        return Subscriber(
            client, filters, mqtt.keepalive_s, self._in_flight, self._batcher.put, self._mqtt_outage, self._metrics
        )

    def stop(self) -> None:
        """Ask for an orderly end; from any thread or signal handler."""
        self._stop.set()

    def run(self) -> int:
        """Start, watch until stop() or until a part fails, and stop; return the exit code."""
        for thread in self._threads.values():
            thread.start()
        failed = False
        while not failed and not self._stop.wait(_WATCH_S):
            failed = not self._watch()
        self._shut_down()
        return 1 if failed else 0

    def _watch(self) -> bool:
        """Update gauges, speak up when Kafka is silent, and tell whether every part still runs."""
        self._metrics.in_flight.set(self._in_flight.messages)
        self._metrics.in_flight_bytes.set(self._in_flight.size)
        oldest, now = self._in_flight.waiting_since_s(), time.monotonic()
        if oldest is None or oldest != self._oldest or self._kafka_outage.cause is not None:
            self._oldest, self._oldest_seen = oldest, now
        elif now - self._oldest_seen > _SLOW_S:
            self._kafka_outage.begin(f"no acknowledgement for {_SLOW_S:.0f} s")
        return self._alive()

    def _alive(self) -> bool:
        return all(thread.is_alive() for thread in self._threads.values())

    def _shut_down(self) -> None:
        """Stop in the order of the flow, so that what was taken is acknowledged where Kafka still answers."""
        self._stop.set()
        deadline = time.monotonic() + self._settings.bridge.stop_timeout_s
        self._subscriber.stop_taking()
        self._batcher.finish()
        self._threads["batcher"].join(max(0.0, deadline - time.monotonic()))
        if not self._in_flight.wait_empty(max(0.0, deadline - time.monotonic())):
            structlog.get_logger("bridge").warning("stopped_unacknowledged", messages=self._in_flight.messages)
        self._subscriber.close()
        self._threads["mqtt"].join(_SLOW_S)
        self._kafka.close()
        for thread in self._threads.values():
            thread.join(_SLOW_S)

    def _acknowledge(self, batches: list[Batch]) -> None:
        self._subscriber.acknowledge(batches)

    def _partitions(self) -> Mapping[str, int]:
        """Make sure that the topics exist and return how many partitions the raw ones have; waits for Kafka."""
        backoff = Backoff()
        url, settings = self._endpoints.kafka_url, self._settings
        while True:
            try:
                ensure_topics(url, settings.partitions, settings.replication)
                counts = {feed.raw: partition_count(url, feed.raw) for feed in (METERS, MARKET)}
            except ServiceUnavailable as absence:
                self._kafka_outage.begin(absence.cause)
                if self._stop.wait(backoff.next_s()):
                    raise Stopped from absence
            else:
                self._kafka_outage.end()
                self._prepared = True
                return counts

    def health(self) -> Health:
        """Live while every part runs; ready while messages can flow from MQTT to Kafka."""
        causes = {"mqtt": self._mqtt_outage.cause, "kafka": self._kafka_outage.cause}
        flowing = self._prepared and self._subscriber.subscribed and not any(causes.values())
        facts = {
            "waiting_for": {name: cause for name, cause in causes.items() if cause},
            "in_flight_messages": self._in_flight.messages,
            "in_flight_bytes": self._in_flight.size,
        }
        return Health(live=self._alive(), ready=flowing, facts=facts)
