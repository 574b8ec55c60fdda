"""Wiring: the only room that knows Faust, Kafka, MQTT input, retries, env and the clock."""
