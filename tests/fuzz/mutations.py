"""Payloads made from good and bad ones by small changes, by the hundred thousand, from a seed."""

import json
from collections.abc import Iterator
from random import Random

from schemas import arrow_codec
from tests.bad_input import UNREADABLE_PAYLOADS, UNSOUND_READINGS
from tests.builders import ARROW, START_US, batch, payload, reading
from tests.fuzz.neighbours import KINDS
from tests.strategies import NEARLY_JSON

#: A payload that is long takes long: each is cut to this before it is changed [bytes].
_LONGEST = 3_000
#: What is put in somewhere: structure, numbers at their edges, escapes, halves of characters, Arrow's own markers.
TOKENS = (
    b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"null", b"true", b"NaN", b"Infinity", b"-", b"1e400", b"-0.0",
    b"1e-400", b"9223372036854775807", b"9223372036854775808", b"18446744073709551616", b"0.1", b"01", b"\\u0000",
    b"\\ud800", b"\\udc00", b"\\n", b"\n", b"\r", b"\t", b"\0", b"\x1e", b"\x1f", b"\xff", b"\xc0\x80", b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80", b"\xef\xbb\xbf", b"\xe2\x80\xa8", b'"meter_number":', b'"reading_time":', b'"voltage":',
    b'"sequence":', b'"phase":', b'"2024-02-29T23:59:60Z"', b'"9999-12-31T23:59:59.9999999Z"', b'],"rows":[',
    b']}\n{"rows":[', b"//", b"/*", b"\xff\xff\xff\xff", b"\0\0\0\0", b"ARROW1", b"\x10\0\0\0",
)  # fmt: skip


def seeds() -> list[bytes]:
    """Return what the changes begin with: everything that the tests know to be good, bad or nearly one or the other."""
    good = reading(
        "M1", START_US, voltage=230.5, consumption_kwh=0.25, sequence=9, phase="L2", source_quality="A", demand_kw=-1e-9
    )
    tick = {"market": "aemo_nem", "symbol": "NSW1", "tick_time": "2024-01-01T00:00:00Z", "price": -12.5, "revision": 2}
    rows = batch(["A", "B", "C"], [START_US, START_US + 1, START_US + 2], voltage=[230.0, None, 231.0], phase="L1")
    found = [payload(good), payload(good, good, {"meter_number": 7}), payload(tick), payload(tick, good)]
    found += [arrow_codec.write(rows), arrow_codec.write(batch("M", START_US, sequence=[1]))]
    found += [json.dumps(document).encode() for document, _ in UNSOUND_READINGS.values()]
    found += [data for name, (data, _, _) in UNREADABLE_PAYLOADS.items() if "10 MB" not in name]
    return [data[:_LONGEST] for data in (*found, *NEARLY_JSON)]


def mutated(random: Random, corpus: list[bytes]) -> bytes:
    """Return one payload with up to five changes."""
    data = bytearray(random.choice(corpus))
    for _ in range(random.choice((0, 1, 1, 1, 2, 3, 5))):
        at = random.randrange(len(data) + 1)
        change = random.randrange(7)
        if change == 0:
            data[at:at] = random.choice(TOKENS)
        elif change == 1 and data:
            data[at % len(data)] ^= 1 << random.randrange(8)
        elif change == 2:
            del data[at : at + random.choice((1, 1, 2, 8, 64))]
        elif change == 3:
            data[at:at] = data[at : at + random.choice((1, 4, 16, 80))] * random.choice((1, 1, 2, 40))
        elif change == 4:
            other = random.choice(corpus)
            start = random.randrange(len(other) + 1)
            data[at:] = other[start:]
        elif change == 5 and data:
            data[at % len(data)] = random.randrange(256)
        elif change == 6:
            token = random.choice(TOKENS)
            data[at : at + len(token)] = token
    return bytes(data[: 4 * _LONGEST])


def payloads(seed: int) -> Iterator[tuple[bytes, str | None]]:
    """Yield payloads with content types, without end."""
    random, corpus = Random(seed), seeds()
    while True:
        data = mutated(random, corpus)
        kind = random.choice(KINDS)
        if data[:4] == b"\xff\xff\xff\xff" and random.random() < 0.7:
            kind = ARROW
        yield data, kind
