"""Messages to an MQTT 5 broker with QoS 1, at least once, through broker restarts."""

import select
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from schemas.errors import ConfigurationError
from simulators.transport import Message, Stopped, Tally

#: The session outlives a broker restart, but not for long: a client that never comes back leaves nothing behind [s].
SESSION_EXPIRY_S = 3_600
KEEPALIVE_S = 30
#: Messages published between two looks for acknowledgements: a look costs two system calls.
BURST = 64
#: Unacknowledged payload at most [bytes], so that large messages do not fill the memory.
WINDOW_BYTES = 16 * 1024 * 1024
FIRST_RETRY_S, LAST_RETRY_S = 0.2, 5.0

# MQTT 5 section 3.2.2.2: refusals that pass by themselves (unavailable, busy, quota exceeded, rate exceeded).
_PASSING = {0x88, 0x89, 0x97, 0x9F}
# MQTT 5 section 3.4.2.1: acknowledged, and dropped because nobody subscribes to the topic. No failure by its number.
_UNHEARD = 0x10


@dataclass(frozen=True)
class Address:
    """Where a broker is and who we are to it."""

    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None

    @classmethod
    def from_url(cls, url: str, tls: ssl.SSLContext | None = None) -> Self:
        """Read `mqtt://[user:password@]host[:port]`; `mqtts://` for TLS, by the system's certificates unless given.

        Raises:
            ConfigurationError: it is not such a URL.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise ConfigurationError(f"the MQTT URL: {error}") from None
        if parts.scheme not in {"mqtt", "mqtts"} or not parts.hostname:
            # The whole URL is not shown: it may hold a password.
            raise ConfigurationError(f"an MQTT URL is mqtt://host:port or mqtts://host:port, not {parts.scheme!r}")
        secure = parts.scheme == "mqtts"
        return cls(
            host=parts.hostname,
            port=port or (8883 if secure else 1883),
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            tls=(tls or ssl.create_default_context()) if secure else None,
        )


def _session_expiry(packet: int, seconds: int) -> Properties:
    properties = Properties(packet)  # type: ignore[no-untyped-call] # paho annotates all but this
    properties.SessionExpiryInterval = seconds
    return properties


def _never() -> bool:
    return False


def _untold(_line: str) -> None:
    return None


class MqttTransport:
    """Publishes with QoS 1; a message is kept and sent again after each reconnect until the broker acknowledges it.

    One thread does everything: paho with a network thread spends half as much again on locks and wake-ups.

    Args:
        address: the broker.
        client_id: names the session at the broker; no two clients at a time may share it.
        window: unacknowledged messages at most; the broker's Receive Maximum lowers it.
        stop: asked while there is no room or no broker; once true, `publish` gives up its message.
        tell: gets a line when the broker goes away, when it is back, and when it first drops a message.
    """

    def __init__(
        self,
        address: Address,
        client_id: str,
        *,
        window: int = 1_000,
        stop: Callable[[], bool] = _never,
        tell: Callable[[str], None] = _untold,
    ) -> None:
        self._address = address
        self._window = self._wanted_window = window
        self._stop = stop
        self._tell = tell
        self._pending: dict[int, Message] = {}
        self._pending_bytes = 0
        self._acked = self._refused = self._unheard = Tally()
        self._online = self._lost = self._closing = False
        self._refusal: str | None = None
        self._largest = 268_435_455
        self._unlooked = 0
        self._retry_at, self._retry_s = 0.0, FIRST_RETRY_S
        self._client = self._make_client(client_id)

    @property
    def acked(self) -> Tally:
        """What the broker has acknowledged, including what it dropped as unheard."""
        return self._acked

    @property
    def refused(self) -> Tally:
        """What the broker has answered with a failure code (not authorised, quota exceeded and the like)."""
        return self._refused

    @property
    def unheard(self) -> Tally:
        """What the broker has acknowledged and dropped, as nobody subscribes to it: it will not arrive."""
        return self._unheard

    @property
    def outstanding(self) -> int:
        """Messages published and not answered yet."""
        return len(self._pending)

    def publish(self, message: Message) -> None:
        """Publish one message; waits while the window is full or the broker away.

        Raises:
            Stopped: a stop was asked for meanwhile; the message was not sent.
            ConfigurationError: the broker will never take it, or never take us.
        """
        self._unlooked += 1
        if self._unlooked >= BURST:
            self._serve(0.0)
        while not self._online or len(self._pending) >= self._window or self._pending_bytes >= WINDOW_BYTES:
            if self._stop():
                raise Stopped("stopped while waiting for the broker")
            self.wait(0.2)
        # Topic, its length, message id and properties come on top of the payload.
        if len(message.payload) + len(message.topic) + 16 > self._largest:
            raise ConfigurationError(f"a message of {len(message.payload)} bytes; the broker takes {self._largest}")
        info = self._client.publish(message.topic, message.payload, qos=1)
        while info.rc == MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:
            # The id came round to a message that is still unanswered; each try takes the next id.
            info = self._client.publish(message.topic, message.payload, qos=1)
        self._pending[info.mid] = message
        self._pending_bytes += len(message.payload)

    def wait(self, timeout_s: float) -> None:
        """Read acknowledgements, keep the connection alive, and open it again where it is gone."""
        if self._client.socket() is None:
            self._connect(timeout_s)
        else:
            self._serve(timeout_s)
        if self._refusal:
            raise ConfigurationError(
                f"the broker at {self._address.host}:{self._address.port} refuses us: {self._refusal}"
            )

    def close(self) -> None:
        """Say good-bye, so that the broker forgets the session."""
        self._closing = True
        if self._online:
            self._client.disconnect(properties=_session_expiry(PacketTypes.DISCONNECT, 0))

    def _make_client(self, client_id: str) -> Any:
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=paho.MQTTv5)
        # The window is ours: with a limit set, paho walks through all its messages at each acknowledgement.
        client.max_inflight_messages_set(0)
        client.username_pw_set(self._address.username, self._address.password)
        if self._address.tls:
            client.tls_set_context(self._address.tls)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        session = _session_expiry(PacketTypes.CONNECT, SESSION_EXPIRY_S)
        client.connect_async(self._address.host, self._address.port, KEEPALIVE_S, clean_start=False, properties=session)
        return client

    def _connect(self, timeout_s: float) -> None:
        left = self._retry_at - time.monotonic()
        if left > 0:
            time.sleep(min(left, timeout_s))
            return
        self._retry_at = time.monotonic() + self._retry_s
        self._retry_s = min(2 * self._retry_s, LAST_RETRY_S)
        try:
            self._client.reconnect()
        except OSError as error:
            self._report_loss(str(error))

    def _serve(self, timeout_s: float) -> None:
        self._unlooked = 0
        sock = self._client.socket()
        if sock is None:
            return
        waiting = getattr(sock, "pending", int)()
        writing = [sock] if self._client.want_write() else []
        readable, writable, _ = select.select([sock], writing, [], 0.0 if waiting else timeout_s)
        if readable or waiting:
            self._client.loop_read()
        if writable or self._client.want_write():
            self._client.loop_write()
        self._client.loop_misc()

    def _report_loss(self, cause: str) -> None:
        if not self._lost:
            where = f"{self._address.host}:{self._address.port}"
            self._tell(f"the MQTT broker at {where} is away ({cause}); waiting, {self.outstanding} unacknowledged")
        self._lost = True

    def _on_connect(self, _client: Any, _data: Any, _flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            if reason.value not in _PASSING:
                self._refusal = str(reason)
            return
        self._window = min(self._wanted_window, getattr(properties, "ReceiveMaximum", 65_535))
        self._largest = getattr(properties, "MaximumPacketSize", self._largest)
        self._online = True
        self._retry_s = FIRST_RETRY_S
        if self._lost:
            self._tell(f"the MQTT broker is back; sending {self.outstanding} unacknowledged messages again")
        self._lost = False

    def _on_disconnect(self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self._online = False
        # A broker that takes the connection and never answers ends here too, when paho gives up on it.
        if not (self._closing or self._refusal):
            self._report_loss(str(reason))

    def _on_publish(self, _client: Any, _data: Any, mid: int, reason: Any, _properties: Any) -> None:
        message = self._pending.pop(mid)
        self._pending_bytes -= len(message.payload)
        if reason.is_failure:
            self._refused = self._refused.plus(message)
            return
        self._acked = self._acked.plus(message)
        if reason.value == _UNHEARD:
            if not self._unheard.messages:
                self._tell(f"nobody subscribes to {message.topic!r}: the MQTT broker drops messages")
            self._unheard = self._unheard.plus(message)
