-- Who is told of what: one row per change and channel, from the moment it is due until somebody was told.

-- Nobody is told of what was recorded before there was anybody to tell.
ALTER TABLE alert_history ADD COLUMN routed boolean NOT NULL DEFAULT true;
ALTER TABLE alert_history ALTER COLUMN routed SET DEFAULT false;
CREATE INDEX alert_history_unrouted ON alert_history (number) WHERE NOT routed;

CREATE TABLE alert_notifications (
    number   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id text NOT NULL REFERENCES alert_history (event_id) ON DELETE CASCADE,
    alert_id text NOT NULL,
    channel  text NOT NULL,
    change   text NOT NULL,
    due_at   timestamptz NOT NULL,
    digest   bigint, -- The notice in whose place a whole digest is told.
    attempts integer NOT NULL DEFAULT 0,
    status   text NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'sent', 'failed', 'dropped')),
    error    text,
    told_at  timestamptz,
    UNIQUE (event_id, channel)
);
CREATE INDEX alert_notifications_waiting ON alert_notifications (channel, due_at) WHERE status = 'waiting';
CREATE INDEX alert_notifications_digest ON alert_notifications (digest) WHERE status = 'waiting' AND digest IS NOT NULL;
CREATE INDEX alert_notifications_alert ON alert_notifications (alert_id, channel);
