-- What the rules said of each reading, the rule sets that said so, and counts per rule, meter and hour.
-- Rows from before have rule set 0: no rule has looked at them.

ALTER TYPE quality_flag ADD VALUE IF NOT EXISTS 'monitoring';
ALTER TYPE quality_flag ADD VALUE IF NOT EXISTS 'estimated';
ALTER TYPE quality_flag ADD VALUE IF NOT EXISTS 'edited';
ALTER TYPE quality_flag ADD VALUE IF NOT EXISTS 'rejected';

ALTER TABLE meter_readings
    ADD COLUMN voltage_l2      double precision,
    ADD COLUMN voltage_l3      double precision,
    ADD COLUMN current_l2_amps double precision,
    ADD COLUMN current_l3_amps double precision,
    ADD COLUMN device          text,
    -- Bit k is that of vee_rules.bit.
    ADD COLUMN failed_rules    bigint   NOT NULL DEFAULT 0,
    ADD COLUMN warned_rules    bigint   NOT NULL DEFAULT 0,
    ADD COLUMN rule_set        integer  NOT NULL DEFAULT 0,
    ADD COLUMN nem12_quality   text     NOT NULL DEFAULT 'A',
    ADD COLUMN espi_quality    smallint NOT NULL DEFAULT 1;

CREATE INDEX meter_readings_findings ON meter_readings (reading_time, meter_id)
    WHERE failed_rules <> 0 OR warned_rules <> 0;

-- Every version of the rules that has said anything: a version never changes what it says.
CREATE TABLE vee_rule_sets (
    version   integer PRIMARY KEY,
    name      text NOT NULL,
    checksum  text NOT NULL,
    content   text NOT NULL,
    loaded_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE vee_rules (
    bit     smallint PRIMARY KEY CHECK (bit BETWEEN 0 AND 62),
    rule    text NOT NULL UNIQUE,
    version integer NOT NULL,
    reason  text NOT NULL,
    about   text NOT NULL,
    unit    text NOT NULL
);

-- Counts per rule, meter and hour, made from the rows themselves: they cannot disagree with them.
CREATE VIEW vee_counts AS
SELECT v.rule,
       r.meter_id,
       date_trunc('hour', r.reading_time)                                          AS hour,
       count(*) FILTER (WHERE r.failed_rules & (1::bigint << v.bit::int) <> 0)      AS failed,
       count(*) FILTER (WHERE r.warned_rules & (1::bigint << v.bit::int) <> 0)      AS warned
FROM meter_readings r
JOIN vee_rules v ON (r.failed_rules | r.warned_rules) & (1::bigint << v.bit::int) <> 0
WHERE r.failed_rules <> 0 OR r.warned_rules <> 0
GROUP BY v.rule, r.meter_id, date_trunc('hour', r.reading_time);
