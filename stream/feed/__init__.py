"""Published market files on their way to MQTT: polled politely, kept, read, published once each."""
