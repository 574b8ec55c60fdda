"""MQTT bytes become columns of messages, however the network cut them."""

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.bridge.packets import MalformedPacketError, Messages, PacketReader

PINGRESP = b"\xd0\x00"
SUBACK = b"\x90\x04\x00\x01\x00\x01"


def varint(value: int) -> bytes:
    out = bytearray()
    while True:
        value, digit = divmod(value, 128)
        out.append(digit | (0x80 if value else 0))
        if not value:
            return bytes(out)


def text(value: bytes) -> bytes:
    return struct.pack("!H", len(value)) + value


def publish(topic: bytes, payload: bytes, packet_id: int = 0, properties: bytes = b"", flags: int = 0) -> bytes:
    body = text(topic)
    if packet_id:
        flags |= 0x02
        body += struct.pack("!H", packet_id)
    body += varint(len(properties)) + properties + payload
    return bytes([0x30 | flags]) + varint(len(body)) + body


def read_all(chunks: list[bytes]) -> tuple[Messages, bytes]:
    reader, messages, others = PacketReader(), Messages(), b""
    for chunk in chunks:
        found, rest = reader.feed(chunk)
        messages.extend(found)
        others += rest
    return messages, others


@given(
    packets=st.lists(
        st.one_of(
            st.sampled_from([PINGRESP, SUBACK]),
            st.tuples(st.binary(max_size=20), st.binary(max_size=400), st.integers(0, 65_535)),
        ),
        max_size=20,
    ),
    cuts=st.lists(st.integers(0, 5_000), max_size=8),
)
def test_the_way_bytes_are_cut_changes_nothing(
    packets: list[bytes | tuple[bytes, bytes, int]], cuts: list[int]
) -> None:
    sent = [packet for packet in packets if isinstance(packet, tuple)]
    stream = b"".join(packet if isinstance(packet, bytes) else publish(*packet) for packet in packets)
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    chunks = [stream[start:stop] for start, stop in pairwise(places)]

    messages, others = read_all(chunks)

    assert list(zip(messages.topics, messages.payloads, messages.packet_ids, strict=True)) == sent
    assert messages.size == sum(len(payload) for _, payload, _ in sent)
    assert others == b"".join(packet for packet in packets if isinstance(packet, bytes))


def test_a_payload_of_megabytes_arrives_whole_in_small_pieces() -> None:
    payload = bytes(range(256)) * 20_000
    stream = publish(b"concentrators/c/readings", payload, 7)
    messages, _ = read_all([stream[at : at + 60_000] for at in range(0, len(stream), 60_000)])
    assert messages.payloads == [payload]


def test_the_content_type_is_found_among_other_properties() -> None:
    properties = b"".join(
        [
            b"\x01\x01",  # payload format
            b"\x02\x00\x00\x00\x3c",  # message expiry
            b"\x26" + text(b"key") + text(b"value"),  # user property
            b"\x03" + text(b"application/json"),
            b"\x09" + text(b"correlation"),
            b"\x0b\x80\x01",  # subscription identifier, two bytes long
            b"\x23\x00\x05",  # topic alias
        ]
    )
    messages, _ = read_all([publish(b"meters/M1/reading", b"{}", 1, properties)])
    assert messages.content_types == ["application/json"]
    assert messages.payloads == [b"{}"]


def test_flags_for_repeats_and_retained_messages_do_not_disturb() -> None:
    messages, _ = read_all([publish(b"t", b"x", 3, flags=0x08), publish(b"t", b"y", 4, flags=0x01)])
    assert (messages.payloads, messages.packet_ids) == ([b"x", b"y"], [3, 4])


@pytest.mark.parametrize(
    "packet",
    [
        pytest.param(b"\x32\x05\x00\xffabc", id="topic longer than the packet"),
        pytest.param(b"\x32\x03\x00\x01a", id="no packet id"),
        pytest.param(publish(b"t", b"", 1, b"\x7f\x00"), id="unknown property"),
        pytest.param(b"\x32\x07\x00\x01t\x00\x01\x20x", id="properties longer than the packet"),
        pytest.param(b"\x30\xff\xff\xff\xff\x01", id="length of five bytes"),
    ],
)
def test_a_packet_that_contradicts_itself_is_refused(packet: bytes) -> None:
    with pytest.raises(MalformedPacketError):
        PacketReader().feed(packet)
