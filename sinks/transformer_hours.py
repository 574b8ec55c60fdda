"""Energy of transformers by the hour, from best values: what their own meters say, and what their customers' do.

Whatever changes an hour makes it due (triggers on windows and on values), and it is counted anew as a whole, so that
nothing counts twice. Unlike windows, which hold the ends of intervals from their start on, an hour here holds those of
(hour, hour + 1 h], so that meters of different intervals are compared over the same time.
"""

import psycopg

from schemas.meter_class import TRANSFORMER_METERS

#: Hours counted in one transaction.
_AT_ONCE = 2_000

# A meter sends as often as it is known to; of one that nobody has watched long enough, what came is taken for all.
_COUNT = f"""
WITH noted AS (
    DELETE FROM transformer_hours_due WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM transformer_hours_due ORDER BY hour, transformer_id LIMIT {_AT_ONCE}
    )) RETURNING transformer_id, hour
), due AS (
    SELECT DISTINCT transformer_id, hour FROM noted
), members AS (
    SELECT d.transformer_id, d.hour, p.meter_id, p.customer_class = '{TRANSFORMER_METERS}' AS own,
           m.status = 'active' AND coalesce(i.since < d.hour + interval '1 hour', true) AS sends,
           greatest(1, 3600 / i.interval_s) AS usual
    FROM due d
    CROSS JOIN LATERAL (SELECT DISTINCT k.meter_id FROM meter_moves k
                        WHERE k.transformer_id = d.transformer_id AND k.valid_from <= d.hour) c
    CROSS JOIN LATERAL (SELECT k.* FROM meter_moves k WHERE k.meter_id = c.meter_id AND k.valid_from <= d.hour
                        ORDER BY k.valid_from DESC LIMIT 1) p
    JOIN smart_meters m ON m.meter_id = p.meter_id
    LEFT JOIN meter_intervals i ON i.meter_id = p.meter_id
    -- An hour of which readings may have been dropped stays as it was counted.
    WHERE p.transformer_id = d.transformer_id AND d.hour >= readings_kept_since()
), valued AS (
    SELECT s.*, v.uwh, v.export_uwh, v.received, v.estimated,
           CASE WHEN s.sends THEN coalesce(s.usual, greatest(1, v.received)) ELSE 0 END AS expected
    FROM members s
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(round(b.consumption_kwh * 1e9)::bigint), 0) AS uwh,
               coalesce(sum(round(b.export_kwh * 1e9)::bigint), 0) AS export_uwh,
               count(coalesce(b.consumption_kwh, b.export_kwh)) AS received,
               count(b.consumption_kwh) FILTER (WHERE b.kind = 'estimate') AS estimated
        FROM best_values b
        WHERE b.meter_id = s.meter_id
          AND b.reading_time > s.hour AND b.reading_time <= s.hour + interval '1 hour'
    ) v
)
INSERT INTO transformer_hours AS h (transformer_id, hour, own_uwh, own_export_uwh, own_expected, own_received,
    customers, customers_uwh, customers_export_uwh, expected, received, estimated)
SELECT transformer_id, hour, coalesce(sum(uwh) FILTER (WHERE own), 0), coalesce(sum(export_uwh) FILTER (WHERE own), 0),
       coalesce(sum(expected) FILTER (WHERE own), 0), coalesce(sum(least(received, expected)) FILTER (WHERE own), 0),
       count(*) FILTER (WHERE NOT own),
       coalesce(sum(uwh) FILTER (WHERE NOT own), 0), coalesce(sum(export_uwh) FILTER (WHERE NOT own), 0),
       coalesce(sum(expected) FILTER (WHERE NOT own), 0),
       coalesce(sum(least(received, expected)) FILTER (WHERE NOT own), 0),
       coalesce(sum(least(estimated, expected)) FILTER (WHERE NOT own), 0)
FROM valued GROUP BY transformer_id, hour
ON CONFLICT (transformer_id, hour) DO UPDATE
SET own_uwh = excluded.own_uwh, own_export_uwh = excluded.own_export_uwh, own_expected = excluded.own_expected,
    own_received = excluded.own_received, customers = excluded.customers, customers_uwh = excluded.customers_uwh,
    customers_export_uwh = excluded.customers_export_uwh, expected = excluded.expected, received = excluded.received,
    estimated = excluded.estimated, revision = h.revision + 1
WHERE (h.own_uwh, h.own_export_uwh, h.own_expected, h.own_received, h.customers, h.customers_uwh,
       h.customers_export_uwh, h.expected, h.received, h.estimated)
      IS DISTINCT FROM (excluded.own_uwh, excluded.own_export_uwh, excluded.own_expected, excluded.own_received,
                        excluded.customers, excluded.customers_uwh, excluded.customers_export_uwh, excluded.expected,
                        excluded.received, excluded.estimated)
"""  # noqa: S608 - constants of the engine
_DUE = "SELECT FROM transformer_hours_due LIMIT 1"


async def count_hours(connection: psycopg.AsyncConnection) -> bool:
    """Count some hours that are due; in the caller's transaction.

    Returns: whether there were any.
    """
    if await (await connection.execute(_DUE)).fetchone() is None:
        return False
    await connection.execute(_COUNT)
    return True
