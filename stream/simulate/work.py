"""The body of one publishing process: builds its part of what is sent, waits for the others, sends, and reports."""

import signal
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier, Event

from schemas.errors import MeterstreamError
from simulators.cargo import Cargo, CargoPace
from simulators.mqtt import Address, MqttTransport
from simulators.pacing import UNPACED
from simulators.publisher import Publisher, PublishReport
from simulators.transport import Tally, Transport
from stream.bridge.url import read_url, tls_context
from stream.settings import Settings
from stream.simulate.ahead import ahead
from stream.simulate.kafka import KafkaTransport
from stream.simulate.supply import How, Open, Run, Supply

_PROGRESS_S = 0.5
_LOOK_S = 0.05
#: Readings sent together at most: small enough for a schedule, large enough for columns.
_PACED_ROWS, _UNPACED_ROWS = 5_000, 40_000


@dataclass(frozen=True)
class Task:
    """What one process is to do.

    Attributes:
        plan: the whole run.
        part: which part of it.
        settings: how to reach the services, beyond their URLs.
        mqtt_url: where MQTT is; empty when it is not needed.
        kafka_url: where Kafka is; empty when it is not needed.
        partitions: of the topic in Kafka; 0 when it is not needed.
        open: builds the part.
    """

    plan: Run
    part: int
    settings: Settings
    mqtt_url: str
    kafka_url: str
    partitions: int
    open: Open


@dataclass(frozen=True)
class Progress:
    """How far one process is."""

    sent: Tally
    acked: Tally


@dataclass(frozen=True)
class Line:
    """Something that a person should see."""

    text: str


@dataclass(frozen=True)
class Done:
    """What one process has done.

    Attributes:
        report: of its publisher.
        garbage: payloads sent that are no readings.
        fingerprint: of what was generated, where the plan asks for it.
        reached_s: the simulated time that it came to, seconds since the epoch.
        processor_s: processor time spent on generating and sending [s].
    """

    report: PublishReport
    garbage: int
    fingerprint: int
    reached_s: int
    processor_s: float


@dataclass(frozen=True)
class Failed:
    """Why one process could not go on."""

    reason: str


Word = Progress | Line | Done | Failed


def work(task: Task, link: Connection, stop: Event, gate: Barrier) -> None:
    """Do one part of a run; talks to its parent through the link until it is done.

    Args:
        task: what to do.
        link: takes a `Word` at a time.
        stop: set when the run is to end early.
        gate: where all processes wait until everyone is ready.
    """
    # Ctrl-C reaches every process of a terminal: the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        link.send(_Worker(task, link, stop).run(gate))
    except MeterstreamError as error:
        gate.abort()
        link.send(Failed(str(error)))


class _Worker:
    def __init__(self, task: Task, link: Connection, stop: Event) -> None:
        self._task = task
        self._link = link
        self._event = stop
        self._stopped = False
        self._look_at = self._progress_at = 0.0
        self._garbage = self._fingerprint = 0
        self._generated_s = float(task.plan.start_s)

    def run(self, gate: Barrier) -> Done:
        supply = self._task.open(self._task.plan, self._task.part)
        publisher = self._publisher(supply)
        # The beginning takes longest: everybody waits for everybody's, so that the schedule starts for all at once.
        supply.warm()
        gate.wait()
        began = time.process_time()
        try:
            report = self._rehearse(supply) if publisher is None else publisher.run(self._cargo(supply))
        finally:
            if publisher is not None:
                publisher.transport.close()
        garbage = self._garbage if publisher is None else publisher.garbage_sent
        return Done(report, garbage, self._fingerprint, self._reached(report), time.process_time() - began)

    def _reached(self, report: PublishReport) -> int:
        plan = self._task.plan
        by_schedule = plan.start_s + report.seconds * plan.speedup
        return int(min(by_schedule, self._generated_s, plan.end_s))

    def _cargo(self, supply: Supply) -> Iterator[Cargo]:
        for sent in ahead(supply.cargo()):
            if self._task.plan.fingerprint:
                self._fingerprint = (self._fingerprint + supply.fingerprint(sent)) % 2**64
            self._garbage += len(sent.garbage)
            self._generated_s = max(self._generated_s, float(sent.due_s[-1])) if len(sent.due_s) else self._generated_s
            yield sent

    def _rehearse(self, supply: Supply) -> PublishReport:
        began, rows = time.monotonic(), 0
        for sent in self._cargo(supply):
            rows += len(sent)
            self._watch(Tally(0, rows), Tally(0, rows))
            if self._stop():
                break
        seconds = time.monotonic() - began
        rate = rows / seconds if seconds else 0.0
        return PublishReport(rows, 0, rows, 0, seconds, rate, rate, None, None, stopped=self._stop())

    def _publisher(self, supply: Supply) -> Publisher | None:
        plan = self._task.plan
        if plan.rehearsal:
            return None
        most = _UNPACED_ROWS if plan.speedup == UNPACED else _PACED_ROWS
        pace = CargoPace(plan.speedup, most_rows=most, origin_s=plan.start_s)
        settings = {"pace": pace, "stop": self._stop, "watch": self._watch}
        return supply.publisher(self._transport(), How(settings, self._task.partitions))

    def _transport(self) -> Transport:
        if self._task.plan.direct:
            return KafkaTransport(self._task.kafka_url, self._stop, self._tell)
        client = f"meterstream-simulate-{uuid.uuid4().hex[:12]}"
        return MqttTransport(self._address(), client, stop=self._stop, tell=self._tell)

    def _address(self) -> Address:
        url = read_url(self._task.mqtt_url, self._task.settings.mqtt)
        tls = tls_context(url, self._task.settings.mqtt)
        return Address(url.host, url.port, url.username, url.password, tls)

    def _stop(self) -> bool:
        # Asking the event takes a lock that all processes share; this is asked before every message.
        now = time.monotonic()
        if not self._stopped and now >= self._look_at:
            self._look_at, self._stopped = now + _LOOK_S, self._event.is_set()
        return self._stopped

    def _watch(self, sent: Tally, acked: Tally) -> None:
        now = time.monotonic()
        if now >= self._progress_at:
            self._progress_at = now + _PROGRESS_S
            self._say(Progress(sent, acked))

    def _tell(self, text: str) -> None:
        self._say(Line(text))

    def _say(self, word: Word) -> None:
        try:
            self._link.send(word)
        except BrokenPipeError:
            # Nobody is left to work for.
            self._stopped = True
