"""The property that every payload is held to: nothing is raised, and its neighbours come out unharmed."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from schemas.codec import decode
from schemas.layout import ColumnBatch
from schemas.readings import ReadingBatch
from schemas.ticks import TickBatch
from tests.builders import ARROW, JSON, payload, reading

#: Content types that a payload may claim: none, both that are known, one with a parameter, one that is unknown.
KINDS: tuple[str | None, ...] = (None, None, None, ARROW, ARROW, JSON, "Application/JSON; charset=utf-8", "text/csv")
_TICK = {"market": "EPEX", "symbol": "DE-LU", "tick_time": "2024-01-01T00:00:00Z", "price": 41.5}
#: What stands between the payloads under test, for each kind of batch.
GOOD: dict[type[ColumnBatch], bytes] = {
    ReadingBatch: payload(reading("NEIGHBOUR", voltage=231.25, phase="L1", sequence=7)),
    TickBatch: payload(_TICK),
}
_WHEN = datetime(2024, 1, 1, tzinfo=UTC)
_EXPECTED = {into: decode([good], [None], into).batch.records.to_pylist()[0] for into, good in GOOD.items()}


class Harmed(AssertionError):
    """A payload has done harm; the message holds it, ready to become a test."""


def hold(payloads: Sequence[bytes], kinds: Sequence[str | None], into: type[ColumnBatch]) -> int:
    """Decode payloads with a good one between each two; return how many rows and faults they came to.

    Raises:
        Harmed: something was raised, a good payload was lost or changed, or a payload came to nothing at all.
    """
    mixed: list[bytes] = [GOOD[into]]
    mixed_kinds: list[str | None] = [None]
    for data, kind in zip(payloads, kinds, strict=True):
        mixed += [data, GOOD[into]]
        mixed_kinds += [kind, None]
    try:
        found = decode(mixed, mixed_kinds, into)
    except Exception as error:
        raise Harmed(f"{type(error).__name__}: {error}") from error
    counts = np.bincount(found.source, minlength=len(mixed))
    faults = np.bincount([fault.source for fault in found.faults], minlength=len(mixed)) if found.faults else 0 * counts
    good = np.arange(0, len(mixed), 2)
    if not ((counts[good] == 1) & (faults[good] == 0)).all():
        raise Harmed("a good payload was lost, doubled or called bad")
    rows = found.batch.records.take(np.flatnonzero(found.source % 2 == 0)).to_pylist()
    if any(row != _EXPECTED[into] for row in rows):
        raise Harmed("a good payload was changed")
    for index in np.flatnonzero((counts + faults) == 0).tolist():
        if not _may_be_empty(mixed[index], mixed_kinds[index]):
            raise Harmed(f"nothing came of {mixed[index][:200]!r} ({mixed_kinds[index]})")
    for fault in found.faults:
        fault.as_rejected("fuzz", _WHEN)
    return int(counts.sum() + np.sum(faults)) - len(good)


def culprit(payloads: Sequence[bytes], kinds: Sequence[str | None], into: type[ColumnBatch]) -> str:
    """Return the shortest stretch of payloads that still does harm, as text that can be pasted into a test."""
    first, end = 0, len(payloads)
    while end - first > 1:
        middle = (first + end) // 2
        if _harms(payloads[first:middle], kinds[first:middle], into):
            end = middle
        elif _harms(payloads[middle:end], kinds[middle:end], into):
            first = middle
        else:
            break  # only together
    return repr([(payloads[k], kinds[k]) for k in range(first, end)])


def _harms(payloads: Sequence[bytes], kinds: Sequence[str | None], into: type[ColumnBatch]) -> bool:
    try:
        hold(payloads, kinds, into)
    except Harmed:
        return True
    return False


def _may_be_empty(data: bytes, kind: str | None) -> bool:
    """An empty array and a stream without rows hold nothing that could be lost."""
    return kind == ARROW or data.translate(None, b" \t\r\n") == b"[]"
