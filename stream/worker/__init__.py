"""The worker: Kafka records in, stored readings, windows and alerts out."""
