"""New values of intervals in the database: appended under the next version, with author, reason and time.

Guarantee: nothing that is there changes; what would say the same again is not written, and neither an estimate nor a
newer rule set comes on top of what a person has decided.
"""

import numpy as np
import psycopg

from schemas.quality import FLAGS
from schemas.values import Audit, ValueKind, Values

_KEEP = """
WITH given AS (
    SELECT g.meter_id, timestamptz 'epoch' + g.time_us * interval '1 microsecond' AS reading_time,
           g.over_reading, g.kwh, g.flag::quality_flag AS flag, g.failed, g.warned, g.method,
           g.confidence::real AS confidence, g.nem12, g.espi,
           g.export_kwh, nullif(g.export_method, '') AS export_method, g.export_confidence::real AS export_confidence
    FROM unnest(%(meter_id)s::bigint[], %(time_us)s::bigint[], %(over_reading)s::boolean[], %(kwh)s::float8[],
                %(flag)s::text[], %(failed)s::bigint[], %(warned)s::bigint[], %(method)s::text[],
                %(confidence)s::float8[], %(nem12)s::text[], %(espi)s::smallint[], %(export_kwh)s::float8[],
                %(export_method)s::text[], %(export_confidence)s::float8[])
         AS g (meter_id, time_us, over_reading, kwh, flag, failed, warned, method, confidence, nem12, espi,
               export_kwh, export_method, export_confidence)
)
INSERT INTO vee_values (meter_id, reading_time, version, kind, over_reading, consumption_kwh, quality_flag,
                        failed_rules, warned_rules, rule_set, method, confidence, nem12_quality, espi_quality,
                        author, reason, export_kwh, export_method, export_confidence)
SELECT g.meter_id, g.reading_time, coalesce(n.version, 0) + 1, %(kind)s, g.over_reading, g.kwh, g.flag, g.failed,
       g.warned, %(rule_set)s, g.method, g.confidence, g.nem12, g.espi, %(author)s, %(reason)s,
       CASE WHEN %(kind)s IN ('accept', 'edit') THEN coalesce(g.export_kwh, n.export_kwh) ELSE g.export_kwh END,
       g.export_method, g.export_confidence
FROM given g
LEFT JOIN LATERAL (
    SELECT * FROM vee_values v WHERE v.meter_id = g.meter_id AND v.reading_time = g.reading_time
    ORDER BY v.version DESC LIMIT 1
) n ON true
WHERE n.version IS NULL
   OR n.kind <> ALL(%(stays)s::text[])
  AND ((n.kind, n.consumption_kwh, n.method, n.quality_flag, n.failed_rules, n.warned_rules)
       IS DISTINCT FROM (%(kind)s, g.kwh, g.method, g.flag, g.failed, g.warned)
       OR %(kind)s = 'estimate' AND (n.export_kwh, n.export_method) IS DISTINCT FROM (g.export_kwh, g.export_method))
"""
#: What new values of a kind never come on top of. What a person has rejected may be estimated.
_STAYS = {ValueKind.ESTIMATE: ["edit", "accept"], ValueKind.RERUN: ["edit", "accept", "reject"]}


def keep_values(connection: psycopg.Connection, values: Values, audit: Audit) -> int:
    """Append values.

    Args:
        connection: to the database.
        values: of any meters.
        audit: who makes them, and why.

    Returns: how many were new; the others are there already, or a person has decided otherwise.
    """
    if not len(values):
        return 0
    columns = {
        "meter_id": values.meter_id.tolist(),
        "time_us": values.time_us.tolist(),
        "over_reading": values.over_reading.tolist(),
        "kwh": _nullable(values.kwh),
        "flag": [str(FLAGS[code]) for code in values.flag],
        "failed": values.failed.tolist(),
        "warned": values.warned.tolist(),
        "method": values.method.tolist(),
        "confidence": _nullable(values.confidence),
        "nem12": values.nem12.tolist(),
        "espi": values.espi.tolist(),
        "export_kwh": _nullable(values.export_kwh),
        "export_method": values.export_method.tolist(),
        "export_confidence": _nullable(values.export_confidence),
    }
    who = {
        "kind": str(audit.kind),
        "author": audit.author,
        "reason": audit.reason,
        "rule_set": audit.rule_set,
        "stays": _STAYS.get(audit.kind, []),
    }
    return connection.execute(_KEEP, columns | who).rowcount


def _nullable(values: np.typing.NDArray[np.float64]) -> list[float | None]:
    return [None if value != value else value for value in values.tolist()]  # noqa: PLR0124 - NaN is null
