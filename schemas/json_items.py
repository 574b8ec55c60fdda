"""One JSON payload read item by item: slower than columns, exact about what is wrong with each item."""

import json
import math
from datetime import datetime
from typing import Any

import orjson
import pyarrow as pa

from schemas.faults import Fault, check_rows, describe
from schemas.layout import Layout
from schemas.rejected import Reason

_INT64 = 2**63
_UINT64 = 2**64


class _Unfit(Exception):
    """An item does not fit the layout."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def read(payload: bytes, layout: Layout) -> tuple[pa.RecordBatch, list[Fault]]:
    """Read one payload; its good items become rows, each bad one becomes a fault at payload position 0."""
    try:
        document = _parse(payload)
    except (ValueError, RecursionError) as error:
        return _rows([], layout), [Fault(0, Reason.NOT_JSON, _plain(error), payload)]
    if not isinstance(document, list | dict):
        detail = f"an object or an array of objects is needed, this is {type(document).__name__}"
        return _rows([], layout), [Fault(0, Reason.WRONG_SHAPE, detail, payload)]
    rows, faults = list[dict[str, Any]](), list[Fault]()
    items = document if isinstance(document, list) else [document]
    for item in items:
        try:
            rows.append(_row(item, layout))
        except _Unfit as unfit:
            original = payload if isinstance(document, dict) else _as_bytes(item)
            faults.append(Fault(0, unfit.reason, unfit.detail, original, _identity(item, layout)))
    return _rows(rows, layout), faults


def _parse(payload: bytes) -> Any:
    try:
        return orjson.loads(payload)
    except orjson.JSONDecodeError:
        # The standard reader also takes NaN and Infinity, so that the neighbours of such a reading are kept.
        return json.loads(payload.decode())


def _plain(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)


def _as_bytes(item: Any) -> bytes:
    return json.dumps(item, ensure_ascii=True, separators=(",", ":")).encode()


def _rows(rows: list[dict[str, Any]], layout: Layout) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(rows, schema=layout.schema)


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
    code = int(check_rows(_rows([row], layout), layout)[0])
    if code:
        raise _Unfit(*describe(code, layout))
    return row


def _text(name: str, value: Any, *, named: bool) -> str | None:
    if named and isinstance(value, int) and not isinstance(value, bool) and -_INT64 <= value < _UINT64:
        return str(value)
    if value is None or isinstance(value, str):
        if value is not None and not value.isprintable():
            raise _Unfit(Reason.BAD_TEXT, f"{name} holds characters that cannot be printed")
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
    return value if isinstance(value, str) and 0 < len(value) <= 50 and value.isprintable() else None
