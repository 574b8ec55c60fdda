-- Why readings are worth watching: what each looks like, what contributed and by how much, and what was expected.

CREATE TABLE reading_explanations (
    meter_id      bigint NOT NULL,
    reading_time  timestamptz NOT NULL,
    kind          text NOT NULL,
    -- In `unit`; NaN where nothing was known of the meter.
    expected      double precision NOT NULL,
    -- 98 % of the meter's readings are no further above what was expected; NaN where unknown.
    band          double precision NOT NULL,
    unit          text NOT NULL,
    contributions text NOT NULL,
    PRIMARY KEY (meter_id, reading_time)
);
CREATE INDEX reading_explanations_newest ON reading_explanations (reading_time DESC);

-- Readings worth watching, each with its reasons.
CREATE VIEW explained_readings AS
SELECT m.meter_number, r.reading_time, r.quality_flag, r.anomaly_score, e.kind,
       CASE e.unit WHEN 'V' THEN r.voltage ELSE r.consumption_kwh END AS measured,
       nullif(e.expected, 'NaN') AS expected, nullif(e.band, 'NaN') AS band, e.unit, e.contributions
FROM reading_explanations e
JOIN meter_readings r USING (meter_id, reading_time)
JOIN smart_meters m USING (meter_id);
