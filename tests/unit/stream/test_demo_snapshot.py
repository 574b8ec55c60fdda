"""Rates and latencies of the demo."""

from stream.demo.snapshot import Latency, Rates, Snapshot, Speedometer


def test_the_first_look_has_no_rate() -> None:
    assert Speedometer().rates(10.0, 5, 5, 5) == Rates()


def test_rates_are_means_over_the_last_seconds() -> None:
    speed = Speedometer()
    for second in range(20):
        found = speed.rates(float(second), 100 * second, 50 * second, 10 * second if second < 10 else 100)
    assert (found.published, found.bridged, found.stored) == (100.0, 50.0, 0.0)
    assert speed.peak_stored == 10.0


def test_a_count_that_goes_back_is_no_negative_rate() -> None:
    speed = Speedometer()
    speed.rates(0.0, 10, 10, 10)
    assert speed.rates(1.0, 5, 10, 10).published == 0.0


def test_latencies_are_summed_up() -> None:
    assert Latency.of([]) == Latency(0)
    assert Latency.of([100.0, 200.0, 300.0]) == Latency(3, 200.0, 298.0, 300.0)


def test_stored_is_the_sum_over_flags() -> None:
    assert Snapshot(1.0, "live").stored == 0
