"""Arithmetic: pure functions on columns and state; time is an argument."""
