-- Estimates, edits and what a newer rule set says: new rows of a series beside the readings, which never change; the best
-- value of every interval; and outages that are known.

CREATE TABLE vee_values (
    meter_id        bigint NOT NULL,
    reading_time    timestamptz NOT NULL,
    -- Of this interval; the reading itself is version 0.
    version         integer NOT NULL CHECK (version > 0),
    kind            text NOT NULL CHECK (kind IN ('estimate', 'edit', 'accept', 'reject', 'rerun')),
    -- Whether it counts even where there is a reading. An estimate of what was missing does not: once the true value
    -- has come, that is what counts.
    over_reading    boolean NOT NULL,
    consumption_kwh double precision,
    quality_flag    quality_flag NOT NULL,
    failed_rules    bigint NOT NULL DEFAULT 0,
    warned_rules    bigint NOT NULL DEFAULT 0,
    rule_set        integer NOT NULL,
    method          text NOT NULL,
    confidence      real,
    nem12_quality   text NOT NULL,
    espi_quality    smallint NOT NULL,
    author          text NOT NULL CHECK (author <> ''),
    reason          text NOT NULL CHECK (reason <> ''),
    made_at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (meter_id, reading_time, version)
);

-- Nothing is changed or taken back: what is wrong gets a newer version.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is only ever added to', TG_TABLE_NAME;
END $$;
CREATE TRIGGER vee_values_stay BEFORE UPDATE OR DELETE ON vee_values
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- The best value of every interval that has any: a person's decision, else the reading, else an estimate.
CREATE VIEW best_values AS
SELECT r.meter_id, r.reading_time, coalesce(v.version, 0) AS version, coalesce(v.kind, 'reading') AS kind,
       CASE WHEN v.version IS NOT NULL THEN v.consumption_kwh
            WHEN r.quality_flag <> 'rejected' THEN r.consumption_kwh END AS consumption_kwh,
       coalesce(v.quality_flag, r.quality_flag) AS quality_flag,
       coalesce(v.failed_rules, r.failed_rules) AS failed_rules,
       coalesce(v.warned_rules, r.warned_rules) AS warned_rules,
       coalesce(v.rule_set, r.rule_set) AS rule_set,
       v.method, v.confidence,
       coalesce(v.nem12_quality, r.nem12_quality) AS nem12_quality,
       coalesce(v.espi_quality, r.espi_quality) AS espi_quality,
       v.author, v.reason, coalesce(v.made_at, r.arrived_at) AS made_at
FROM meter_readings r
LEFT JOIN LATERAL (
    SELECT * FROM vee_values n
    WHERE n.meter_id = r.meter_id AND n.reading_time = r.reading_time
      AND (n.over_reading OR r.consumption_kwh IS NULL OR r.quality_flag = 'rejected')
    ORDER BY n.version DESC LIMIT 1
) v ON true
UNION ALL
SELECT v.meter_id, v.reading_time, v.version, v.kind, v.consumption_kwh, v.quality_flag, v.failed_rules, v.warned_rules,
       v.rule_set, v.method, v.confidence, v.nem12_quality, v.espi_quality, v.author, v.reason, v.made_at
FROM vee_values v
WHERE NOT EXISTS (SELECT FROM meter_readings r WHERE r.meter_id = v.meter_id AND r.reading_time = v.reading_time)
  AND NOT EXISTS (SELECT FROM vee_values n WHERE n.meter_id = v.meter_id AND n.reading_time = v.reading_time
                  AND n.version > v.version);

-- Energy by transformer and hour from best values, with how much of it is estimated: always as what is known now.
CREATE VIEW best_hours AS
SELECT coalesce('transformer/' || t.name, 'transformer/unassigned') AS element,
       date_trunc('hour', b.reading_time) AS hour,
       count(b.consumption_kwh) AS intervals,
       count(*) FILTER (WHERE b.kind = 'estimate') AS estimated,
       sum(b.consumption_kwh) AS energy_kwh,
       sum(b.consumption_kwh) FILTER (WHERE b.kind = 'estimate') AS estimated_kwh
FROM best_values b
JOIN smart_meters m USING (meter_id)
LEFT JOIN transformers t USING (transformer_id)
GROUP BY 1, 2;

-- Outages that are known, of one meter or of all under a transformer; yours to fill in. Within one, missing energy is zero.
CREATE TABLE outages (
    outage_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    transformer  text,
    meter_number text,
    starts_at    timestamptz NOT NULL,
    ends_at      timestamptz NOT NULL CHECK (ends_at > starts_at),
    reason       text NOT NULL,
    CHECK ((transformer IS NULL) <> (meter_number IS NULL))
);
CREATE INDEX outages_time ON outages (starts_at, ends_at);
