"""Conditions of the grid in the database: those that were found take the place of those that were known.

An examination looks at a span and finds all there is in it, so doing it twice changes nothing; what is no longer found
turned out to be nothing and is withdrawn. Signs are raised of what is new or has become worse.
"""

from collections.abc import Collection, Sequence
from typing import Any

import psycopg

from processors.conditions import Condition
from schemas.alerts import Alert, AlertKind, Severity, alert_id
from schemas.layout import instant_of

_KNOWN = """
SELECT condition_id, kind, element, extract(epoch FROM started_at)::bigint,
       coalesce(extract(epoch FROM ended_at), 0)::bigint, severity
FROM grid_conditions
WHERE kind = ANY(%s) AND NOT withdrawn AND coalesce(ended_at, 'infinity') >= to_timestamp(%s)
ORDER BY started_at, condition_id
"""
_FIELDS = (
    "started_at",
    "ended_at",
    "severity",
    "measured",
    "expected",
    "uncertainty",
    "unit",
    "suspect",
    "confidence",
    "detail",
)
_VALUES = """
to_timestamp(%(started_s)s), to_timestamp(%(ended_s)s), %(severity)s, %(measured)s, %(expected)s,
%(uncertainty)s::float8, %(unit)s, %(suspect)s::text, %(confidence)s::float8, %(detail)s
"""
_OPEN = f"""
INSERT INTO grid_conditions (kind, element, {", ".join(_FIELDS)}, found_at)
VALUES (%(kind)s, %(element)s, {_VALUES}, to_timestamp(%(mark_s)s))
"""  # noqa: S608 - constants of this module
_RESTATE = f"""
UPDATE grid_conditions c SET ({", ".join(_FIELDS)}, revision, updated_at) = ROW({_VALUES}, c.revision + 1, now())
WHERE c.condition_id = %(condition_id)s
  AND ({", ".join(f"c.{name}" for name in _FIELDS)}) IS DISTINCT FROM ROW({_VALUES})
"""  # noqa: S608
_WITHDRAW = """
UPDATE grid_conditions SET withdrawn = true, revision = revision + 1, updated_at = now() WHERE condition_id = ANY(%s)
"""
# What began before the span that was looked at, and is not in it any more.
_END = """
UPDATE grid_conditions SET ended_at = to_timestamp(%s), revision = revision + 1, updated_at = now()
WHERE condition_id = ANY(%s) AND ended_at IS NULL
"""
_RANK = {severity: rank for rank, severity in enumerate(Severity)}


async def restate(
    connection: psycopg.AsyncConnection,
    kinds: Collection[AlertKind],
    found: Sequence[Condition],
    since_s: int,
    mark_s: int,
    *,
    gone_s: int,
) -> list[Alert]:
    """Make the conditions that are known those that were found; in the caller's transaction.

    Args:
        connection: with a transaction open in which nobody else does this.
        kinds: kinds of condition that were looked for, everywhere.
        found: all that there is of them; one that began before the span is known by what it has in common with it.
        since_s: from when on was looked [s].
        mark_s: how far event time had come [s].
        gone_s: when what began before the span and is not in it any more counts as over [s].

    Returns: signs of what is new or worse than before.
    """
    known = await (await connection.execute(_KNOWN, (list(map(str, kinds)), since_s))).fetchall()
    signs, kept = list[Alert](), set[int]()
    for condition in found:
        before = next(
            (
                row
                for row in known
                if row[0] not in kept
                and row[1:3] == (condition.kind, condition.element)
                and condition.overlaps(*row[3:5])
            ),
            None,
        )
        values = _values(condition, mark_s)
        if before is None:
            await connection.execute(_OPEN, values)
            signs.append(_sign(condition, condition.started_s))
            continue
        kept.add(before[0])
        if condition.started_s <= since_s:
            values["started_s"] = min(before[3], condition.started_s)
        await connection.execute(_RESTATE, values | {"condition_id": before[0]})
        if _RANK[condition.severity] > _RANK[Severity(before[5])]:
            signs.append(_sign(condition, max(mark_s, condition.started_s)))
    gone = [row for row in known if row[0] not in kept]
    await connection.execute(_WITHDRAW, ([row[0] for row in gone if row[3] >= since_s],))
    await connection.execute(_END, (gone_s, [row[0] for row in gone if row[3] < since_s]))
    return signs


def _values(condition: Condition, mark_s: int) -> dict[str, Any]:
    return vars(condition) | {"ended_s": condition.ended_s or None, "mark_s": mark_s}


def _sign(condition: Condition, occurred_s: int) -> Alert:
    at = instant_of(occurred_s * 1_000_000)
    sort, _, name = condition.element.partition("/")
    return Alert(
        # The same that has become worse within a second is told twice.
        alert_id=alert_id(condition.kind, f"{condition.element} {condition.severity}", occurred_s * 1_000_000),
        kind=condition.kind,
        severity=condition.severity,
        element=condition.element,
        occurred_at=at,
        arrived_at=at,
        measured=condition.measured,
        expected=condition.expected,
        unit=condition.unit,
        score=1.0 if condition.confidence is None else condition.confidence,
        reasons=f"suspect {condition.suspect}" if condition.suspect else "",
        message=f"{sort} {name}: {condition.detail}",
    )
