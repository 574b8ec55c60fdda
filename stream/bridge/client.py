"""paho's MQTT 5 client with two short cuts for the many packets of a bridge: PUBLISH in bulk, PUBACK in bulk."""

import ssl

import numpy as np
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from stream.bridge.packets import MalformedPacketError, Messages, PacketReader
from stream.bridge.url import MqttUrl

#: Large enough that a busy bridge makes few system calls, small enough to bound a burst [bytes].
READ_BYTES = 262_144
_PUBACK = 0x40
#: Type and length of a PUBACK without properties, as one number.
_PUBACK_HEAD = 0x4002


class Client(paho.Client):
    """A client that its owner drives from one thread: `open`, then `read`, `loop_write` and `loop_misc` in turn.

    Args:
        url: where the broker is.
        client_id: names the session.
        receive_maximum: most QoS 1 messages that the broker sends ahead of their acknowledgement.
        session_expiry_s: how long the broker keeps the session without us [s].
        keepalive_s: silence after which both sides give the connection up [s].
        tls: how to encrypt, None for plain TCP.
    """

    def __init__(
        self,
        url: MqttUrl,
        client_id: str,
        *,
        receive_maximum: int,
        session_expiry_s: int,
        keepalive_s: int,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(CallbackAPIVersion.VERSION2, client_id, protocol=paho.MQTTv5, manual_ack=True)
        self._url, self._keepalive_s = url, keepalive_s
        self._session = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho left it untyped
        self._session.ReceiveMaximum = receive_maximum
        self._session.SessionExpiryInterval = session_expiry_s
        if tls is not None:
            self.tls_set_context(tls)
        if url.username is not None:
            self.username_pw_set(url.username, url.password)
        self._forget()

    def _forget(self) -> None:
        self._reader = PacketReader()
        self._others = b""
        self._ended = False
        self.trouble = ""

    def open(self) -> None:
        """Connect and send CONNECT for the session that the broker may have kept.

        Raises:
            OSError: the broker cannot be reached.
        """
        self._forget()
        self.connect(
            self._url.host,
            self._url.port,
            self._keepalive_s,
            clean_start=False,
            properties=self._session,
        )

    def read(self) -> Messages:
        """Read once: PUBLISH packets are returned, paho handles the others and calls back as ever."""
        messages = Messages()
        try:
            data = super()._sock_recv(READ_BYTES)
            if not data:
                self._ended, self.trouble = True, "the broker closed the connection"
            messages, self._others = self._reader.feed(data)
        except BlockingIOError:
            return messages
        except (OSError, MalformedPacketError) as error:
            self._ended, self.trouble = True, str(error)
        while (self._others or self._ended) and self.socket() is not None:
            self.loop_read()
        return messages

    def _sock_recv(self, bufsize: int) -> bytes:
        """Give paho the packets that were left for it; an empty answer tells it that the connection is over."""
        if not self._others and not self._ended:
            raise BlockingIOError
        taken, self._others = self._others[:bufsize], self._others[bufsize:]
        return taken

    def has_pending(self) -> bool:
        """Return whether TLS holds decrypted bytes that `select` does not see."""
        connection = self.socket()
        return isinstance(connection, ssl.SSLSocket) and connection.pending() > 0

    def acknowledge(self, packet_ids: list[int]) -> None:
        """Send a PUBACK for each message, in this order, as one write."""
        packets = np.empty((len(packet_ids), 2), dtype=">u2")
        packets[:, 0] = _PUBACK_HEAD
        packets[:, 1] = packet_ids
        self._packet_queue(_PUBACK, packets.tobytes(), 0, 1)

    def stay_alive(self) -> None:
        """Ping without waiting for the answer, which lies behind messages that there is no room to read."""
        self._send_pingreq()
        self._ping_t = 0.0
