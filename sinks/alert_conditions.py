"""What stored readings say of conditions that alerts tell of: whether they hold, and what else began meanwhile."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

import psycopg

from processors.alert_kinds import signals_of
from processors.alerts import alert_of_explained
from processors.judging import Judging
from processors.lifecycle.changes import Calm
from schemas.alert_events import AlertState
from schemas.alerts import Alert, AlertKind
from schemas.explanation import Explanation
from sinks.alert_sql import STANDING_STATUS

# Every look at readings begins where the alert was last seen, so that older pieces of the table are not opened.
_CALM = """
SELECT a.alert_id, u.last_unusual, c.readings, c.calm_at, n.newest
FROM unnest(%(ids)s::text[], %(names)s::text[], %(since)s::timestamptz[], %(needed)s::int[], %(kinds)s::text[],
            %(units)s::text[], %(traces)s::text[]) AS a (alert_id, name, since, needed, kind, unit, trace)
{join}
CROSS JOIN LATERAL (
    SELECT greatest(coalesce(max({time}), a.since){also}) AS last_unusual FROM {table} r {why}
    WHERE {mine} AND r.{time} > a.since AND (r.quality_flag = 'anomaly' OR r.anomaly_score >= %(warning)s) AND {holds}
) u
CROSS JOIN LATERAL (
    SELECT count(*)::int AS readings, max({time}) AS calm_at FROM (
        SELECT r.{time} FROM {table} r
        WHERE {mine} AND r.{time} > u.last_unusual AND r.quality_flag <> 'missing' AND {told}
        ORDER BY r.{time} LIMIT a.needed
    ) first_ones
) c
CROSS JOIN LATERAL (SELECT max(r.{time}) AS newest FROM {table} r WHERE {mine} AND r.{time} > a.since) n
"""
#: By the kind of element that an alert is about.
CALM = {
    "meter": _CALM.format(
        join="JOIN smart_meters m ON m.meter_number = a.name",
        table="meter_readings",
        time="reading_time",
        mine="r.meter_id = m.meter_id",
        also="",
        why="LEFT JOIN reading_explanations e USING (meter_id, reading_time)",
        # Of this kind, whatever else the reading is; what nobody explained may be. Rules flag for reasons of their own.
        holds="""(
        e.kind = a.kind OR a.kind = 'unusual_reading' OR (e.kind IS NULL AND r.anomaly_score >= %(warning)s)
        OR (e.kind <> 'unusual_reading' AND substring(e.contributions FROM a.trace)::float8 >= %(warning)s)
    )""",
        # Who says nothing of voltage says nothing of a sag: neither a last gasp nor a meter that sends energy only.
        told="CASE a.unit WHEN 'V' THEN r.voltage ELSE r.consumption_kwh END IS NOT NULL",
    ),
    "market": _CALM.format(
        join="""JOIN LATERAL (
    SELECT array_agg(series_id) AS ids FROM market_series
    WHERE market = split_part(a.name, '/', 1) AND symbol = substr(a.name, strpos(a.name, '/') + 1)
) s ON true""",
        table="market_ticks",
        time="tick_time",
        mine="r.series_id = ANY(s.ids)",
        # A price that is far from its neighbours' is not unusual by itself, and so without a flag.
        also=", (SELECT max(n.apart_at) FROM market_neighbours n WHERE n.series_id = ANY(s.ids))",
        why="",
        holds="true",
        told="true",
    ),
}
# The first reading of each other kind that is unusual between two moments of a meter, and of which no alert tells.
OTHER_KINDS = f"""
SELECT DISTINCT ON (a.name, e.kind) a.name, e.reading_time, e.kind, e.expected, e.band, e.unit, e.contributions,
       CASE e.unit WHEN 'V' THEN r.voltage ELSE r.consumption_kwh END AS measured, r.anomaly_score, r.arrived_at
FROM unnest(%s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[]) AS a (name, kind, since, until)
JOIN smart_meters m ON m.meter_number = a.name
JOIN reading_explanations e ON e.meter_id = m.meter_id AND e.reading_time > a.since AND e.reading_time <= a.until
JOIN meter_readings r ON r.meter_id = e.meter_id AND r.reading_time = e.reading_time
    AND r.quality_flag = 'anomaly' AND r.anomaly_score >= %s
WHERE e.kind <> a.kind AND e.expected <> 'NaN' AND NOT EXISTS (
    SELECT FROM alerts o WHERE o.element = 'meter/' || a.name AND o.kind = e.kind
    AND (o.status IN ({STANDING_STATUS}) OR coalesce(o.ended_at, o.last_seen) >= e.reading_time)
)
ORDER BY a.name, e.kind, e.reading_time
"""  # noqa: S608


class Conditions:
    """Asks the readings, inside the transaction in which what they say changes alerts.

    Args:
        connection: in that transaction.
    """

    def __init__(self, connection: psycopg.AsyncConnection) -> None:
        self._connection = connection

    async def calm(self, states: Iterable[AlertState], needed: Mapping[str, int], warning: float) -> dict[str, Calm]:
        """Return what stored readings say of the conditions of alerts, by id.

        Args:
            states: alerts of meters or of symbols; of others nothing is known.
            needed: normal readings to look for, by kind of alert.
            warning: a score from here on is unusual.
        """
        by_sort = defaultdict[str, list[AlertState]](list)
        for state in states:
            by_sort[state.element.partition("/")[0]].append(state)
        found: dict[str, Calm] = {}
        for sort, query in CALM.items():
            mine = by_sort[sort]
            parameters = {
                "ids": [state.alert_id for state in mine],
                "names": [state.element.partition("/")[2] for state in mine],
                "since": [state.last_seen for state in mine],
                "needed": [needed[state.kind] for state in mine],
                "kinds": [state.kind for state in mine],
                "units": [state.unit for state in mine],
                "traces": [_trace_of(state.kind) for state in mine],
                "warning": warning,
            }
            rows = await (await self._connection.execute(query, parameters)).fetchall() if mine else []
            found |= {alert_id: Calm(*said) for alert_id, *said in rows}
        return found

    async def other_kinds(self, over: Iterable[AlertState], judging: Judging) -> list[Alert]:
        """Return a sign of each other kind that meters showed between what ended an alert of theirs and its end.

        A worker tells of the first kind of an episode, and of another one only when that is more severe.

        Args:
            over: alerts of meters that have ended, `last_seen` being when the condition last held.
            judging: scores from which something is unusual, and critical.
        """
        spans = [(s.element.partition("/")[2], s.kind, s.last_seen, s.ended_at) for s in over]
        if not spans:
            return []
        asked = [*(list(column) for column in zip(*spans, strict=True)), judging.warning]
        rows = await (await self._connection.execute(OTHER_KINDS, asked)).fetchall()
        return [
            alert_of_explained(name, Explanation(*why), measured, score, judging.critical, (at, arrived_at))
            for name, at, *why, measured, score, arrived_at in rows
        ]


def _trace_of(kind: AlertKind) -> str | None:
    """Return what finds the score of a kind's rarest signal among what contributed to a reading; None without any."""
    signals = signals_of(kind)
    return rf"\m(?:{'|'.join(signals)}) ([0-9.]+)" if signals else None
