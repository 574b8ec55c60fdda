-- Maintenance windows that return at the same local time every so many days, and silences that somebody takes back.

ALTER TABLE alert_silences
    ADD COLUMN every_days   integer CHECK (every_days > 0),
    ADD COLUMN timezone     text NOT NULL DEFAULT 'UTC',
    ADD COLUMN until        timestamptz,
    ADD COLUMN withdrawn_at timestamptz,
    ADD COLUMN withdrawn_by text,
    ADD CHECK (every_days IS NULL OR ends_at - begins_at <= every_days * interval '24 hours'),
    -- An error where nobody knows the zone.
    ADD CHECK ((timestamptz '2000-01-01 00:00:00+00' AT TIME ZONE timezone) IS NOT NULL),
    ADD CHECK ((withdrawn_at IS NULL) = (withdrawn_by IS NULL));
-- The others are found by their end.
CREATE INDEX alert_silences_recurring ON alert_silences (silence_id) WHERE every_days IS NOT NULL AND withdrawn_at IS NULL;
