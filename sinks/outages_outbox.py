"""Outages in the database: whenever gaps in the supply of meters change, what explains them is inferred anew.

An outage is made from the gaps as they are, so that doing it twice changes nothing, and what is known too late restates
it. Guarantee: what was due, what came of it and its signs are one transaction; signs go out at least once, with the
same id.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg

from processors.gaps import Gaps
from processors.outages import LEVELS, Grid, Outage, OutageRules, infer
from schemas.alerts import Alert, AlertKind, Severity, alert_id
from schemas.delivery import NO_WATERMARK_US
from schemas.layout import instant_of
from schemas.supply import CAUSES
from schemas.topics import METERS_RAW
from sinks import timescale_sql as sql
from sinks.outbox import Outbox

#: Any number that nothing else locks.
_LOCK = 7_382_930
#: The longest interval between readings whose gaps are looked for [s]; a column of two bytes holds no longer one.
_REACH_S = 82_000

# What comes together is taken together, unless it keeps coming.
_DUE = """
SELECT extract(epoch FROM min(noted_at)) < extract(epoch FROM clock_timestamp()) - %(settle_s)s
       AND (extract(epoch FROM max(noted_at)) < extract(epoch FROM clock_timestamp()) - %(settle_s)s
            OR extract(epoch FROM min(noted_at)) < extract(epoch FROM clock_timestamp()) - 4 * %(settle_s)s)
FROM supply_due
"""
_TAKE = """
WITH taken AS (DELETE FROM supply_due RETURNING meter_id, since, until)
SELECT meter_id, floor(extract(epoch FROM since))::bigint, ceil(extract(epoch FROM until))::bigint FROM taken
"""
_MARK = f"""
SELECT max(watermark_us) / 1000000 FROM stream_offsets
WHERE topic = '{METERS_RAW.name}' AND watermark_us > {NO_WATERMARK_US}
"""  # noqa: S608 - constants of this module
_GRID = """
SELECT t.transformer_id, t.name, t.feeder_id, f.name, f.substation_id, s.name, s.region, coalesce(m.meters, 0)
FROM transformers t
LEFT JOIN feeders f USING (feeder_id)
LEFT JOIN substations s USING (substation_id)
LEFT JOIN (
    SELECT transformer_id, count(*) AS meters FROM smart_meters
    WHERE status = 'active' AND customer_class IS DISTINCT FROM 'transformer' GROUP BY transformer_id
) m USING (transformer_id)
ORDER BY t.transformer_id
"""
_GAPS = """
SELECT g.meter_id, coalesce(p.transformer_id, 0), extract(epoch FROM g.lit_at)::bigint,
       coalesce(extract(epoch FROM g.dark_at), 0)::bigint, coalesce(extract(epoch FROM g.back_at), 0)::bigint,
       g.interval_s, array_position(%(causes)s::text[], g.cause) - 1, g.back_told::int
FROM supply_gaps g
LEFT JOIN LATERAL (
    SELECT transformer_id, customer_class FROM meter_moves m WHERE m.meter_id = g.meter_id AND m.valid_from <= g.lit_at
    ORDER BY m.valid_from DESC LIMIT 1
) p ON true
WHERE p.customer_class IS DISTINCT FROM 'transformer'
  AND g.lit_at > to_timestamp(%(since)s - %(reach_s)s) AND g.lit_at <= to_timestamp(%(until)s)
  AND coalesce(g.dark_at, g.lit_at + g.interval_s * interval '1.25 seconds') >= to_timestamp(%(since)s)
ORDER BY g.lit_at, g.meter_id
"""
# Outages that may be concerned: of that time, or of these meters.
_CONCERNED = """
SELECT o.outage_id, extract(epoch FROM least(o.started_at, o.dark_by))::bigint, extract(epoch FROM o.dark_by)::bigint
FROM grid_outages o
WHERE NOT o.withdrawn AND (o.dark_by BETWEEN to_timestamp(%(since)s) AND to_timestamp(%(until)s)
      OR o.outage_id IN (SELECT m.outage_id FROM grid_outage_meters m
                         WHERE m.meter_id = ANY(%(meters)s)
                           AND m.lit_at BETWEEN to_timestamp(%(since)s) AND to_timestamp(%(until)s)))
"""
_MEMBERS = "SELECT outage_id, meter_id FROM grid_outage_meters WHERE outage_id = ANY(%s)"
_TIMES = "started_after", "started_at", "started_by", "dark_by", "ended_after", "ended_at", "ended_by"
_FIELDS = "element_kind", "element", "region", "cause", "customers", "told", *_TIMES
_VALUES = f"""
%(element_kind)s, %(element)s, %(region)s, %(cause)s, %(customers)s, %(told)s,
{", ".join(f"to_timestamp(%({name})s)" for name in _TIMES)}
"""
_OPEN = f"""
INSERT INTO grid_outages ({", ".join(_FIELDS)}, found_at) VALUES ({_VALUES}, to_timestamp(%(found_at)s))
RETURNING outage_id
"""  # noqa: S608 - constants of this module
_RESTATE = f"""
UPDATE grid_outages o SET ({", ".join(_FIELDS)}, revision, updated_at) = ROW({_VALUES}, o.revision + 1, now())
WHERE o.outage_id = %(outage_id)s
  AND ({", ".join(f"o.{name}" for name in _FIELDS)}) IS DISTINCT FROM ROW({_VALUES})
"""  # noqa: S608
_WITHDRAW = """
UPDATE grid_outages SET withdrawn = true, merged_into = %s, revision = revision + 1, updated_at = now()
WHERE outage_id = %s
"""
_BEFORE = "SELECT element, customers FROM grid_outages WHERE outage_id = %s"
_FORGET_METERS = "DELETE FROM grid_outage_meters WHERE outage_id = ANY(%s)"
_KEEP_METERS = """
INSERT INTO grid_outage_meters (outage_id, meter_id, lit_at, back_after, back_at, back_by)
SELECT %s, meter_id, to_timestamp(lit_s), to_timestamp(nullif(after_s, 0)), to_timestamp(nullif(at_s, 0)),
       to_timestamp(nullif(by_s, 0))
FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
    AS n (meter_id, lit_s, after_s, at_s, by_s)
"""


@dataclass(frozen=True)
class _Named:
    """The grid, with the names of its elements: `names[level][number]`, and the region of each transformer."""

    grid: Grid
    names: tuple[dict[int, str], ...]
    region: dict[tuple[int, int], str | None]


class OutagesOutbox(Outbox[Alert]):
    """Infers outages from what has become due, and raises a sign of each, and again when it has grown.

    Args:
        url: `postgresql://...`.
        rules: when an element is out.
        settle_s: gaps that come within so short a time are explained together [s].
    """

    def __init__(self, url: str, rules: OutageRules, settle_s: float) -> None:
        super().__init__(url, _LOCK)
        self._rules = rules
        self._settle_s = settle_s

    async def _due(self, connection: psycopg.AsyncConnection) -> list[Alert]:
        """Infer what is due."""
        if not (await _row(connection, _DUE, {"settle_s": self._settle_s}))[0]:
            return []
        due = await (await connection.execute(_TAKE)).fetchall()
        mark = await _row(connection, _MARK)
        grid, signs = await _grid(connection), list[Alert]()
        for since_s, until_s, meters in _spans(due):
            signs += await self._infer(connection, grid, (since_s, until_s), meters, mark[0] or until_s)
        if signs:
            await connection.execute(sql.ADD_ALERTS, sql.alert_arrays(signs))
        return signs

    async def _infer(
        self, connection: psycopg.AsyncConnection, named: _Named, span: tuple[int, int], meters: list[int], mark_s: int
    ) -> list[Alert]:
        asked: dict[str, Any] = {"since": span[0], "until": span[1], "meters": meters, "reach_s": _REACH_S}
        concerned = await (await connection.execute(_CONCERNED, asked)).fetchall()
        # Those whose meters are concerned are inferred anew as a whole.
        asked["since"] = since_s = min([span[0], *(begin for _, begin, _ in concerned)])
        asked["until"] = until_s = max([span[1], *(end for _, _, end in concerned)])
        if (since_s, until_s) != span:
            concerned = await (await connection.execute(_CONCERNED, asked)).fetchall()
        rows = await (await connection.execute(_GAPS, asked | {"causes": list(map(str, CAUSES))})).fetchall()
        gaps = Gaps(*np.array(rows, dtype=np.int64).reshape(-1, 8).T)
        found = [o for o in infer(gaps, named.grid, self._rules) if since_s <= o.dark_by_s <= until_s]
        return await _keep(connection, named, gaps, found, [row[0] for row in concerned], mark_s)


async def _keep(
    connection: psycopg.AsyncConnection, named: _Named, gaps: Gaps, found: list[Outage], known: list[int], mark_s: int
) -> list[Alert]:
    """Make the outages that are known those that were found; return signs of what is new, elsewhere or larger."""
    rows = await (await connection.execute(_MEMBERS, (known,))).fetchall()
    of_meter: dict[int, list[int]] = {}
    for outage_id, meter_id in rows:
        of_meter.setdefault(meter_id, []).append(outage_id)
    shared = [Counter(i for m in gaps.meter[o.members].tolist() for i in of_meter.get(m, ())) for o in found]
    kept, signs = dict[int, int](), list[Alert]()
    # The largest share of meters decides which outage goes on as which; each goes on as one at most.
    pairs = ((count, -outage_id, number) for number, own in enumerate(shared) for outage_id, count in own.items())
    for _, negative_id, number in sorted(pairs, reverse=True):
        if number not in kept and -negative_id not in kept.values():
            kept[number] = -negative_id
    await connection.execute(_FORGET_METERS, (known,))
    for number, outage in enumerate(found):
        values = _values(named, outage)
        before = ("", 0)
        if number in kept:
            before = await _row(connection, _BEFORE, (kept[number],))
            await connection.execute(_RESTATE, values | {"outage_id": kept[number]})
        else:
            kept[number] = (await _row(connection, _OPEN, values | {"found_at": mark_s}))[0]
        if before[0] != values["element"] or before[1] < values["customers"]:
            signs.append(_sign(values, max(mark_s, outage.started.at_s) if before[0] == values["element"] else None))
        of, back = outage.members, outage.back
        columns = gaps.meter[of], gaps.lit_s[of], back.after_s, back.at_s, back.by_s
        await connection.execute(_KEEP_METERS, (kept[number], *(column.tolist() for column in columns)))
    for outage_id in set(known) - set(kept.values()):
        into = max(((own[outage_id], number) for number, own in enumerate(shared) if own[outage_id]), default=None)
        await connection.execute(_WITHDRAW, (None if into is None else kept[into[1]], outage_id))
    return signs


def _sign(values: dict[str, Any], grown_s: int | None) -> Alert:
    """Tell of an outage: since it began or, when it has grown, at the time at which that was known [s]."""
    occurred_us = (values["started_at"] if grown_s is None else grown_s) * 1_000_000
    kind, _, name = values["element"].partition("/")
    return Alert(
        # One that has grown twice within a second is told twice.
        alert_id=alert_id(AlertKind.OUTAGE, f"{values['element']} of {values['customers']}", occurred_us),
        kind=AlertKind.OUTAGE,
        severity=Severity.WARNING,
        element=values["element"],
        occurred_at=instant_of(occurred_us),
        arrived_at=instant_of(occurred_us),
        measured=values["customers"],
        expected=0.0,
        unit="customers",
        score=1.0,
        reasons=f"{values['cause']} {values['told']} of {values['customers']}",
        message=f"{kind} {name} is without power, {values['customers']:,} customers are interrupted",
    )


def _values(named: _Named, outage: Outage) -> dict[str, Any]:
    kind, name = LEVELS[outage.level], named.names[outage.level][outage.element]
    return {
        "element_kind": kind,
        "element": f"{kind}/{name}",
        "region": named.region.get((outage.level, outage.element)),
        "started_after": outage.started.after_s,
        "started_at": outage.started.at_s,
        "started_by": outage.started.by_s,
        "dark_by": outage.dark_by_s,
        "ended_after": outage.ended.after_s or None,
        "ended_at": outage.ended.at_s or None,
        "ended_by": outage.ended.by_s or None,
        "cause": str(CAUSES[outage.cause]),
        "customers": len(outage.members),
        "told": outage.told,
    }


def _spans(due: Sequence[tuple[int, int, int]]) -> Iterator[tuple[int, int, list[int]]]:
    """Yield spans of time that lie apart, with the meters that are due in each."""
    span: tuple[int, int, list[int]] | None = None
    for meter, since_s, until_s in sorted(due, key=lambda one: one[1:]):
        if span is not None and since_s <= span[1]:
            span = span[0], max(span[1], until_s), [*span[2], meter]
            continue
        if span is not None:
            yield span
        span = since_s, until_s, [meter]
    if span is not None:
        yield span


async def _grid(connection: psycopg.AsyncConnection) -> _Named:
    rows = await (await connection.execute(_GRID)).fetchall()
    regions = {name: number for number, name in enumerate(sorted({row[6] for row in rows if row[6] is not None}))}
    names = tuple[dict[int, str], ...]({} for _ in LEVELS)
    region: dict[tuple[int, int], str | None] = {}
    above = np.full((len(LEVELS), len(rows)), -1, dtype=np.int64)
    for at, (transformer, name, feeder, feeder_name, substation, substation_name, of_region, _) in enumerate(rows):
        numbers = (transformer, feeder, substation, regions.get(of_region))
        for level, (number, called) in enumerate(
            zip(numbers, (name, feeder_name, substation_name, of_region), strict=True)
        ):
            if number is not None:
                above[level, at] = number
                names[level][number] = called
                region[level, number] = of_region
    transformers, meters = (np.array([row[k] for row in rows], dtype=np.int64) for k in (0, 7))
    return _Named(Grid(transformers, above, meters), names, region)


async def _row(connection: psycopg.AsyncConnection, query: str, parameters: Any = None) -> tuple[Any, ...]:
    found: tuple[Any, ...] | None = await (await connection.execute(query.encode(), parameters)).fetchone()
    return found or (None,)
