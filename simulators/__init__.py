"""Inward, invented or replayed: seeded input with its ground truth."""
