"""MQTT to Kafka: at least once; a message is acknowledged to its broker only after Kafka holds all that came of it.

1. `mqtt` reads messages in bursts and hands them over in the order they came.
2. `batcher` collects bursts, `records` turns them into columns and those into one record per partition.
3. `kafka` produces the records and hears from Kafka that it has them.
4. `inflight` releases the batches whose records are all there, oldest first.
5. `mqtt` acknowledges their messages, if the connection that brought them still stands.
"""
