"""A broker that does nothing but push: what the bridge takes when no broker's own cost stands in front of it.

Run as a program: it listens on a free loopback port, prints it, and feeds the first client that subscribes. It then
prints the seconds from the first message sent to the last one acknowledged.
"""

import argparse
import json
import socket
import time

_CONNACK = bytes([0x20, 3, 0, 0, 0])
_SUBACK, _PUBLISH, _PUBACK, _PINGREQ, _SUBSCRIBE, _CONNECT = 0x90, 0x32, 4, 12, 8, 1
#: Messages written together.
_BURST = 500


def _varint(number: int) -> bytes:
    out = bytearray()
    while True:
        number, low = divmod(number, 128)
        out.append(low | (0x80 if number else 0))
        if not number:
            return bytes(out)


def publish(topic: bytes, packet_id: int, payload: bytes) -> bytes:
    """Return one PUBLISH packet of QoS 1."""
    body = len(topic).to_bytes(2, "big") + topic + packet_id.to_bytes(2, "big") + b"\0" + payload
    return bytes([_PUBLISH]) + _varint(len(body)) + body


class Packets:
    """Cuts what a client sends into (type, body)."""

    def __init__(self) -> None:
        self._kept = b""

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Take bytes and return the packets that are complete."""
        self._kept += data
        found, at = [], 0
        while at + 2 <= len(self._kept):
            size, shift, head = 0, 0, at + 1
            while head < len(self._kept):
                byte = self._kept[head]
                size |= (byte & 0x7F) << shift
                head, shift = head + 1, shift + 7
                if not byte & 0x80:
                    break
            else:
                break
            if head + size > len(self._kept):
                break
            found.append((self._kept[at] >> 4, self._kept[head : head + size]))
            at = head + size
        self._kept = self._kept[at:]
        return found


def main() -> None:
    """Serve one bridge."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, required=True)
    parser.add_argument("--per-message", type=int, default=1)
    parser.add_argument("--window", type=int, default=19_000)
    asked = parser.parse_args()
    packets = _prepared(asked.messages, asked.per_message)
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        # A health check or a doctor may knock first; the one that subscribes is served.
        client, _ = listener.accept()
        with client:
            seconds = _serve(client, packets, asked.window)
        if seconds is not None:
            print(json.dumps({"seconds": seconds}), flush=True)
            return


def _prepared(messages: int, per_message: int) -> list[bytes]:
    """Return the packets, some together."""
    began = time.time()
    lines = []
    for number in range(messages):
        meters = [f"M{(number * per_message + k) % 20_000:07d}" for k in range(per_message)]
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(began - 86_400 + number * per_message // 20_000))
        readings = [
            {"meter_number": meter, "reading_time": moment, "consumption_kwh": 0.125, "voltage": 230.4,
             "current_amps": 2.31, "power_factor": 0.97, "demand_kw": 0.5}
            for meter in meters
        ]  # fmt: skip
        payload = json.dumps(readings[0] if per_message == 1 else readings).encode()
        topic = f"meters/{meters[0]}/reading" if per_message == 1 else "concentrators/bench/readings"
        lines.append(publish(topic.encode(), number % 65_535 + 1, payload))
    return lines


def _serve(client: socket.socket, packets: list[bytes], window: int) -> float | None:
    """Feed a client; None where it goes away without having subscribed."""
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    reader, subscribed = Packets(), False
    began, sent, acked = 0.0, 0, 0
    while acked < len(packets):
        if subscribed and sent < len(packets) and sent - acked < window:
            began = began or time.perf_counter()
            end = min(sent + _BURST, len(packets), acked + window)
            client.sendall(b"".join(packets[sent:end]))
            sent = end
            client.settimeout(0.0 if sent - acked < window and sent < len(packets) else None)
        try:
            data = client.recv(1 << 16)
        except BlockingIOError:
            continue
        finally:
            client.settimeout(None)
        if not data:
            return None
        for kind, body in reader.feed(data):
            if kind == _PUBACK:
                acked += 1
            elif kind == _CONNECT:
                client.sendall(_CONNACK)
            elif kind == _SUBSCRIBE:
                subscribed = True
                filters = _filters(body)
                answer = body[:2] + b"\0" + b"\1" * filters
                client.sendall(bytes([_SUBACK]) + _varint(len(answer)) + answer)
            elif kind == _PINGREQ:
                client.sendall(b"\xd0\0")
    return time.perf_counter() - began


def _filters(body: bytes) -> int:
    """Count the filters of a SUBSCRIBE."""
    at = 3 + body[2]
    count = 0
    while at < len(body):
        at += 2 + int.from_bytes(body[at : at + 2], "big") + 1
        count += 1
    return count


if __name__ == "__main__":
    main()
