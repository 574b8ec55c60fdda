"""The MQTT side: one thread that connects, reads bursts, and acknowledges what Kafka has."""

import queue
import select
import socket
import time
from collections.abc import Callable
from typing import Any

import structlog
from paho.mqtt.reasoncodes import ReasonCode

from stream.backoff import Backoff
from stream.bridge.batcher import Burst
from stream.bridge.client import Client
from stream.bridge.inflight import Batch, InFlight
from stream.metrics import BridgeMetrics
from stream.outage import Outage

_TICK_S = 1.0
#: Longest wait for the last acknowledgements to leave [s].
_FAREWELL_S = 2.0
#: Two bridges of one client id end each other's connection for ever: slow them down and say it [s].
_TAKEN_OVER_REST_S = 30.0
_TAKEN_OVER = 0x8E
_WAKE = b"\0"


class Subscriber:
    """Owns the client; every call on it happens in the thread of run().

    The client acknowledges by hand and only here, where the connection cannot change between the question "is this
    still the connection that brought the message?" and the acknowledgement: packet ids of an old connection mean
    other messages on a new one.

    Args:
        client: not yet connected.
        filters: topic filters to subscribe to, shared ones.
        keepalive_s: as the client's [s].
        in_flight: says when to stop reading.
        hand_over: takes each burst, at once.
        outage: told when the broker goes and comes.
        metrics: counts connections and acknowledgements.
    """

    def __init__(
        self,
        client: Client,
        filters: list[str],
        keepalive_s: float,
        in_flight: InFlight,
        hand_over: Callable[[Burst], None],
        outage: Outage,
        metrics: BridgeMetrics,
    ) -> None:
        self._client = client
        self._filters = filters
        self._ping_every_s = keepalive_s / 2
        self._in_flight = in_flight
        self._hand_over = hand_over
        self._outage = outage
        self._metrics = metrics
        self._generation = 0
        self._released: queue.SimpleQueue[list[Batch]] = queue.SimpleQueue()
        self._backoff = Backoff()
        self._rest_s = 0.0
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        self._taking, self._closing = True, False
        self._pinged_at = 0.0
        self.subscribed = False
        self._again = False
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect

    def acknowledge(self, batches: list[Batch]) -> None:
        """Acknowledge the messages of these batches soon; from any thread, in the order the messages came."""
        self._released.put(batches)
        self._wake()

    def stop_taking(self) -> None:
        """Read no more; acknowledgements go on."""
        self._taking = False
        self._wake()

    def close(self) -> None:
        """Send the acknowledgements that are due, take leave, end run(); the broker keeps the session."""
        self._closing = True
        self._wake()

    def run(self) -> None:
        """Keep a connection until close(); the body of the MQTT thread."""
        while not self._closing:
            if self._client.socket() is not None:
                self._turn()
            elif self._rest_s:
                self._rest()
            else:
                self._connect()
        self._send_acknowledgements()
        self._take_leave()
        self._woken.close()
        self._waker.close()

    def _socket(self) -> Any:
        """Return the connection for `select`, which wants more of its type than paho promises."""
        return self._client.socket()

    def _wake(self) -> None:
        try:
            self._waker.send(_WAKE)
        except (BlockingIOError, OSError):
            # Full means that it is being woken already; closed, that there is nobody left to wake.
            return

    def _connect(self) -> None:
        # From here on, and not only from CONNACK on, packet ids of the connection before mean nothing.
        self._generation += 1
        try:
            self._client.open()
        except OSError as error:
            self._outage.begin(error)
            self._rest_s = self._backoff.next_s()

    def _rest(self) -> None:
        """Wait before the next attempt, unless close() comes first."""
        until, self._rest_s = time.monotonic() + self._rest_s, 0.0
        while not self._closing and (left_s := until - time.monotonic()) > 0:
            select.select([self._woken], [], [], left_s)
            self._drain_wakes()
            self._send_acknowledgements()

    def _take_leave(self) -> None:
        if self._client.socket() is None:
            return
        self._client.disconnect()
        until = time.monotonic() + _FAREWELL_S
        while (connection := self._socket()) is not None and (left_s := until - time.monotonic()) > 0:
            select.select([], [connection], [], left_s)
            self._client.loop_write()

    def _drain_wakes(self) -> None:
        try:
            self._woken.recv(4096)
        except BlockingIOError:
            return

    def _turn(self) -> None:
        """Wait for something to do, and do it."""
        client = self._client
        connection = self._socket()
        reading = self._taking and not self._in_flight.full
        sources = [connection, self._woken] if reading else [self._woken]
        sinks = [connection] if client.want_write() else []
        timeout_s = 0.0 if reading and client.has_pending() else _TICK_S
        readable, writable, _ = select.select(sources, sinks, [], timeout_s)
        if self._woken in readable:
            self._drain_wakes()
        if reading and (connection in readable or timeout_s == 0.0):
            self._read()
        self._send_acknowledgements()
        if writable and client.socket() is not None:
            client.loop_write()
        self._keep_alive(reading)

    def _read(self) -> None:
        messages = self._client.read()
        if messages:
            self._in_flight.take(len(messages), messages.size)
            self._hand_over(Burst(self._generation, time.time(), messages))

    def _keep_alive(self, reading: bool) -> None:
        if self._client.socket() is None:
            return
        if reading:
            self._client.loop_misc()
        elif time.monotonic() - self._pinged_at > self._ping_every_s:
            self._pinged_at = time.monotonic()
            self._client.stay_alive()

    def _send_acknowledgements(self) -> None:
        packet_ids: list[int] = []
        while not self._released.empty():
            for batch in self._released.get():
                if batch.generation == self._generation and self._client.socket() is not None:
                    packet_ids += batch.packet_ids
                else:
                    self._metrics.stale.inc(batch.messages)
        if packet_ids:
            self._client.acknowledge(packet_ids)
            self._metrics.acknowledged.inc(len(packet_ids))

    def _on_connect(self, _client: Any, _data: Any, flags: Any, reason: ReasonCode, _properties: Any) -> None:
        if reason.is_failure:
            self._outage.begin(f"refused: {reason}")
            return
        self._metrics.connections.inc()
        structlog.get_logger("mqtt").info("connected", session_present=flags.session_present)
        self._again = True
        self._client.subscribe([(name, 1) for name in self._filters])

    def _on_subscribe(self, _client: Any, _data: Any, _id: Any, reasons: list[ReasonCode], _properties: Any) -> None:
        refused = {name: str(reason) for name, reason in zip(self._filters, reasons, strict=False) if reason.is_failure}
        if refused:
            self._outage.begin("subscription refused", filters=refused)
            return
        if self._again:
            # HiveMQ CE notes "this client shares nothing" while it still stores a session's first subscription, and
            # then never serves the shared queue; a subscription that finds the first one stored undoes the note.
            # A session that it says it has may come without its subscriptions, when it was killed while it stored them.
            self._again = False
            self._client.subscribe([(name, 1) for name in self._filters])
            return
        self.subscribed = True
        self._backoff.reset()
        self._outage.end()

    def _on_disconnect(self, _client: Any, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
        self.subscribed = False
        if self._closing:
            return
        self._rest_s = self._backoff.next_s()
        if reason.value == _TAKEN_OVER:
            self._rest_s = _TAKEN_OVER_REST_S
        # A refusal has told its reason already; the closing of its connection is no news.
        if self._outage.cause is None:
            self._outage.begin(self._client.trouble or reason)
