-- What an alert says beyond its score: how far from the expected is usual, and what was unusual.

ALTER TABLE alerts
    ADD COLUMN band    double precision,
    ADD COLUMN reasons text NOT NULL DEFAULT '';
