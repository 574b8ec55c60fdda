"""The market's stream: ticks take the same path as readings, with their own processing."""
