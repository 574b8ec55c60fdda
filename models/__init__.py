"""What is learned from data: fitted off-stream, read-only on-stream."""
