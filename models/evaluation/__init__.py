"""How good scores are: labelled series, detectors, measures and the report, the same for all."""
