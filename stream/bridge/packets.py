"""MQTT 5 bytes cut into packets: PUBLISH as columns, everything else passed on as it came."""

from dataclasses import dataclass, field

_PUBLISH = 3
_CONTENT_TYPE = 0x03
#: Properties that a PUBLISH may carry (MQTT 5.0, table 2-4) and how their values are written.
_PROPERTY_KINDS = {
    0x01: "byte",
    0x02: "four",
    0x03: "text",
    0x08: "text",
    0x09: "text",
    0x0B: "varint",
    0x23: "two",
    0x26: "pair",
}
_FIXED_SIZES = {"byte": 1, "two": 2, "four": 4}


class MalformedPacketError(Exception):
    """The bytes break MQTT 5; nothing after them can be trusted."""


@dataclass(slots=True)
class Messages:
    """PUBLISH packets as columns, in the order they came.

    Attributes:
        packet_ids: what an acknowledgement names; 0 where none is expected (QoS 0).
        topics: as sent, UTF-8 by contract.
        payloads: as sent.
        content_types: the MQTT 5 property, None where absent.
        size: payload bytes altogether.
    """

    packet_ids: list[int] = field(default_factory=list)
    topics: list[bytes] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)
    content_types: list[str | None] = field(default_factory=list)
    size: int = 0

    def __len__(self) -> int:
        return len(self.payloads)

    def extend(self, later: "Messages") -> None:
        """Put the messages of another burst behind these."""
        self.packet_ids += later.packet_ids
        self.topics += later.topics
        self.payloads += later.payloads
        self.content_types += later.content_types
        self.size += later.size


class PacketReader:
    """Cuts a stream of bytes into packets, keeping an unfinished one for the next bytes.

    paho reads a packet with four system calls and some 60 us of Python; a bridge lives from PUBLISH packets alone, so
    those are cut out of the buffer here, and paho is left with the few others.
    """

    def __init__(self) -> None:
        self._kept = bytearray()
        self._needed = 0

    def feed(self, data: bytes) -> tuple[Messages, bytes]:
        """Take received bytes.

        Returns: complete PUBLISH packets as columns; all other complete packets as bytes.

        Raises:
            MalformedPacketError: a packet contradicts itself.
        """
        self._kept += data
        if len(self._kept) < self._needed:
            return Messages(), b""
        buffer = bytes(self._kept)
        messages, others, done = Messages(), bytearray(), 0
        while (ends := _ends_of(buffer, done)) is not None and ends[1] <= len(buffer):
            body, stop = ends
            if buffer[done] >> 4 == _PUBLISH:
                _take_publish(messages, buffer, done, body, stop)
            else:
                others += buffer[done:stop]
            done = stop
        del self._kept[:done]
        # Copying a large unfinished payload once per read would be quadratic.
        self._needed = ends[1] - done if ends else 0
        return messages, bytes(others)


def _ends_of(buffer: bytes, start: int) -> tuple[int, int] | None:
    """Return where the body of the packet at `start` begins and ends; None while that is not yet known."""
    if start + 2 > len(buffer):
        return None
    first = buffer[start + 1]
    if first < 0x80:
        return start + 2, start + 2 + first
    try:
        length, body = _varint(buffer, start + 1)
    except IndexError:
        return None
    return body, body + length


def _varint(buffer: bytes, at: int) -> tuple[int, int]:
    """Return a variable byte integer and the position behind it (MQTT 5.0, 1.5.5)."""
    value = 0
    for position in range(4):
        value |= (buffer[at + position] & 0x7F) << 7 * position
        if buffer[at + position] < 0x80:
            return value, at + position + 1
    raise MalformedPacketError("a length has more than four bytes")


def _take_publish(messages: Messages, buffer: bytes, start: int, body: int, stop: int) -> None:
    at = body + 2
    at += (buffer[body] << 8) | buffer[body + 1]
    topic = buffer[body + 2 : at]
    packet_id = 0
    try:
        if buffer[start] & 0x06:
            packet_id = (buffer[at] << 8) | buffer[at + 1]
            at += 2
        content_type = None
        if buffer[at]:
            content_type, at = _content_type(buffer, at)
        else:
            at += 1
    except IndexError:
        at = stop + 1
    if at > stop:
        raise MalformedPacketError("a PUBLISH is shorter than its parts")
    messages.packet_ids.append(packet_id)
    messages.topics.append(topic)
    messages.payloads.append(buffer[at:stop])
    messages.content_types.append(content_type)
    messages.size += stop - at


def _content_type(buffer: bytes, at: int) -> tuple[str | None, int]:
    """Return the content type among a PUBLISH packet's properties, and the position behind them."""
    length, at = _varint(buffer, at)
    stop, found = at + length, None
    while at < stop:
        name, at = buffer[at], at + 1
        kind = _PROPERTY_KINDS.get(name)
        if kind is None:
            raise MalformedPacketError(f"property {name:#04x} does not belong in a PUBLISH")
        if kind == "varint":
            _, at = _varint(buffer, at)
        elif kind in _FIXED_SIZES:
            at += _FIXED_SIZES[kind]
        else:
            for _ in range(2 if kind == "pair" else 1):
                text, at = _text(buffer, at)
            found = text.decode(errors="replace") if name == _CONTENT_TYPE else found
    return found, stop


def _text(buffer: bytes, at: int) -> tuple[bytes, int]:
    end = at + 2 + ((buffer[at] << 8) | buffer[at + 1])
    return buffer[at + 2 : end], end
