"""What feeds tell Prometheus, by the names of `stream.metrics`."""

from prometheus_client import CollectorRegistry, Counter


class FeedMetrics:
    """What a feed counts.

    Args:
        registry: where `/metrics` reads it.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.rounds = Counter("meterstream_feed_rounds_total", "Rounds over all places.", registry=registry)
        self.fetches = Counter(
            "meterstream_feed_fetches_total", "Requests by what came of them.", ["outcome"], registry=registry
        )
        self.ticks = Counter("meterstream_feed_ticks_total", "Ticks that the broker acknowledged.", registry=registry)
        self.problems = Counter(
            "meterstream_feed_problems_total", "Lines and files that could not be read.", registry=registry
        )
