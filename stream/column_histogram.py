"""A Prometheus histogram that counts a column at once: latencies of readings are told per reading, without a loop."""

from collections.abc import Iterator, Sequence
from threading import Lock

import numpy as np
from prometheus_client import CollectorRegistry
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from schemas.layout import Floats


class ColumnHistogram(Collector):
    """Counts values by bucket.

    Args:
        name: of the metric.
        documentation: for people.
        buckets: upper ends, rising; a value belongs to the first that it is not above, one above all to `+Inf`.
        registry: where `/metrics` reads it.
    """

    def __init__(self, name: str, documentation: str, buckets: Sequence[float], registry: CollectorRegistry) -> None:
        self._name, self._documentation = name, documentation
        self._upper = np.array(buckets, dtype=np.float64)
        self._counts = np.zeros(len(buckets) + 1, dtype=np.int64)
        self._sum = 0.0
        self._lock = Lock()
        registry.register(self)

    def observe(self, values: Floats) -> None:
        """Count values, float64[n]; NaN is none."""
        known = values[~np.isnan(values)]
        counts = np.bincount(np.searchsorted(self._upper, known), minlength=len(self._counts))
        with self._lock:
            self._counts += counts
            self._sum += float(known.sum())

    def describe(self) -> Iterator[HistogramMetricFamily]:
        """Yield what `collect` yields, without values."""
        yield HistogramMetricFamily(self._name, self._documentation)

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Yield what was counted so far."""
        with self._lock:
            reached, total = np.cumsum(self._counts), self._sum
        ends = [*(str(end) for end in self._upper.tolist()), "+Inf"]
        found = HistogramMetricFamily(self._name, self._documentation)
        found.add_metric([], list(zip(ends, reached.tolist(), strict=True)), total)
        yield found
