"""What the engine said about a span of time: flags, rules, alerts and rejects from its database, as signs.

Of a fleet or of markets: a database may hold both, and neither is a false alarm about the other.
"""

import base64
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

import numpy as np
import orjson

from simulators.garbage import digest
from simulators.score import Signs
from stream.database import connected

_FLAGS: LiteralString = """
SELECT 'flag/' || r.quality_flag, m.meter_number, r.reading_time
  FROM meter_readings r JOIN smart_meters m USING (meter_id)
 WHERE r.reading_time > %(since)s AND r.reading_time <= %(until)s AND r.quality_flag NOT IN ('normal', 'missing')
"""
_RULES: LiteralString = """
SELECT 'rule/' || v.rule, m.meter_number, r.reading_time
  FROM meter_readings r JOIN smart_meters m USING (meter_id)
  JOIN vee_rules v ON (r.failed_rules | r.warned_rules) & (1::bigint << v.bit::int) <> 0
 WHERE r.reading_time > %(since)s AND r.reading_time <= %(until)s AND (r.failed_rules <> 0 OR r.warned_rules <> 0)
"""
_ALERTS: LiteralString = """
SELECT 'alert/' || kind, substr(element, position('/' in element) + 1), occurred_at
  FROM alert_signs
 WHERE occurred_at > %(since)s AND occurred_at <= %(until)s AND (element LIKE 'market/%%') = %(markets)s
   AND kind <> 'outage'
"""
# Of an outage one alert is raised, and each of its meters is what it says something of.
_OUTAGES: LiteralString = """
SELECT 'alert/outage', m.meter_number, o.dark_by
  FROM grid_outages o JOIN grid_outage_meters USING (outage_id) JOIN smart_meters m USING (meter_id)
 WHERE o.dark_by > %(since)s AND o.dark_by <= %(until)s AND NOT o.withdrawn
"""
_REJECTS: LiteralString = """
SELECT 'reject/' || reason, meter_number, payload, payload_encoding FROM rejected_readings
"""
_TICK_FLAGS: LiteralString = """
SELECT 'flag/' || t.quality_flag, s.market || '/' || s.symbol, t.tick_time
  FROM market_ticks t JOIN market_series s USING (series_id)
 WHERE t.tick_time > %(since)s AND t.tick_time <= %(until)s AND t.quality_flag NOT IN ('normal', 'missing')
"""
_WATCHED_SYMBOLS: LiteralString = """
SELECT count(DISTINCT (s.market, s.symbol)) FROM market_ticks t JOIN market_series s USING (series_id)
 WHERE t.tick_time > %(since)s AND t.tick_time <= %(until)s
"""
_WATCHED: LiteralString = """
SELECT count(DISTINCT meter_id) FROM meter_readings WHERE reading_time > %(since)s AND reading_time <= %(until)s
"""


@dataclass(frozen=True)
class Evidence:
    """What was said, and about how much.

    Attributes:
        signs: what was said.
        meter_days: meters, or symbols of markets, that sent anything, times days.
    """

    signs: Signs
    meter_days: float


def gather(database_url: str, since: datetime, until: datetime, *, markets: bool = False) -> Evidence:
    """Read what the engine said about readings, or ticks, of (since, until].

    Args:
        database_url: of the engine's database.
        since: begin of the run.
        until: end of the run.
        markets: whether markets were simulated, not a fleet.

    Raises:
        ServiceUnavailable: the database does not answer.
        ConfigurationError: it has not been migrated.
    """
    span = {"since": since, "until": until, "markets": markets}
    flags, watched = ((_TICK_FLAGS,), _WATCHED_SYMBOLS) if markets else ((_FLAGS, _RULES, _OUTAGES), _WATCHED)
    with connected(database_url) as connection:
        # A database of before ticks were stored has alerts at most.
        (stored,) = connection.execute("SELECT to_regclass('market_ticks') IS NOT NULL").fetchone() or (False,)
        known = stored or not markets
        placed = [
            row for query in ((*flags, _ALERTS) if known else (_ALERTS,)) for row in connection.execute(query, span)
        ]
        rejects = _Rejects([] if markets else connection.execute(_REJECTS), since, until)
        (count,) = (connection.execute(watched, span).fetchone() or (0,)) if known else (0,)
    days = (until - since).total_seconds() / 86_400
    return Evidence(_signs([*placed, *rejects.placed], rejects), count * days)


def _signs(rows: list[tuple[str, str, datetime]], rejects: "_Rejects") -> Signs:
    times = np.array([round(moment.timestamp() * 1e6) for _, _, moment in rows], dtype=np.int64)
    kinds, places = [kind for kind, _, _ in rows], [place for _, place, _ in rows]
    return Signs(kinds, places, times, dict(rejects.unplaced), rejects.content)


class _Rejects:
    """Rejects by meter and time; those that say neither by their bytes, so that labelled garbage is recognised."""

    def __init__(self, rows: Iterable[tuple[Any, ...]], since: datetime, until: datetime) -> None:
        self.placed: list[tuple[str, str, datetime]] = []
        self.unplaced: Counter[str] = Counter()
        self.content: dict[str, str] = {}
        for kind, meter, payload, encoding in rows:
            moment = _moment(payload)
            if meter is not None and moment is not None:
                if since < moment <= until:
                    self.placed.append((kind, meter, moment))
                continue
            name = digest(payload.encode() if encoding == "utf-8" else base64.b64decode(payload))
            # The same bytes can be rejected for one reason only, unless the engine has changed its mind.
            if name in self.content:
                self.unplaced[kind] += 1
            else:
                self.content[name] = kind


def _moment(payload: str) -> datetime | None:
    """Return the time that a rejected reading gives, where it is one."""
    try:
        content = orjson.loads(payload)
        moment = datetime.fromisoformat(content["reading_time"])
    except (ValueError, TypeError, KeyError):
        return None
    return moment if moment.tzinfo else None
