-- Which source the records of a partition come from, one row where it changes: a reading names its record, and nothing
-- is stored with it. Before the first row of a partition it is not known.

CREATE TABLE record_sources (
    topic        text NOT NULL,
    topic_id     text NOT NULL,
    partition    integer NOT NULL,
    -- From this offset up to that of the next row.
    first_offset bigint NOT NULL,
    -- Empty where the records name none.
    source       text NOT NULL,
    PRIMARY KEY (topic, topic_id, partition, first_offset)
);
