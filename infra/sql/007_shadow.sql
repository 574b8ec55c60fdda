-- What a candidate model says of a reading, beside the score that counts; null where none runs in the shadow.

ALTER TABLE meter_readings ADD COLUMN shadow_score real;
