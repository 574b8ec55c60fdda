"""The statements that examinations of the grid read by."""

from schemas.meter_class import TRANSFORMER_METERS

#: How far each examination has looked [s since 1970-01-01 UTC].
EXAMINED = "SELECT examination, extract(epoch FROM until)::bigint FROM grid_examined"
NOTE_EXAMINED = """
INSERT INTO grid_examined (examination, until) VALUES (%s, to_timestamp(%s))
ON CONFLICT (examination) DO UPDATE SET until = excluded.until
"""
# Ends of the newest quarter-hour that has closed and of the newest hour that was counted.
NEWEST_QUARTER = """
SELECT extract(epoch FROM max(window_start))::bigint + 900 FROM element_totals
WHERE window_s = 900 AND element = 'grid' AND customer_class = '*'
"""
NEWEST_HOUR = "SELECT extract(epoch FROM max(hour))::bigint + 3600 FROM transformer_hours"

# Transformers that have carried more than a share of their rating at any time of the span.
BUSY = """
SELECT DISTINCT transformer_id FROM transformer_loading
WHERE EXISTS (SELECT FROM transformers WHERE rating_kva IS NOT NULL)
  AND window_start >= to_timestamp(%(since)s) AND window_start < to_timestamp(%(until)s) AND loading >= %(share)s
"""
# A meter that sends seldom shows all of an interval in the quarter-hour in which that ends.
LOADS = f"""
SELECT l.transformer_id, l.transformer, extract(epoch FROM l.window_start)::bigint, l.loading, l.rating_kva,
       l.measured_by = 'own_meter', coalesce(k.interval_s, 900)
FROM transformer_loading l
LEFT JOIN (
    SELECT m.transformer_id, m.customer_class IS NOT DISTINCT FROM '{TRANSFORMER_METERS}' AS own,
           max(i.interval_s) AS interval_s
    FROM smart_meters m JOIN meter_intervals i USING (meter_id)
    WHERE m.transformer_id = ANY(%(transformers)s) GROUP BY 1, 2
) k ON k.transformer_id = l.transformer_id AND k.own = (l.measured_by = 'own_meter')
WHERE l.window_start >= to_timestamp(%(since)s) AND l.window_start < to_timestamp(%(until)s)
  AND l.transformer_id = ANY(%(transformers)s) AND l.loading IS NOT NULL
ORDER BY l.transformer_id, l.window_start
"""  # noqa: S608 - a constant of the engine

HOURS = """
SELECT h.transformer_id, extract(epoch FROM h.hour)::bigint, (h.own_uwh - h.own_export_uwh) / 1e9::float8,
       (h.customers_uwh - h.customers_export_uwh) / 1e9::float8, h.customers_export_uwh / 1e9::float8,
       (h.received >= h.expected AND h.own_received >= h.own_expected AND h.own_expected > 0 AND h.expected > 0)::int
FROM transformer_hours h
WHERE h.hour >= to_timestamp(%(since)s) AND h.hour < to_timestamp(%(until)s)
ORDER BY h.transformer_id, h.hour
"""
METERED = """
SELECT t.transformer_id, t.name, t.rating_kva, coalesce(f.substation_id, 0)
FROM transformers t LEFT JOIN feeders f USING (feeder_id)
WHERE t.transformer_id = ANY(%s) ORDER BY t.transformer_id
"""
# Customers of some transformers, where they stand at the end, hour by hour.
PROFILES = f"""
SELECT k.meter_id, k.transformer_id,
       extract(epoch FROM date_trunc('hour', b.reading_time - interval '1 microsecond', 'UTC'))::bigint,
       sum(coalesce(b.consumption_kwh, 0) - coalesce(b.export_kwh, 0))
FROM (
    SELECT DISTINCT ON (p.meter_id) p.meter_id, p.transformer_id, p.customer_class
    FROM meter_moves p
    WHERE p.meter_id IN (SELECT meter_id FROM meter_moves WHERE transformer_id = ANY(%(transformers)s))
      AND p.valid_from < to_timestamp(%(until)s)
    ORDER BY p.meter_id, p.valid_from DESC
) k
JOIN best_values b ON b.meter_id = k.meter_id
 AND b.reading_time > to_timestamp(%(since)s) AND b.reading_time <= to_timestamp(%(until)s)
WHERE k.transformer_id = ANY(%(transformers)s) AND k.customer_class <> '{TRANSFORMER_METERS}'
GROUP BY k.meter_id, k.transformer_id, 3
"""  # noqa: S608 - a constant of the engine
NUMBERS = "SELECT meter_id, meter_number FROM smart_meters WHERE meter_id = ANY(%s) ORDER BY meter_id"
KEEP_LOSSES = """
INSERT INTO transformer_losses AS l
    (transformer_id, no_load_kwh, share, per_kwh, hours, sound, scatter_kwh, since, until)
SELECT t, a, b, c, h, s, k, to_timestamp(%s), to_timestamp(%s)
FROM unnest(%s::bigint[], %s::float8[], %s::float8[], %s::float8[], %s::int[], %s::int[], %s::float8[])
    AS n (t, a, b, c, h, s, k)
ON CONFLICT (transformer_id) DO UPDATE SET no_load_kwh = excluded.no_load_kwh, share = excluded.share,
    per_kwh = excluded.per_kwh, hours = excluded.hours, sound = excluded.sound, scatter_kwh = excluded.scatter_kwh,
    since = excluded.since, until = excluded.until
"""
KEEP_PHASES = """
INSERT INTO phase_hours (transformer_id, hour, own, phase, meters, voltage, current_amps)
SELECT transformer_id, hour, own, phase, meters, voltage, current_amps
FROM phase_means(to_timestamp(%(since)s), to_timestamp(%(until)s))
ON CONFLICT (transformer_id, hour, own, phase) DO UPDATE
SET meters = excluded.meters, voltage = excluded.voltage, current_amps = excluded.current_amps
"""
PHASES = """
SELECT p.transformer_id, t.name, extract(epoch FROM p.hour)::bigint, p.own::int, p.phase, p.meters, p.voltage
FROM phase_hours p JOIN transformers t USING (transformer_id)
WHERE p.hour >= to_timestamp(%(since)s) AND p.hour < to_timestamp(%(until)s)
ORDER BY 1, 3, 4, 5
"""
