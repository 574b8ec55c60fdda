"""Recorded files as readings: one module per format, all of them columns from the start."""
