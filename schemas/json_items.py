"""JSON payloads read item by item: slower than columns, exact about what is wrong with each item."""

import json
import math
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from schemas.faults import Fault, check_rows, describe
from schemas.layout import Layout, Positions
from schemas.rejected import Reason

_INT64 = 2**63
_UINT64 = 2**64
_SEPARATOR = re.compile(r"[ \t\r\n]*,?[ \t\r\n]*")


class _Unfit(Exception):
    """An item does not fit the layout."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def read(payloads: Sequence[bytes], layout: Layout) -> tuple[pa.RecordBatch, Positions, list[Fault]]:
    """Read payloads that are each one JSON object or an array of them; each bad item becomes a fault.

    Returns: readable rows in order; int[n] payload position of each; faults with their payload position, in order.
    """
    read = _Reader(layout)
    for source, payload in enumerate(payloads):
        read.take(source, payload)
    return read.result()


class _Reader:
    """Collects rows and faults; rows are checked as columns once all are there."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._payloads = list[bytes]()
        self._items = list[list[Any]]()
        self._rows = list[dict[str, Any]]()
        self._places = list[tuple[int, int]]()
        self._bad = dict[tuple[int, int], tuple[Reason, str]]()

    def take(self, source: int, payload: bytes) -> None:
        """Read one payload, the next one in order."""
        self._payloads.append(payload)
        try:
            document = _parse(payload)
        except (ValueError, RecursionError) as error:
            document, self._bad[source, 0] = None, (Reason.NOT_JSON, _plain(error))
        else:
            if not isinstance(document, list | dict):
                detail = f"an object or an array of objects is needed, this is {type(document).__name__}"
                self._bad[source, 0] = Reason.WRONG_SHAPE, detail
        items = document if isinstance(document, list) else [document] if isinstance(document, dict) else []
        self._items.append(items)
        for position, item in enumerate(items):
            try:
                self._rows.append(_row(item, self._layout))
                self._places.append((source, position))
            except _Unfit as unfit:
                self._bad[source, position] = unfit.reason, unfit.detail

    def result(self) -> tuple[pa.RecordBatch, Positions, list[Fault]]:
        """Return what came of the payloads."""
        records = pa.RecordBatch.from_pylist(self._rows, schema=self._layout.schema)
        source = np.fromiter((place[0] for place in self._places), dtype=np.intp, count=len(self._places))
        codes = check_rows(records, self._layout)
        if codes.any():
            for row in np.flatnonzero(codes).tolist():
                self._bad[self._places[row]] = describe(int(codes[row]), self._layout)
            fine = codes == 0
            records, source = records.filter(pa.array(fine)), source[fine]
        return records, source, list(self._faults())

    def _faults(self) -> Iterator[Fault]:
        originals, of = list[bytes](), -1
        for source, position in sorted(self._bad):
            payload, items = self._payloads[source], self._items[source]
            if source != of:
                originals, of = _originals(payload, len(items)), source
            identity = _identity(items[position], self._layout) if items else None
            yield Fault(source, *self._bad[source, position], originals[position], identity)


def _parse(payload: bytes) -> Any:
    try:
        return orjson.loads(payload)
    except orjson.JSONDecodeError:
        # The standard reader also takes NaN and Infinity, so that the neighbours of such a reading are kept.
        return json.loads(payload.decode())


def _plain(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)


def _originals(payload: bytes, count: int) -> list[bytes]:
    """Cut an array of `count` items into the bytes of each, exactly as they came; anything else stays whole."""
    if payload.lstrip()[:1] != b"[" or not count:
        return [payload]
    text, decoder = payload.decode(), json.JSONDecoder()
    found, at = list[bytes](), _SEPARATOR.match(text, text.index("[") + 1).end()  # type: ignore[union-attr] # matches ""
    try:
        while len(found) < count:
            _, end = decoder.raw_decode(text, at)
            found.append(text[at:end].encode())
            at = _SEPARATOR.match(text, end).end()  # type: ignore[union-attr] # matches ""
    except RecursionError:
        # The quicker reader went deeper than this one can.
        return [payload] * count
    return found


def _row(item: Any, layout: Layout) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise _Unfit(Reason.WRONG_SHAPE, f"an object is needed, this is {type(item).__name__}")
    row: dict[str, Any] = {}
    for name in layout.texts:
        row[name] = _text(name, item.get(name), named=name in layout.identity)
    for name in layout.floats:
        row[name] = _number(name, item.get(name))
    for name in layout.integers:
        row[name] = _whole(name, item.get(name))
    row[layout.time] = _instant(layout.time, item.get(layout.time))
    return row


def _text(name: str, value: Any, *, named: bool) -> str | None:
    if named and isinstance(value, int) and not isinstance(value, bool) and -_INT64 <= value < _UINT64:
        return str(value)
    if value is None:
        return None
    if isinstance(value, str):
        if not _is_unicode(value):
            raise _Unfit(Reason.BAD_TEXT, f"{name} holds half a character")
        return value
    raise _Unfit(Reason.WRONG_TYPE, f"{name} must be text, this is {type(value).__name__}")


def _number(name: str, value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Unfit(Reason.WRONG_TYPE, f"{name} must be a number, this is {type(value).__name__}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise _Unfit(Reason.NOT_FINITE, f"{name} is not a finite number")
    return number


def _whole(name: str, value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not -_INT64 <= value < _INT64:
        raise _Unfit(Reason.WRONG_TYPE, f"{name} must be a whole number of at most 64 bits")
    return value


def _instant(name: str, value: Any) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise _Unfit(Reason.WRONG_TYPE, f"{name} must be RFC 3339 text, this is {type(value).__name__}")
    try:
        moment = datetime.fromisoformat(value.upper())
    except ValueError:
        raise _Unfit(Reason.BAD_TIME, f"{name} is not an RFC 3339 time") from None
    if moment.tzinfo is None:
        raise _Unfit(Reason.BAD_TIME, f"{name} has no offset from UTC")
    return moment


def _identity(item: Any, layout: Layout) -> str | None:
    value = item.get(layout.identity[0]) if isinstance(item, dict) else None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return value if isinstance(value, str) and 0 < len(value) <= 50 and value.isprintable() else None


def _is_unicode(text: str) -> bool:
    """Say whether a text can be written as UTF-8: JSON can spell the first half of a surrogate pair alone."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
