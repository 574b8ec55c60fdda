-- Between which times power went and came back, and which of them is the likeliest. A last gasp and a word that power is
-- back say it to the second; silence only to an interval between readings, whose middle is neither early nor late on
-- average. What was inferred before has no bounds: it stays as it was told, until it is inferred again.

ALTER TABLE supply_gaps ADD COLUMN back_told boolean NOT NULL DEFAULT false;
UPDATE supply_gaps g SET back_told = true
WHERE g.back_at IS NOT NULL
  AND (g.cause = 'power_up' OR EXISTS (SELECT FROM meter_readings r WHERE r.meter_id = g.meter_id
       AND r.reading_time >= g.back_at AND r.reading_time < g.back_at + interval '1 second' AND r.source_quality = 'power_up'));

ALTER TABLE grid_outages ADD COLUMN started_after timestamptz, ADD COLUMN started_by timestamptz,
    ADD COLUMN ended_after timestamptz, ADD COLUMN ended_by timestamptz;
ALTER TABLE grid_outage_meters ADD COLUMN back_after timestamptz, ADD COLUMN back_at timestamptz, ADD COLUMN back_by timestamptz;

CREATE OR REPLACE FUNCTION restate_supply(meters bigint[], times timestamptz[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE g supply_gaps;
BEGIN
    FOR g IN SELECT DISTINCT s.* FROM unnest(meters, times) AS k (meter_id, at)
             JOIN supply_gaps s ON s.meter_id = k.meter_id AND s.lit_at < k.at AND s.back_at > k.at
             ORDER BY s.meter_id, s.lit_at
    LOOP
        DELETE FROM supply_gaps s WHERE s.meter_id = g.meter_id AND s.lit_at = g.lit_at;
        INSERT INTO supply_gaps (meter_id, lit_at, dark_at, back_at, interval_s, cause, back_told)
        WITH messages AS (
            SELECT m.at, bool_and(m.dark) AS dark, bool_or(m.up) AS up FROM (
                SELECT date_trunc('second', r.reading_time) AS at, r.source_quality IS NOT DISTINCT FROM 'last_gasp' AS dark,
                       r.source_quality IS NOT DISTINCT FROM 'power_up' AS up
                FROM meter_readings r WHERE r.meter_id = g.meter_id
                  AND r.reading_time >= g.lit_at AND r.reading_time < g.back_at + interval '1 second'
                UNION ALL SELECT g.dark_at, true, false WHERE g.dark_at IS NOT NULL
                UNION ALL SELECT g.lit_at, false, false
                UNION ALL SELECT g.back_at, false, g.back_told
            ) m GROUP BY m.at
        ), numbered AS (
            SELECT m.*, count(*) FILTER (WHERE NOT m.dark) OVER (ORDER BY m.at) AS span FROM messages m
        ), spans AS (
            SELECT min(n.at) FILTER (WHERE NOT n.dark) AS lit_at, min(n.at) FILTER (WHERE n.dark) AS dark_at,
                   bool_or(n.up) AS up FROM numbered n GROUP BY n.span
        ), cut AS (
            SELECT c.lit_at, c.dark_at, lead(c.lit_at) OVER w AS back_at, lead(c.up) OVER w AS back_up
            FROM spans c WINDOW w AS (ORDER BY c.lit_at)
        )
        SELECT g.meter_id, c.lit_at, c.dark_at, c.back_at, g.interval_s,
               CASE WHEN c.dark_at IS NOT NULL AND c.dark_at = g.dark_at THEN g.cause
                    WHEN c.dark_at IS NOT NULL THEN 'last_gasp'
                    WHEN c.back_up THEN 'power_up' ELSE 'silence' END, coalesce(c.back_up, false)
        FROM cut c
        WHERE c.back_at IS NOT NULL AND (c.dark_at IS NOT NULL OR c.back_up OR g.interval_s > 0
              AND extract(epoch FROM c.back_at - c.lit_at) > 2.25 * g.interval_s);
    END LOOP;
END
$$;

DROP VIEW reliability_months;
DROP FUNCTION reliability(timestamptz, timestamptz, interval);

-- Each customer of each outage; one who has no power yet had none up to the newest reading of anybody. Minutes without
-- power, and how few and how many they can have been.
CREATE OR REPLACE VIEW grid_interruptions AS
SELECT v.outage_id, v.element, v.region, v.meter_id, v.started_at, v.off_at, v.back_at,
       extract(epoch FROM coalesce(v.back_at, n.newest) - v.off_at)::double precision / 60 AS minutes,
       v.off_after, v.off_by, v.back_after, v.back_by,
       greatest(0, extract(epoch FROM coalesce(v.back_after, n.newest) - v.off_by)::double precision / 60) AS minutes_least,
       extract(epoch FROM coalesce(v.back_by, n.newest) - v.off_after)::double precision / 60 AS minutes_most
FROM (
    SELECT o.outage_id, o.element, o.region, m.meter_id, o.started_at,
           greatest(coalesce(o.started_after, o.started_at), g.lit_at) AS off_after, greatest(o.started_at, g.lit_at) AS off_at,
           greatest(coalesce(o.started_by, o.started_at), g.lit_at) AS off_by, coalesce(m.back_after, g.back_at) AS back_after,
           coalesce(m.back_at, g.back_at) AS back_at, coalesce(m.back_by, g.back_at) AS back_by
    FROM grid_outages o
    JOIN grid_outage_meters m USING (outage_id)
    JOIN supply_gaps g USING (meter_id, lit_at)
    WHERE NOT o.withdrawn
) v
CROSS JOIN (
    SELECT to_timestamp(max(watermark_us) / 1000000) AS newest FROM stream_offsets
    WHERE topic = 'meters.raw' AND watermark_us > -9223372036854775808
) n;

-- IEEE Std 1366-2012, clause 3: SAIDI is customer minutes interrupted over customers served, SAIFI customer interruptions
-- over customers served, CAIDI their ratio; of sustained interruptions, longer than five minutes, by when they began.
-- Customers served are those at the end of the span. Of the same interruptions, how little and how much SAIDI can be.
CREATE FUNCTION reliability(since timestamptz, until timestamptz, longer_than interval DEFAULT '5 minutes')
RETURNS TABLE (region text, customers bigint, outages bigint, customer_interruptions bigint, customer_minutes double precision,
               saidi_minutes double precision, saifi double precision, caidi_minutes double precision,
               saidi_least double precision, saidi_most double precision)
LANGUAGE sql STABLE AS $$
    SELECT c.region, c.customers, coalesce(i.outages, 0), coalesce(i.interruptions, 0), coalesce(i.minutes, 0),
           coalesce(i.minutes, 0) / c.customers, coalesce(i.interruptions, 0)::double precision / c.customers,
           i.minutes / i.interruptions, coalesce(i.least, 0) / c.customers, coalesce(i.most, 0) / c.customers
    FROM customers_served(least(until, now())) c
    LEFT JOIN (
        SELECT v.region, count(DISTINCT v.outage_id) AS outages, count(*) AS interruptions, sum(v.minutes) AS minutes,
               sum(v.minutes_least) AS least, sum(v.minutes_most) AS most
        FROM grid_interruptions v
        WHERE v.started_at >= since AND v.started_at < until AND v.minutes * interval '1 minute' > longer_than
        GROUP BY v.region
    ) i USING (region)
    ORDER BY c.region
$$;

-- The same by local month of each region, of months in which anybody was interrupted.
CREATE VIEW reliability_months AS
SELECT r.region, k.month, r.customers, r.outages, r.customer_interruptions, r.customer_minutes, r.saidi_minutes, r.saifi,
       r.caidi_minutes, r.saidi_least, r.saidi_most
FROM (
    SELECT DISTINCT o.region, coalesce(z.timezone, 'UTC') AS timezone,
           date_trunc('month', o.started_at AT TIME ZONE coalesce(z.timezone, 'UTC')) AS month
    FROM grid_outages o LEFT JOIN region_clocks z USING (region) WHERE NOT o.withdrawn AND o.region IS NOT NULL
) k
CROSS JOIN LATERAL reliability(k.month AT TIME ZONE k.timezone, (k.month + interval '1 month') AT TIME ZONE k.timezone) r
WHERE r.region = k.region;
