-- Outages: spans in which meters had no power, what explains them, and what comes of them for customers.

-- Between two messages with power, lit_at and back_at (null: it lasts), at least two readings of the meter are missing, or
-- it said itself that its power was gone (from dark_at on) or had come back. Whole seconds. A meter has one open gap.
CREATE TABLE supply_gaps (
    meter_id   bigint NOT NULL,
    lit_at     timestamptz NOT NULL,
    dark_at    timestamptz,
    back_at    timestamptz,
    interval_s integer NOT NULL,
    cause      text NOT NULL CHECK (cause IN ('silence', 'power_up', 'zero_voltage', 'last_gasp')),
    PRIMARY KEY (meter_id, lit_at)
);
CREATE UNIQUE INDEX supply_gaps_open ON supply_gaps (meter_id) WHERE back_at IS NULL;
CREATE INDEX supply_gaps_lit ON supply_gaps (lit_at);

-- Gaps that have come, changed or turned out to be none: what they explain is inferred again.
CREATE TABLE supply_due (
    meter_id bigint NOT NULL,
    since    timestamptz NOT NULL,
    until    timestamptz NOT NULL,
    noted_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE FUNCTION note_supply() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO supply_due (meter_id, since, until)
    SELECT meter_id, lit_at,
           least(coalesce(dark_at, lit_at + interval_s * interval '1.25 seconds'), coalesce(back_at, 'infinity'))
    FROM changed;
    RETURN NULL;
END
$$;
CREATE TRIGGER supply_gaps_new AFTER INSERT ON supply_gaps
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_supply();
CREATE TRIGGER supply_gaps_gone AFTER DELETE ON supply_gaps
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_supply();

-- Messages that came too late: gaps that were over when they came are cut anew where they lie in one.
CREATE FUNCTION restate_supply(meters bigint[], times timestamptz[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE g supply_gaps;
BEGIN
    FOR g IN SELECT DISTINCT s.* FROM unnest(meters, times) AS k (meter_id, at)
             JOIN supply_gaps s ON s.meter_id = k.meter_id AND s.lit_at < k.at AND s.back_at > k.at
             ORDER BY s.meter_id, s.lit_at
    LOOP
        DELETE FROM supply_gaps s WHERE s.meter_id = g.meter_id AND s.lit_at = g.lit_at;
        INSERT INTO supply_gaps (meter_id, lit_at, dark_at, back_at, interval_s, cause)
        WITH messages AS (
            SELECT m.at, bool_and(m.dark) AS dark, bool_or(m.up) AS up FROM (
                SELECT date_trunc('second', r.reading_time) AS at, r.source_quality IS NOT DISTINCT FROM 'last_gasp' AS dark,
                       r.source_quality IS NOT DISTINCT FROM 'power_up' AS up
                FROM meter_readings r WHERE r.meter_id = g.meter_id
                  AND r.reading_time >= g.lit_at AND r.reading_time < g.back_at + interval '1 second'
                UNION ALL SELECT g.dark_at, true, false WHERE g.dark_at IS NOT NULL
                UNION ALL SELECT g.lit_at, false, false
                UNION ALL SELECT g.back_at, false, g.cause = 'power_up'
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
                    WHEN c.back_up THEN 'power_up' ELSE 'silence' END
        FROM cut c
        WHERE c.back_at IS NOT NULL AND (c.dark_at IS NOT NULL OR c.back_up OR g.interval_s > 0
              AND extract(epoch FROM c.back_at - c.lit_at) > 2.25 * g.interval_s);
    END LOOP;
END
$$;

-- One row per outage, the highest element that explains its gaps. It is inferred anew whenever these change, so that
-- element, start, end and customers may be restated; each time the revision is one higher. What turned out to be none
-- stays, withdrawn; what became a part of a larger one says of which.
CREATE TABLE grid_outages (
    outage_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    element_kind text NOT NULL CHECK (element_kind IN ('transformer', 'feeder', 'substation', 'region')),
    element      text NOT NULL,
    region       text,
    started_at   timestamptz NOT NULL,
    -- All of its meters were dark by then.
    dark_by      timestamptz NOT NULL,
    ended_at     timestamptz,
    cause        text NOT NULL,
    customers    bigint NOT NULL,
    told         bigint NOT NULL,
    revision     bigint NOT NULL DEFAULT 0,
    withdrawn    boolean NOT NULL DEFAULT false,
    merged_into  bigint REFERENCES grid_outages,
    -- How far event time had come when it was found.
    found_at     timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX grid_outages_dark ON grid_outages (dark_by) WHERE NOT withdrawn;
CREATE INDEX grid_outages_element ON grid_outages (element, dark_by);
CREATE INDEX grid_outages_started ON grid_outages (started_at) WHERE NOT withdrawn;

CREATE TABLE grid_outage_meters (
    outage_id bigint NOT NULL REFERENCES grid_outages,
    meter_id  bigint NOT NULL,
    lit_at    timestamptz NOT NULL,
    PRIMARY KEY (outage_id, meter_id)
);
CREATE INDEX grid_outage_meters_gap ON grid_outage_meters (meter_id, lit_at);

-- Each customer of each outage; one who has no power yet had none up to the newest reading of anybody.
CREATE VIEW grid_interruptions AS
SELECT o.outage_id, o.element, o.region, m.meter_id, o.started_at, greatest(o.started_at, g.lit_at) AS off_at, g.back_at,
       extract(epoch FROM coalesce(g.back_at, n.newest) - greatest(o.started_at, g.lit_at))::double precision / 60
           AS minutes
FROM grid_outages o
JOIN grid_outage_meters m USING (outage_id)
JOIN supply_gaps g USING (meter_id, lit_at)
CROSS JOIN (
    SELECT to_timestamp(max(watermark_us) / 1000000) AS newest FROM stream_offsets
    WHERE topic = 'meters.raw' AND watermark_us > -9223372036854775808
) n
WHERE NOT o.withdrawn;

-- Customers that are served: meters below a region that are in service, where they stand at a time.
CREATE FUNCTION customers_served(at timestamptz) RETURNS TABLE (region text, customers bigint) LANGUAGE sql STABLE AS $$
    SELECT s.region, count(*)
    FROM meter_places p
    JOIN smart_meters m USING (meter_id)
    JOIN transformers t ON t.transformer_id = p.transformer_id
    JOIN feeders f USING (feeder_id)
    JOIN substations s USING (substation_id)
    WHERE p.valid_from <= at AND p.valid_to > at AND s.region IS NOT NULL AND m.status = 'active'
    GROUP BY s.region
$$;

-- IEEE Std 1366-2012, clause 3: SAIDI is customer minutes interrupted over customers served, SAIFI customer interruptions
-- over customers served, CAIDI their ratio; of sustained interruptions, longer than five minutes, by when they began.
-- Customers served are those at the end of the span.
CREATE FUNCTION reliability(since timestamptz, until timestamptz, longer_than interval DEFAULT '5 minutes')
RETURNS TABLE (region text, customers bigint, outages bigint, customer_interruptions bigint, customer_minutes double precision,
               saidi_minutes double precision, saifi double precision, caidi_minutes double precision)
LANGUAGE sql STABLE AS $$
    SELECT c.region, c.customers, coalesce(i.outages, 0), coalesce(i.interruptions, 0), coalesce(i.minutes, 0),
           coalesce(i.minutes, 0) / c.customers, coalesce(i.interruptions, 0)::double precision / c.customers,
           i.minutes / i.interruptions
    FROM customers_served(least(until, now())) c
    LEFT JOIN (
        SELECT v.region, count(DISTINCT v.outage_id) AS outages, count(*) AS interruptions, sum(v.minutes) AS minutes
        FROM grid_interruptions v
        WHERE v.started_at >= since AND v.started_at < until AND v.minutes * interval '1 minute' > longer_than
        GROUP BY v.region
    ) i USING (region)
    ORDER BY c.region
$$;

-- The same by local month of each region, of months in which anybody was interrupted.
CREATE VIEW reliability_months AS
SELECT r.region, k.month, r.customers, r.outages, r.customer_interruptions, r.customer_minutes, r.saidi_minutes, r.saifi,
       r.caidi_minutes
FROM (
    SELECT DISTINCT o.region, coalesce(z.timezone, 'UTC') AS timezone,
           date_trunc('month', o.started_at AT TIME ZONE coalesce(z.timezone, 'UTC')) AS month
    FROM grid_outages o LEFT JOIN region_clocks z USING (region) WHERE NOT o.withdrawn AND o.region IS NOT NULL
) k
CROSS JOIN LATERAL reliability(k.month AT TIME ZONE k.timezone, (k.month + interval '1 month') AT TIME ZONE k.timezone) r
WHERE r.region = k.region;
