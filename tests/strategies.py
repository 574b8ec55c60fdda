"""Hypothesis strategies, all in one place."""

import json
from typing import Any

import numpy as np
from hypothesis import strategies as st

from schemas import arrow_codec
from schemas.readings import ReadingBatch
from tests.builders import ARROW, DAY_US, JSON, START_US, payload, reading, rfc3339

#: Letters, digits and what needs escaping, in one to four bytes of UTF-8.
PRINTABLE = st.characters(codec="utf-8", exclude_categories=("C", "Z")) | st.sampled_from(' "\\/')
MEASURES = ReadingBatch.layout.floats
OPTIONAL_TEXTS = ("source_quality", "phase", "device")

finite = st.floats(allow_nan=False, allow_infinity=False)
credible_kwh = st.floats(0, 50, allow_subnormal=False)
meter_numbers = st.text(PRINTABLE, min_size=1, max_size=50).filter(lambda text: 0 < len(text) <= 50)
short_texts = st.text(PRINTABLE, max_size=50)
times_us = st.integers(START_US - 3650 * DAY_US, START_US + 3650 * DAY_US)
whole_numbers = st.integers(-(2**63), 2**63 - 1)


@st.composite
def readings(draw: st.DrawFn, meters: st.SearchStrategy[Any] = meter_numbers) -> dict[str, object]:
    """A reading as its JSON object, any optionals, also ones that nobody knows."""
    found = reading(draw(meters), draw(times_us))
    for name in draw(st.lists(st.sampled_from(MEASURES), max_size=4, unique=True)):
        found[name] = draw(finite | st.none() | st.integers(-(2**70), 2**70))
    for name in draw(st.lists(st.sampled_from(OPTIONAL_TEXTS), max_size=2, unique=True)):
        found[name] = draw(short_texts | st.none())
    if draw(st.booleans()):
        found["sequence"] = draw(whole_numbers)
    if draw(st.integers(0, 4)) == 0:
        found["unknown"] = draw(json_values)
    return found


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)

#: Times in every spelling that RFC 3339 allows, and in some that it does not.
spelt_times = st.one_of(
    times_us.map(rfc3339),
    times_us.map(lambda us: rfc3339(us).replace("+00:00", "Z")),
    times_us.map(lambda us: rfc3339(us).replace("T", " ").replace("+00:00", "-03:30")),
    times_us.map(lambda us: rfc3339(us).lower().replace("+00:00", "z")),
    times_us.map(lambda us: rfc3339(us - us % 1_000_000).replace("+00:00", ".1234567Z")),
    times_us.map(lambda us: rfc3339(us).removesuffix("+00:00")),
    st.sampled_from(["2024-02-30T00:00:00Z", "0000-01-01T00:00:00Z", "now", "", "20240101T000000Z", "2024-01-01"]),
    st.text(max_size=25),
)

unsound_fields = st.one_of(
    st.tuples(st.sampled_from(("meter_number", "reading_time", *MEASURES, *OPTIONAL_TEXTS, "sequence")), json_values),
    st.tuples(st.just("reading_time"), spelt_times),
    st.tuples(st.just("meter_number"), st.integers(-(2**64), 2**65) | st.text(max_size=60)),
    st.tuples(st.sampled_from(MEASURES), st.sampled_from([float("nan"), float("inf"), "230", True, [], 1e400])),
)


@st.composite
def doubtful_readings(draw: st.DrawFn) -> object:
    """A reading with some fields that may be anything, or no reading at all."""
    if draw(st.integers(0, 9)) == 0:
        return draw(json_values)
    found = draw(readings())
    for name, value in draw(st.lists(unsound_fields, max_size=2)):
        found[name] = value
    return found


#: Bytes that are no JSON but come close, some of them written to slip through the columnar reader.
_GOOD = payload(reading("A"))
NEARLY_JSON = (
    b"",
    b" ",
    b"\0",
    b"null",
    b"[]",
    b"[ ]",
    b"[null]",
    b"[[]]",
    b"{",
    b"[",
    b"\xef\xbb\xbf" + _GOOD,
    _GOOD[:-1],
    _GOOD + _GOOD,
    _GOOD + b"\n" + _GOOD,
    _GOOD + b"," + _GOOD,
    _GOOD + b'],"x":[1',
    _GOOD + b'],"rows":[' + _GOOD,
    _GOOD + b']}{"rows":[' + _GOOD,
    _GOOD + b']}\n{"rows":[' + _GOOD,
    _GOOD + b"]}\0",
    b"[" + _GOOD + b"]}\0",
    b"[" + _GOOD + b'],"x":{"y":1}',
    b"[" + _GOOD + b",]",
    b"[" + _GOOD + b",null]",
    _GOOD.replace(b'"A"', b'"A\nB"'),
    _GOOD.replace(b'"A"', b'"A\tB"'),
    _GOOD.replace(b'"A"', b'"\\ud800"'),
    _GOOD.replace(b'"A"', b'"\\u0000"'),
    _GOOD.replace(b'"A"', b'"\xff"'),
    _GOOD[:-1] + b',"note":"\xff"}',
    _GOOD[:-1] + b',"note":"a\nb"}',
    _GOOD[:-1] + b',"note":NaN}',
    _GOOD[:-1] + b',"note":"]"}',
    _GOOD[:-1] + b',"note":[[1],{"a":[]}]}',
    _GOOD[:-1] + b',"meter_number":"B"}',
    _GOOD[:-1] + b',"voltage":01}',
    _GOOD[:-1] + b',"voltage":1e999}',
    _GOOD[:-1] + b',"note":' + b'{"a":' * 2000 + b"1" + b"}" * 2000 + b"}",
    b"[" * 2000 + b"]" * 2000,
)

json_payloads = st.one_of(
    doubtful_readings().map(lambda item: json.dumps(item).encode()),
    st.lists(doubtful_readings(), max_size=4).map(lambda items: json.dumps(items).encode()),
    st.lists(readings(), min_size=2, max_size=4).map(lambda items: json.dumps(items, indent=1).encode()),
    st.sampled_from(NEARLY_JSON),
    st.binary(max_size=40),
)


@st.composite
def batches(draw: st.DrawFn, max_rows: int = 8) -> ReadingBatch:
    """Columns with any finite values and any pattern of nulls."""
    count = draw(st.integers(0, max_rows))

    def column(values: st.SearchStrategy[Any]) -> Any:
        return draw(st.lists(values, min_size=count, max_size=count))

    columns: dict[str, Any] = {name: column(finite | st.none()) for name in draw(st.sets(st.sampled_from(MEASURES)))}
    columns |= {name: column(short_texts | st.none()) for name in draw(st.sets(st.sampled_from(OPTIONAL_TEXTS)))}
    if draw(st.booleans()):
        columns["sequence"] = column(whole_numbers | st.none())
    return ReadingBatch.from_columns(
        meter_number=column(meter_numbers), reading_time=np.array(column(times_us), dtype=np.int64), **columns
    )


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """Bytes with some of them changed, or with the end missing."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(0, 3))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(0, len(data)))]) if draw(st.booleans()) else bytes(data)


arrow_payloads = batches().map(arrow_codec.write)

#: (payload, content type): anything that may come in a record.
records = st.one_of(
    st.tuples(json_payloads, st.sampled_from([None, JSON, "application/json; charset=utf-8"])),
    st.tuples(arrow_payloads.flatmap(damaged) | arrow_payloads, st.just(ARROW)),
    st.tuples(json_payloads, st.sampled_from([ARROW, "text/plain", ""])),
)


@st.composite
def streams(draw: st.DrawFn, meters: int = 3, max_rows: int = 40) -> ReadingBatch:
    """Readings of a few meters as they come in: mostly a regular step, some late, repeated, missing or empty."""
    step_us = draw(st.sampled_from([1, 15, 30])) * 60_000_000
    clock, rows = dict.fromkeys(range(meters), START_US), list[tuple[str, int, float | None, float | None]]()
    for _ in range(draw(st.integers(0, max_rows))):
        meter = draw(st.integers(0, meters - 1))
        move = draw(st.sampled_from([1, 1, 1, 1, 1, 2, 0, -1, -3, 60, 1440]))
        time_us = clock[meter] + move * step_us
        clock[meter] = max(clock[meter], time_us)
        rows.append((f"M{meter}", time_us, draw(credible_kwh | st.none()), draw(st.floats(200, 260) | st.none())))
    return ReadingBatch.from_columns(
        meter_number=[row[0] for row in rows],
        reading_time=np.array([row[1] for row in rows], dtype=np.int64),
        consumption_kwh=[row[2] for row in rows],
        voltage=[row[3] for row in rows],
    )


@st.composite
def cuts(draw: st.DrawFn, length: int) -> list[slice]:
    """A sequence of `length` things cut into runs, some of them empty."""
    edges = sorted(draw(st.lists(st.integers(0, length), max_size=6)))
    return [slice(start, stop) for start, stop in zip([0, *edges], [*edges, length], strict=True)]
