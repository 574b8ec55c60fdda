"""Where a trial takes place: servers, engine, and what a fault may lay hands on."""

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Self

import psycopg
from confluent_kafka import Producer

from schemas.topics import METERS_REGISTRY
from simulators.mqtt import Address, MqttTransport
from simulators.transport import Message
from stream.topics import bootstrap_servers, ensure_topics
from tests.chaos.crew import Crew
from tests.chaos.load import Load, Row, Send
from tests.chaos.servers import ProxiedStack


class Ground:
    """Servers and engine of a run; a context manager. Trials share it until one fails."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.servers = ProxiedStack(directory / "stack")
        self.trials = 0

    def __enter__(self) -> Self:
        self.servers.__enter__()
        try:
            ensure_topics(self.servers.direct.kafka_url, 4, 1)
            self.crew = Crew(self.directory / "engine", self.servers.endpoints).__enter__()
            self.crew.wait_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if hasattr(self, "crew"):
            self.crew.__exit__()
        self.servers.__exit__()

    @property
    def clock(self) -> Path:
        """The file that tells processes with a false clock how far it is off."""
        return self.directory / "clock"

    def replace_crew(self, extra: dict[str, str]) -> None:
        """Start the engine's processes anew with other variables."""
        for name in sorted(self.crew.members):
            self.crew.stop(name)
        self.crew.extra = extra
        self.crew.start("bridge-1")
        self.crew.start("worker-1")
        self.crew.wait_ready()

    def register(self, load: Load) -> None:
        """Tell the engine where the meters of a load stand, and wait until it knows."""
        producer = Producer({"bootstrap.servers": bootstrap_servers(self.servers.direct.kafka_url)})
        for meter, transformer in load.transformer_of.items():
            entry = f'{{"meter_number":"{meter}","transformer":"{transformer}"}}'
            producer.produce(METERS_REGISTRY.name, entry.encode(), key=meter.encode())
        producer.flush()
        deadline = time.monotonic() + 60
        with psycopg.connect(self.servers.direct.database_url, autocommit=True) as connection:
            while True:
                found = connection.execute(
                    "SELECT count(*) FROM smart_meters WHERE meter_number LIKE %s AND transformer_id IS NOT NULL",
                    (f"{load.tag}-%",),
                ).fetchone()
                if found and found[0] == len(load.transformer_of):
                    return
                assert time.monotonic() < deadline, "the registry does not arrive in the database"
                time.sleep(0.1)


class Feeder(threading.Thread):
    """Sends a load at its pace, over MQTT and into Kafka, and does not rest until all of it is acknowledged.

    Attributes:
        handed: (monotonic time [s], different readings handed over so far).
        failure: why it gave up, None while it has not.
    """

    def __init__(self, load: Load, ground: Ground) -> None:
        super().__init__(name="feeder", daemon=True)
        self._load = load
        self.rate = load.rate
        endpoints = ground.servers.endpoints
        self._transport = MqttTransport(Address.from_url(endpoints.mqtt_url), f"feeder-{load.tag}", stop=self._stopped)
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap_servers(endpoints.kafka_url),
                "enable.idempotence": True,
                "message.timeout.ms": 0,
                "linger.ms": 5,
                "log_level": 0,
            }
        )
        self._ending = threading.Event()
        self._undelivered: list[str] = []
        self._kept_back, self._let_go = len(load.sends), threading.Event()
        self.handed: list[tuple[float, int]] = []
        self.failure: str | None = None

    def run(self) -> None:
        try:
            self._send_all()
            self._drain()
        except Exception as error:  # noqa: BLE001 - whatever it was, the trial tells it
            self.failure = repr(error)

    def give_up(self) -> None:
        self._ending.set()

    def keep_back(self, share: float) -> None:
        """Keep a share of the load until `let_go`, for a fault that needs readings to come when it is ready."""
        self._kept_back = round(len(self._load.sends) * (1 - share))

    def let_go(self) -> None:
        """Send what was kept back, at the pace of the load from now on."""
        self._let_go.set()

    def _stopped(self) -> bool:
        return self._ending.is_set()

    def _send_all(self) -> None:
        started, sent = time.monotonic(), 0
        different: set[tuple[str, object]] = set()
        for number, send in enumerate(self._load.sends):
            if number == self._kept_back:
                started += self._wait_to_be_let_go()
            due = started + sent / self._load.rate
            while (left := due - time.monotonic()) > 0:
                self._transport.wait(min(left, 0.05))
                self._producer.poll(0)
            self._send(send)
            sent += len(send.rows) or 1
            different.update((row.meter, row.time) for row in send.rows)
            self.handed.append((time.monotonic(), len(different)))

    def _wait_to_be_let_go(self) -> float:
        """Return how long it took [s]."""
        began = time.monotonic()
        while not self._let_go.is_set() and not self._ending.is_set():
            self._transport.wait(0.05)
            self._producer.poll(0)
        return time.monotonic() - began

    def _send(self, send: Send) -> None:
        if send.key is None:
            self._transport.publish(Message(send.topic, send.payload, len(send.rows)))
            return
        headers = {"content-type": send.content_type} if send.content_type else None
        self._producer.produce("meters.raw", send.payload, key=send.key, headers=headers, on_delivery=self._delivered)

    def _delivered(self, error: object, _message: object) -> None:
        if error is not None:
            self._undelivered.append(str(error))

    def _drain(self) -> None:
        while (self._transport.outstanding or len(self._producer)) and not self._ending.is_set():
            self._transport.wait(0.05)
            self._producer.poll(0)
        refused = self._transport.refused.messages + self._transport.unheard.messages
        if refused or self._undelivered or self._transport.outstanding:
            self.failure = (
                f"{refused} refused, {len(self._undelivered)} not delivered, {self._transport.outstanding} left"
            )
        self._transport.close()


@dataclass
class Field:
    """What a fault gets.

    Attributes:
        ground: servers and engine.
        random: chance, from the trial's seed.
        feeder: sends meanwhile.
        patience: factor on how long outages last.
        did: what was done, for the report.
        arrived: readings that arrived, in order, where a fault takes some away; None for all.
        lost_records: records that a fault takes away, which the engine must count.
    """

    ground: Ground
    random: Random
    feeder: Feeder
    patience: float
    did: list[str] = field(default_factory=list)
    arrived: Iterable[Row] | None = None
    lost_records: int = 0

    @property
    def crew(self) -> Crew:
        return self.ground.crew

    @property
    def servers(self) -> ProxiedStack:
        return self.ground.servers

    def pause(self, low_s: float, high_s: float) -> None:
        time.sleep(self.random.uniform(low_s, high_s))
