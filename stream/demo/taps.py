"""Ears on Kafka: alerts as they are produced, with the time each took, and rejects by reason."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Self

from pydantic import ValidationError

from schemas.alert_events import AlertEvent, AlertState, Change
from schemas.errors import ServiceUnavailable
from schemas.rejected import Rejected
from schemas.topics import ALERTS, METERS_REJECTED
from stream.demo.outlet import Key
from stream.topic_reader import TopicReader

_NEWEST = 50
_POLL_S = 0.1
_RETRY_S = 1.0
#: What a reading can make of an alert.
_SEEN = (Change.OPENED, Change.UPDATED, Change.REOPENED)


class Tap(threading.Thread):
    """Follows one topic from its present end until it is closed; a context manager.

    Args:
        kafka_url: where Kafka is.
        topic: Kafka topic.
        take: given the value of each record.
    """

    def __init__(self, kafka_url: str, topic: str, take: Callable[[bytes], None]) -> None:
        super().__init__(name=f"tap-{topic}", daemon=True)
        self._take = take
        self._closing = threading.Event()
        self._reader = TopicReader(kafka_url, topic)
        self._start = {partition: span.end for partition, span in self._reader.bounds().items()}

    def run(self) -> None:
        """Follow; the body of the thread."""
        with self._reader:
            while not self._closing.is_set():
                try:
                    self._follow()
                except ServiceUnavailable:
                    # It goes on where it was when Kafka is back.
                    self._closing.wait(_RETRY_S)

    def _follow(self) -> None:
        for message in self._reader.follow(self._start, _POLL_S):
            if message is not None:
                self._start[message.partition() or 0] = (message.offset() or 0) + 1
                value = message.value() or b""
                self._take(value if isinstance(value, bytes) else value.encode())
            if self._closing.is_set():
                return

    def close(self) -> None:
        """End."""
        self._closing.set()
        self.join()


class Alerts:
    """The alerts of the demo, as they open, and as one more sign of them comes.

    Args:
        sent_at: when the readings behind some of them were sent, on the monotonic clock [s].

    Attributes:
        newest: the last ones.
        latency_ms: from sending a reading to reading its alert, for those that were marked [ms].
        first_at: when the first one came, on the monotonic clock [s].
    """

    def __init__(self, sent_at: Mapping[Key, float]) -> None:
        self._sent_at = sent_at
        self._ids: set[str] = set()
        self._heard: set[str] = set()
        self.newest: deque[AlertState] = deque(maxlen=_NEWEST)
        self.latency_ms: list[float] = []
        self.first_at: float | None = None

    @property
    def count(self) -> int:
        """How many there were; a repeat does not count."""
        return len(self._ids)

    def take(self, value: bytes) -> None:
        """Take a record of the alerts topic."""
        now = time.monotonic()
        try:
            event = AlertEvent.model_validate_json(value)
        except ValidationError:
            return
        alert = event.data.alert
        if event.id in self._heard or event.data.change not in _SEEN:
            return
        self._heard.add(event.id)
        self.first_at = self.first_at or now
        if alert.alert_id not in self._ids:
            self._ids.add(alert.alert_id)
            self.newest.append(alert)
        sent = self._sent_at.get((alert.element, round(alert.last_seen.timestamp() * 1e6)))
        if sent is not None:
            self.latency_ms.append((now - sent) * 1e3)


class Rejects:
    """The rejects of the demo.

    Attributes:
        by_reason: how many of each.
        at_bridge: how many of them never became a reading in Kafka.
    """

    def __init__(self) -> None:
        self.by_reason: Counter[str] = Counter()
        self.at_bridge = 0

    def take(self, value: bytes) -> None:
        """Take a record of the rejects topic."""
        try:
            rejected = Rejected.model_validate_json(value)
        except ValidationError:
            return
        self.by_reason[rejected.reason] += 1
        self.at_bridge += rejected.source.startswith("mqtt:")


class Taps:
    """Both ears; a context manager.

    Args:
        kafka_url: where Kafka is.
        sent_at: see `Alerts`.
    """

    def __init__(self, kafka_url: str, sent_at: Mapping[Key, float]) -> None:
        self.alerts, self.rejects = Alerts(sent_at), Rejects()
        self._taps = [
            Tap(kafka_url, ALERTS.name, self.alerts.take),
            Tap(kafka_url, METERS_REJECTED.name, self.rejects.take),
        ]

    def __enter__(self) -> Self:
        for tap in self._taps:
            tap.start()
        return self

    def __exit__(self, *_: object) -> None:
        for tap in self._taps:
            tap.close()
