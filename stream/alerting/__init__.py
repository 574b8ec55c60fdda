"""The alert desk: what workers raise becomes alerts with a life, told to Kafka and to people."""
