"""What is told of a run: latencies by share, medians, ratios within rounds, the span that counts."""

import numpy as np
import pytest

from tests.bench.figures import Goal, between, medians, percentiles, ratios, span_of, spread


def test_percentiles_are_latencies_that_were_measured() -> None:
    found = percentiles(np.arange(1, 101) / 100)
    assert found == {"p50": 0.50, "p99": 0.99, "p999": 1.00, "max": 1.00}


def test_a_weight_counts_as_often_as_it_says() -> None:
    once = percentiles(np.repeat([0.1, 0.9], [99, 1]))
    assert percentiles(np.array([0.9, 0.1]), np.array([1, 99])) == once
    assert once["p50"] == once["p99"] == 0.1
    assert once["max"] == 0.9


def test_a_stall_counts_for_every_reading_that_was_due_meanwhile() -> None:
    """One reading a millisecond, and nothing is taken in the second half of a second: half of all readings waited."""
    due = np.arange(1_000) / 1e3
    done = np.where(due < 0.5, due, 1.0)
    found = percentiles(done - due)
    assert found["p50"] < 0.01
    assert found["p99"] > 0.48


def test_without_a_latency_there_is_nothing_to_tell() -> None:
    with pytest.raises(ValueError, match="no latency"):
        percentiles(np.array([]))


def test_ratios_are_taken_within_rounds() -> None:
    """The second round met a machine of half the speed: that is no difference between the two."""
    rounds = {"ours": [100.0, 50.0, 100.0], "theirs": [50.0, 25.0, 50.0], "absent": []}
    assert ratios(rounds, "ours") == {"theirs": 2.0}
    assert medians(rounds) == {"ours": 100.0, "theirs": 50.0}


def test_spread_is_relative_to_the_median() -> None:
    assert spread([90.0, 100.0, 120.0]) == pytest.approx(0.3)
    assert spread([5.0]) == 0.0


def test_the_first_commit_starts_the_clock_and_its_rows_do_not_count() -> None:
    span = span_of([(12.0, 300), (10.0, 100), (11.0, 200)])
    assert (span.began_s, span.ended_s, span.rows) == (10.0, 12.0, 500)
    assert span.rate == 250.0


def test_one_commit_makes_no_rate() -> None:
    assert span_of([(10.0, 100)]).rate == 0.0
    with pytest.raises(ValueError, match="nothing was committed"):
        span_of([])


def test_a_counter_is_read_between_its_samples() -> None:
    samples = [(0.0, 0.0), (10.0, 5.0), (20.0, 25.0)]
    assert between(samples, 5.0, 15.0) == pytest.approx(12.5)
    assert between([], 0.0, 1.0) == 0.0


@pytest.mark.parametrize(
    ("measured", "at_least", "verdict"),
    [(10.0, True, "holds"), (9.9, True, "falls short"), (10.0, False, "holds"), (10.1, False, "falls short")],
)
def test_a_goal_that_is_just_met_holds(measured: float, at_least: bool, verdict: str) -> None:
    assert Goal("a goal", 10.0, measured, at_least=at_least).verdict == verdict


def test_what_was_not_measured_does_not_hold() -> None:
    assert Goal("a goal", 10.0, None).verdict == "not measured"
