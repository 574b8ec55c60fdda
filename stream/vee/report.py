"""What VEE came to in a span of time: rules, completeness, estimates, and the meters that were worst."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import psycopg

_RULES = """
SELECT v.rule, v.reason,
       count(*) FILTER (WHERE r.failed_rules & (1::bigint << v.bit::int) <> 0),
       count(*) FILTER (WHERE r.warned_rules & (1::bigint << v.bit::int) <> 0)
FROM vee_rules v
LEFT JOIN best_values r ON (r.failed_rules | r.warned_rules) & (1::bigint << v.bit::int) <> 0
    AND r.reading_time > %(since)s AND r.reading_time <= %(until)s
GROUP BY v.bit, v.rule, v.reason ORDER BY v.bit
"""
# A meter is expected as often as it usually sends, from its first reading of the span to its last one.
_METERS = """
WITH usual AS (
    SELECT meter_id, mode() WITHIN GROUP (ORDER BY gap) AS step, min(reading_time) AS first, max(reading_time) AS last,
           count(*) AS received
    FROM (SELECT meter_id, reading_time,
                 reading_time - lag(reading_time) OVER (PARTITION BY meter_id ORDER BY reading_time) AS gap
          FROM meter_readings WHERE reading_time > %(since)s AND reading_time <= %(until)s) gaps
    GROUP BY meter_id
), valued AS (
    SELECT meter_id, count(consumption_kwh) AS valued, count(*) FILTER (WHERE kind = 'estimate') AS estimated,
           count(*) FILTER (WHERE kind IN ('edit', 'accept', 'reject')) AS decided,
           count(*) FILTER (WHERE failed_rules <> 0) AS failed
    FROM best_values WHERE reading_time > %(since)s AND reading_time <= %(until)s GROUP BY meter_id
)
SELECT m.meter_number, coalesce(u.received, 0),
       greatest(coalesce(round(extract(epoch FROM u.last - u.first) / nullif(extract(epoch FROM u.step), 0)) + 1,
                         u.received, v.valued), v.valued)::bigint,
       v.valued, v.estimated, v.decided, v.failed
FROM valued v LEFT JOIN usual u USING (meter_id) JOIN smart_meters m USING (meter_id)
"""


@dataclass(frozen=True)
class RuleCount:
    """Intervals of the span that a rule failed, warned of, and passed."""

    rule: str
    reason: str
    failed: int
    warned: int
    passed: int


@dataclass(frozen=True)
class MeterCount:
    """One meter in the span: readings received; intervals expected, with a value, estimated, decided, failing."""

    meter: str
    received: int
    expected: int
    valued: int
    estimated: int
    decided: int
    failed: int


@dataclass(frozen=True)
class Report:
    """A span of time.

    Attributes:
        meters: meters with any value.
        received: readings.
        expected: intervals from each meter's first to its last reading.
        valued: intervals with a value that is to be used.
        estimated: how many of these are estimates.
        decided: intervals that a person has decided.
        rules: every rule.
        worst: the meters with most intervals that lack a value, are estimated or fail a rule, the worst first.
    """

    meters: int
    received: int
    expected: int
    valued: int
    estimated: int
    decided: int
    rules: list[RuleCount]
    worst: list[MeterCount]

    @property
    def completeness(self) -> float:
        """Share of expected intervals that have a value."""
        return self.valued / self.expected if self.expected else 1.0

    def as_json(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self) | {"completeness": self.completeness}


def report(connection: psycopg.Connection, since: datetime, until: datetime, most: int = 10) -> Report:
    """Sum up (since, until].

    Args:
        connection: to the database.
        since: begin of the span.
        until: its end.
        most: how many of the worst meters are named.
    """
    span = {"since": since, "until": until}
    meters = [MeterCount(*row) for row in connection.execute(_METERS, span)]
    valued = sum(meter.valued for meter in meters)
    rules = [
        RuleCount(rule, reason, failed, warned, max(valued - failed - warned, 0))
        for rule, reason, failed, warned in connection.execute(_RULES, span)
    ]
    worst = sorted(meters, key=lambda meter: (-_trouble(meter), meter.meter))[:most]
    return Report(
        meters=len(meters),
        received=sum(meter.received for meter in meters),
        expected=sum(meter.expected for meter in meters),
        valued=valued,
        estimated=sum(meter.estimated for meter in meters),
        decided=sum(meter.decided for meter in meters),
        rules=rules,
        worst=[meter for meter in worst if _trouble(meter)],
    )


def _trouble(meter: MeterCount) -> int:
    return meter.expected - meter.valued + meter.estimated + meter.failed
