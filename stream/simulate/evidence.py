"""What the engine said about a span of time: flags and alerts and rejects from its database, as signs."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

import numpy as np
import orjson

from simulators.score import Signs
from stream.database import connected

_FLAGS: LiteralString = """
SELECT 'flag/' || r.quality_flag, m.meter_number, r.reading_time
  FROM meter_readings r JOIN smart_meters m USING (meter_id)
 WHERE r.reading_time > %(since)s AND r.reading_time <= %(until)s AND r.quality_flag NOT IN ('normal', 'missing')
"""
_ALERTS: LiteralString = """
SELECT 'alert/' || kind, split_part(element, '/', 2), occurred_at
  FROM alerts WHERE occurred_at > %(since)s AND occurred_at <= %(until)s
"""
_REJECTS: LiteralString = """
SELECT 'reject/' || reason, meter_number, payload FROM rejected_readings
"""
_WATCHED: LiteralString = """
SELECT count(DISTINCT meter_id) FROM meter_readings WHERE reading_time > %(since)s AND reading_time <= %(until)s
"""


@dataclass(frozen=True)
class Evidence:
    """What was said, and about how much.

    Attributes:
        signs: what was said.
        meter_days: meters that sent anything, times days.
    """

    signs: Signs
    meter_days: float


def gather(database_url: str, since: datetime, until: datetime) -> Evidence:
    """Read what the engine said about readings of (since, until].

    Raises:
        ServiceUnavailable: the database does not answer.
        ConfigurationError: it has not been migrated.
    """
    span = {"since": since, "until": until}
    with connected(database_url) as connection:
        placed = [row for query in (_FLAGS, _ALERTS) for row in connection.execute(query, span)]
        rejects, unplaced = _placed(connection.execute(_REJECTS), since, until)
        (meters,) = connection.execute(_WATCHED, span).fetchone() or (0,)
    days = (until - since).total_seconds() / 86_400
    return Evidence(_signs([*placed, *rejects], unplaced), meters * days)


def _signs(rows: list[tuple[str, str, datetime]], unplaced: dict[str, int]) -> Signs:
    times = np.array([round(moment.timestamp() * 1e6) for _, _, moment in rows], dtype=np.int64)
    return Signs([kind for kind, _, _ in rows], [place for _, place, _ in rows], times, unplaced)


def _placed(
    rejects: Iterable[tuple[Any, ...]], since: datetime, until: datetime
) -> tuple[list[tuple[str, str, datetime]], dict[str, int]]:
    """Find meter and time of rejects; those that say neither are only counted."""
    found: list[tuple[str, str, datetime]] = []
    unplaced: Counter[str] = Counter()
    for kind, meter, payload in rejects:
        moment = _moment(payload)
        if meter is None or moment is None:
            unplaced[kind] += 1
        elif since < moment <= until:
            found.append((kind, meter, moment))
    return found, dict(unplaced)


def _moment(payload: str) -> datetime | None:
    """Return the time that a rejected reading gives, where it is one."""
    try:
        content = orjson.loads(payload)
        moment = datetime.fromisoformat(content["reading_time"])
    except (ValueError, TypeError, KeyError):
        return None
    return moment if moment.tzinfo else None
