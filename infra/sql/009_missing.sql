-- Missing data: what was expected of each meter in each hour against what came, and which meters are silent.

-- How often a meter sends: the commonest distance of its newest readings.
CREATE TABLE meter_intervals (
    meter_id   bigint PRIMARY KEY,
    interval_s integer NOT NULL CHECK (interval_s > 0),
    -- Nothing is expected before it.
    since      timestamptz NOT NULL,
    found_at   timestamptz NOT NULL DEFAULT now()
);

-- Hours in which a meter sent less than was expected of it; one that is complete by now stays, with as many received.
CREATE TABLE missing_data (
    meter_id   bigint NOT NULL,
    hour       timestamptz NOT NULL,
    expected   integer NOT NULL,
    received   integer NOT NULL,
    counted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (meter_id, hour)
);
CREATE INDEX missing_data_open ON missing_data (hour) WHERE received < expected;

-- Up to when hours have been looked at.
CREATE TABLE missing_progress (
    one   boolean PRIMARY KEY DEFAULT true CHECK (one),
    until timestamptz NOT NULL
);

-- What is missing now, with its place in the grid and its age.
CREATE VIEW missing_intervals AS
SELECT m.meter_number, t.name AS transformer, f.name AS feeder, d.hour, d.expected, d.received,
       d.expected - d.received AS missing, now() - d.hour - interval '1 hour' AS age
FROM missing_data d
JOIN smart_meters m USING (meter_id)
LEFT JOIN transformers t USING (transformer_id)
LEFT JOIN feeders f USING (feeder_id)
WHERE d.received < d.expected;

-- Every meter with its newest reading: "silent for 24 h, under which transformer" is
-- SELECT * FROM meter_silence WHERE silent_for > interval '24 hours' OR newest IS NULL
CREATE VIEW meter_silence AS
SELECT m.meter_number, m.status, t.name AS transformer, f.name AS feeder, r.newest, now() - r.newest AS silent_for
FROM smart_meters m
LEFT JOIN transformers t USING (transformer_id)
LEFT JOIN feeders f USING (feeder_id)
LEFT JOIN LATERAL (
    SELECT reading_time AS newest FROM meter_readings n WHERE n.meter_id = m.meter_id ORDER BY reading_time DESC LIMIT 1
) r ON true;
