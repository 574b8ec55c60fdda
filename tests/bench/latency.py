"""How long a reading takes to its row, its sign and its alert, offered on a schedule that no slow engine can stretch.

A reading's time is the moment at which it is due to be sent, so its latency is its commit, or the arrival of its sign
or alert at a consumer, less its own time: whatever waits in front of a busy sender, broker, worker or desk counts.
"""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import psycopg
from confluent_kafka import Consumer

from schemas.alert_events import AlertEvent, Change
from schemas.alerts import Alert
from schemas.readings import ReadingBatch
from schemas.topics import ALERT_SIGNS, ALERTS
from simulators.messages import Mode
from simulators.mqtt import Address, MqttTransport
from simulators.pacing import Pace
from simulators.publisher import Publisher, PublishReport
from stream.topics import bootstrap_servers
from tests.bench.figures import percentiles
from tests.bench.ground import Ground

#: Of a fleet whose alerts are timed.
SPIKES = 0.01
#: A meter's interval is known anew after this many readings; before, nothing is called an anomaly.
SETTLING = 4
#: Offered before anything is timed [s]: an engine just started meets its first readings with caches empty, connections
#: unmade and servers not yet compiled; operators' engines run for months.
WARM_UP_S = 4.0
#: Readings of each meter before the clock starts: more than the day without which nothing is called an anomaly.
PAST = 27


@dataclass(frozen=True)
class Fleet:
    """Meters that report so often that together they make a rate.

    Attributes:
        meters: how many.
        rate: readings per second of all of them.
        seconds: for how long.
        spikes: share of the readings that use fifty times as much as usual, so that there are alerts to time.
    """

    meters: int
    rate: int
    seconds: float
    spikes: float = SPIKES

    @property
    def interval_s(self) -> float:
        """Time between two readings of one meter [s]."""
        return self.meters / self.rate

    def live(self, slice_s: float = 0.02) -> Iterator[ReadingBatch]:
        """Yield readings due one after another, from the moment of the first call on."""
        names = np.array([f"M{number:07d}" for number in range(self.meters)])
        rng = np.random.default_rng(11)
        began_us = int(time.time() * 1e6)
        per_slice = max(int(self.rate * slice_s), 1)
        for first in range(0, int(self.rate * self.seconds), per_slice):
            number = first + np.arange(per_slice)
            energy = 0.2 * self.interval_s / 900 * rng.gamma(16.0, 1 / 16, per_slice)
            energy[(rng.random(per_slice) < self.spikes) & (number // self.meters >= SETTLING)] *= 50.0
            yield ReadingBatch.from_columns(
                meter_number=names[number % self.meters],
                reading_time=began_us + (number * 1e6 / self.rate).astype(np.int64),
                consumption_kwh=energy,
                voltage=np.round(rng.normal(230.0, 3.0, per_slice), 1),
            )

    def past(self) -> Iterator[ReadingBatch]:
        """Yield what the meters sent before, PAST readings an hour apart: a past to be unusual against."""
        names = np.array([f"M{number:07d}" for number in range(self.meters)])
        rng = np.random.default_rng(12)
        now_us = int(time.time()) // 3_600 * 3_600_000_000
        for tick in range(PAST, 0, -1):
            yield ReadingBatch.from_columns(
                meter_number=names,
                reading_time=np.full(self.meters, now_us - tick * 3_600_000_000),
                consumption_kwh=0.8 * rng.gamma(16.0, 1 / 16, self.meters),
                voltage=np.round(rng.normal(230.0, 3.0, self.meters), 1),
            )


#: What a sign makes of the alert of its meter.
_OF_SIGNS = (Change.OPENED, Change.UPDATED, Change.REOPENED)


class AlertClock(threading.Thread):
    """Notes when the sign of each reading, and the alert that it opens or adds to, reach a consumer.

    Attributes:
        signs: of each sign, when its reading was due and when it was seen [s].
        alerts: the same of each change of an alert that a sign has made.
    """

    def __init__(self, kafka_url: str) -> None:
        super().__init__(daemon=True)
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap_servers(kafka_url),
                "group.id": f"bench-alerts-{time.time_ns()}",
                "auto.offset.reset": "latest",
                "fetch.wait.max.ms": 10,
            }
        )
        self._assigned, self._enough = threading.Event(), threading.Event()
        self.signs: dict[str, tuple[float, float]] = {}
        self.alerts: dict[str, tuple[float, float]] = {}

    def run(self) -> None:
        """Consume until stopped; started before the readings are sent."""
        self._consumer.subscribe([ALERT_SIGNS.name, ALERTS.name], on_assign=lambda *_: self._assigned.set())
        while not self._enough.is_set():
            message = self._consumer.poll(0.1)
            if message is not None and message.error() is None:
                self._note(message.topic() or "", message.value() or b"", time.time())
        self._consumer.close()

    def _note(self, topic: str, value: bytes, now_s: float) -> None:
        if topic == ALERT_SIGNS.name:
            sign = Alert.model_validate_json(value)
            self.signs.setdefault(sign.alert_id, (sign.occurred_at.timestamp(), now_s))
            return
        event = AlertEvent.model_validate_json(value)
        alert = event.data.alert
        if event.data.change in _OF_SIGNS and alert.element.startswith("meter/"):
            self.alerts.setdefault(event.id, (alert.last_seen.timestamp(), now_s))

    def wait_ready(self) -> None:
        """Wait until it would hear an alert."""
        if not self._assigned.wait(30):
            raise RuntimeError("the consumer of alerts got no partitions")
        time.sleep(0.5)

    def stop(self) -> None:
        """End it."""
        self._enough.set()
        self.join()


def publish(ground: Ground, fleet: Fleet) -> PublishReport:
    """Send a fleet's readings over MQTT, as concentrators do, each when it is due."""
    transport = MqttTransport(Address.from_url(ground.endpoints.mqtt_url), f"bench-{time.time_ns()}")
    publisher = Publisher(transport, mode=Mode.CONCENTRATOR, concentrator="bench", pace=Pace(speedup=1.0))
    try:
        return publisher.run(fleet.live())
    finally:
        transport.close()


def rows_since(ground: Ground, began_s: float) -> int:
    """Return how many readings with a time from then on are stored."""
    with psycopg.connect(ground.endpoints.database_url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM meter_readings WHERE reading_time >= to_timestamp(%s)", (began_s,)
        ).fetchone()
    return int(row[0]) if row else 0


def to_rows(ground: Ground, began_s: float) -> dict[str, float]:
    """Return percentiles from the moment a reading was due to the commit of its row [s], to a millisecond."""
    with psycopg.connect(ground.endpoints.database_url) as connection:
        found = connection.execute(
            "SELECT round(extract(epoch FROM pg_xact_commit_timestamp(xmin) - reading_time), 3)::float8, count(*) "
            "FROM meter_readings WHERE reading_time >= to_timestamp(%s) GROUP BY 1",
            (began_s,),
        ).fetchall()
    return percentiles(np.array([row[0] for row in found]), np.array([row[1] for row in found]))


def measure(ground: Ground, fleet: Fleet, drain_s: float = 60.0) -> dict[str, Any]:
    """Offer a fleet's readings to a running engine; time rows, signs and alerts of those that follow the warm-up."""
    fleet = replace(fleet, seconds=fleet.seconds + WARM_UP_S)
    clock = AlertClock(ground.endpoints.kafka_url)
    clock.start()
    try:
        clock.wait_ready()
        began_s = time.time()
        report = publish(ground, fleet)
        offered_s = time.time() - began_s
        deadline = time.time() + drain_s
        while (stored := rows_since(ground, began_s)) < report.readings and time.time() < deadline:
            time.sleep(0.5)
        drained_s = time.time() - began_s - offered_s
        while len(clock.alerts) < len(clock.signs) and time.time() < deadline:
            time.sleep(0.5)
    finally:
        clock.stop()
    found: dict[str, Any] = {
        "offered_per_s": fleet.rate,
        "readings": report.readings,
        "stored": stored,
        "slip_p99_ms": report.slip_p99_ms,
        "drained_s": drained_s,
        "to_row_s": to_rows(ground, began_s + WARM_UP_S) if stored else None,
    }
    for name, seen in (("sign", clock.signs), ("alert", clock.alerts)):
        delays = np.array([at - due for due, at in seen.values() if due >= began_s + WARM_UP_S])
        found[f"{name}s"] = len(delays)
        found[f"to_{name}_s"] = percentiles(delays) if len(delays) else None
    return found
