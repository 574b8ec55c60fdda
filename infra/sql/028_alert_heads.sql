-- Alerts that a group may be made of, and groups, by what feeds them. The index of before has no groups, and so did not serve
-- a question that asks for both: each turn of the desk read every alert that stands.

DROP INDEX alerts_orphans;
CREATE INDEX alerts_heads ON alerts (kind, condition, (coalesce(substation, feeder, transformer)))
    WHERE status IN ('open', 'acknowledged') AND (parent_id IS NULL OR children > 0);
