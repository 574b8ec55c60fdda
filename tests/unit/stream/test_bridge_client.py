"""The short cuts around paho: they rest on hooks of its that an upgrade must not quietly take away."""

import errno
from typing import Any

import paho.mqtt.client as paho
import pytest

from stream.bridge.client import Client
from stream.bridge.url import MqttUrl

CONNACK = b"\x20\x06\x01\x00\x03\x21\x00\x64"
DISCONNECT = b"\xe0\x01\x8e"


class Wire:
    """A connection that is a list of received chunks and a list of sent ones."""

    def __init__(self) -> None:
        self.incoming: list[bytes | OSError] = []
        self.sent: list[bytes] = []
        self.receives = 0
        self.closed = False

    def recv(self, _size: int) -> bytes:
        self.receives += 1
        if not self.incoming:
            raise BlockingIOError
        chunk = self.incoming.pop(0)
        if isinstance(chunk, OSError):
            raise chunk
        return chunk

    def send(self, data: bytes) -> int:
        self.sent.append(bytes(data))
        return len(data)

    def close(self) -> None:
        self.closed = True

    def fileno(self) -> int:
        return -1

    def setblocking(self, flag: bool) -> None: ...


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def client(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setattr(paho.Client, "_create_socket", lambda _self: wire)
    made = Client(
        MqttUrl("broker", 1883, encrypted=False, username="u", password="secret"),  # noqa: S106 (a test)
        "bridge-1",
        receive_maximum=100,
        session_expiry_s=3_600,
        keepalive_s=30,
    )
    made.events = []  # type: ignore[attr-defined]
    made.on_connect = lambda *facts: made.events.append(("connected", facts[2].session_present))  # type: ignore[attr-defined]
    made.on_disconnect = lambda *facts: made.events.append(("disconnected", facts[3].value))  # type: ignore[attr-defined]
    made.open()
    return made


def publish(packet_id: int, payload: bytes) -> bytes:
    body = b"\x00\x01t" + packet_id.to_bytes(2, "big") + b"\x00" + payload
    return b"\x32" + bytes([len(body)]) + body


def test_connect_asks_for_the_kept_session_with_a_bounded_window(client: Client, wire: Wire) -> None:
    (connect,) = wire.sent
    flags = connect[9]
    assert connect[2:9] == b"\x00\x04MQTT\x05"
    assert flags & 0x02 == 0  # no clean start
    assert b"\x21\x00\x64" in connect  # receive maximum 100
    assert b"\x11\x00\x00\x0e\x10" in connect  # session expiry 3,600 s
    assert b"bridge-1" in connect


def test_one_read_brings_all_messages_and_lets_paho_have_the_rest(client: Client, wire: Wire) -> None:
    wire.incoming = [CONNACK + b"".join(publish(number, b"x%d" % number) for number in range(1, 9))]
    messages = client.read()
    assert messages.packet_ids == list(range(1, 9))
    assert messages.payloads == [b"x%d" % number for number in range(1, 9)]
    assert events_of(client) == [("connected", True)]
    assert wire.receives == 1


def test_acknowledgements_are_one_write_in_order(client: Client, wire: Wire) -> None:
    wire.incoming = [CONNACK]
    client.read()
    wire.sent.clear()
    client.acknowledge([1, 258, 65_535])
    assert wire.sent == [b"\x40\x02\x00\x01\x40\x02\x01\x02\x40\x02\xff\xff"]


def test_nothing_to_read_is_no_end(client: Client) -> None:
    assert not client.read()
    assert client.socket() is not None


@pytest.mark.parametrize(
    ("ending", "trouble"),
    [
        pytest.param(b"", "the broker closed the connection", id="closed by the peer"),
        pytest.param(OSError(errno.ECONNRESET, "reset"), "[Errno 104] reset", id="reset"),
        pytest.param(b"\x32\x05\x00\xffabc", "a PUBLISH is shorter than its parts", id="malformed"),
    ],
)
def test_the_end_of_a_connection_is_told(client: Client, wire: Wire, ending: Any, trouble: str) -> None:
    wire.incoming = [CONNACK, ending]
    client.read()
    client.read()
    assert client.socket() is None
    assert wire.closed
    assert events_of(client)[-1][0] == "disconnected"
    assert client.trouble == trouble


def test_the_brokers_farewell_gives_its_reason(client: Client, wire: Wire) -> None:
    wire.incoming = [CONNACK, publish(1, b"last") + DISCONNECT]
    client.read()
    assert client.read().payloads == [b"last"]
    assert events_of(client)[-1] == ("disconnected", 0x8E)


def test_a_new_connection_forgets_half_a_packet_of_the_old_one(client: Client, wire: Wire) -> None:
    wire.incoming = [CONNACK + publish(1, b"half")[:-2], b""]
    client.read()
    client.read()
    client.open()
    wire.incoming = [CONNACK + publish(2, b"whole")]
    assert client.read().payloads == [b"whole"]


def test_a_ping_that_nobody_waits_for_never_ends_the_connection(client: Client, wire: Wire) -> None:
    wire.incoming = [CONNACK]
    client.read()
    client.stay_alive()
    assert wire.sent[-1] == b"\xc0\x00"
    assert client._ping_t == 0


def test_the_password_does_not_show() -> None:
    assert "secret" not in repr(MqttUrl("broker", 1883, encrypted=False, username="u", password="secret"))  # noqa: S106 (a test)


def events_of(client: Client) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = client.events  # type: ignore[attr-defined]
    return found
