"""A histogram of columns counts as Prometheus's own does."""

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from stream.column_histogram import ColumnHistogram

_BUCKETS = (0.125, 1.0, 10.0)


def samples(registry: CollectorRegistry) -> list[str]:
    return [line for line in generate_latest(registry).decode().splitlines() if "_created" not in line]


@pytest.mark.parametrize("values", [[], [0.125], [0.0625, 0.125, 0.1875, 1.0, 9.0, 10.0, 11.0, 0.0]])
def test_it_exposes_what_prometheus_own_histogram_would(values: list[float]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    ColumnHistogram("x_seconds", "text", _BUCKETS, ours).observe(np.array(values))
    histogram = Histogram("x_seconds", "text", buckets=_BUCKETS, registry=theirs)
    for value in values:
        histogram.observe(value)
    assert samples(ours) == samples(theirs)


def test_columns_add_up_and_what_is_unknown_is_not_counted() -> None:
    registry = CollectorRegistry()
    histogram = ColumnHistogram("x_seconds", "text", _BUCKETS, registry)
    histogram.observe(np.array([0.5, np.nan]))
    histogram.observe(np.array([0.5, 20.0]))
    assert registry.get_sample_value("x_seconds_count") == 3
    assert registry.get_sample_value("x_seconds_sum") == 21.0
    assert registry.get_sample_value("x_seconds_bucket", {"le": "1.0"}) == 2


def test_a_name_is_taken_once() -> None:
    registry = CollectorRegistry()
    ColumnHistogram("x_seconds", "text", _BUCKETS, registry)
    with pytest.raises(ValueError, match="x_seconds"):
        ColumnHistogram("x_seconds", "text", _BUCKETS, registry)
