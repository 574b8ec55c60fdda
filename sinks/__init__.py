"""Outward: one external system per file, idempotent writes."""
