"""The proof that nothing was lost: what Kafka holds, held against what the database holds, reading by reading."""
