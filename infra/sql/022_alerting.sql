-- What a worker raises is a sign; an alert is one problem, from its first sign to its end, with all that became of it.
-- Signs are the alerts of before under a name that says so; not one is lost.

ALTER TABLE alerts RENAME TO alert_signs;
ALTER INDEX alerts_newest RENAME TO alert_signs_newest;
ALTER INDEX alerts_pkey RENAME TO alert_signs_pkey;
ALTER INDEX alerts_element RENAME TO alert_signs_element;
-- A sign is taken once, in the transaction that changes its alert. What was raised before there was a desk opens nothing.
ALTER TABLE alert_signs ADD COLUMN taken boolean NOT NULL DEFAULT true;
ALTER TABLE alert_signs ALTER COLUMN taken SET DEFAULT false;
CREATE INDEX alert_signs_untaken ON alert_signs (arrived_at, occurred_at, alert_id) WHERE NOT taken;

CREATE FUNCTION tell_of_signs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM added) THEN
        PERFORM pg_notify('meterstream_alerts', '');
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER alert_signs_told AFTER INSERT ON alert_signs
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION tell_of_signs();

-- Where each problem stands; the columns are the fields of the published state.
CREATE TABLE alerts (
    alert_id        text PRIMARY KEY,
    kind            text NOT NULL,
    condition       text NOT NULL,
    element         text NOT NULL,
    status          text NOT NULL,
    severity        text NOT NULL,
    sequence        bigint NOT NULL,
    first_seen      timestamptz NOT NULL,
    last_seen       timestamptz NOT NULL,
    ended_at        timestamptz,
    duration_s      double precision NOT NULL,
    count           bigint NOT NULL,
    score           double precision NOT NULL,
    measured        double precision NOT NULL,
    expected        double precision NOT NULL,
    unit            text NOT NULL,
    reasons         text NOT NULL,
    message         text NOT NULL,
    action          text NOT NULL,
    panel           text,
    region          text,
    substation      text,
    feeder          text,
    transformer     text,
    parent_id       text REFERENCES alerts ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED,
    children        bigint NOT NULL,
    customers       bigint NOT NULL,
    acknowledged_at timestamptz,
    acknowledged_by text,
    escalation      integer NOT NULL,
    silenced        boolean NOT NULL,
    flapping        boolean NOT NULL,
    flap_penalty    double precision NOT NULL,
    flapped_at      timestamptz
);
CREATE INDEX alerts_key ON alerts (element, kind, condition, first_seen DESC);
CREATE INDEX alerts_open ON alerts (alert_id) WHERE status IN ('open', 'acknowledged');
CREATE INDEX alerts_orphans ON alerts (kind, condition, (coalesce(substation, feeder, transformer)))
    WHERE status IN ('open', 'acknowledged') AND parent_id IS NULL;
CREATE INDEX alerts_children ON alerts (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX alerts_newest ON alerts (last_seen DESC);

-- Every change of every alert, in the order in which it was made, as it goes to Kafka.
CREATE TABLE alert_history (
    number      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id    text NOT NULL UNIQUE,
    alert_id    text NOT NULL REFERENCES alerts ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    change      text NOT NULL,
    recorded_at timestamptz NOT NULL,
    by          text NOT NULL,
    note        text NOT NULL,
    event       text NOT NULL,
    published   boolean NOT NULL DEFAULT false
);
CREATE INDEX alert_history_alert ON alert_history (alert_id, number);
CREATE INDEX alert_history_unpublished ON alert_history (number) WHERE NOT published;

-- What nobody is to be woken for: silences that somebody asked for, and maintenance that was planned.
CREATE TABLE alert_silences (
    silence_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    element    text NOT NULL,
    kind       text,
    begins_at  timestamptz NOT NULL,
    ends_at    timestamptz NOT NULL,
    by         text NOT NULL,
    reason     text NOT NULL,
    asked_at   timestamptz NOT NULL DEFAULT now(),
    CHECK (begins_at < ends_at)
);
CREATE INDEX alert_silences_ends ON alert_silences (ends_at);
