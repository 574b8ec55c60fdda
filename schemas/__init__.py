"""Shapes: names, units, topics, codecs and errors; imports nothing of ours."""
