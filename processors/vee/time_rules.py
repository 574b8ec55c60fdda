"""Rules about when: clocks, the grid of intervals, days of 23 and 25 hours, repeats, gaps, order and lateness."""

import numpy as np

from processors.vee.facts import Facts
from processors.vee.rule import Parameters, Rule
from schemas.layout import Floats

#: A meter is one that keeps the grid of its interval when most of its readings used to lie on it.
_MOSTLY = 0.5


def _future(facts: Facts, _: Parameters) -> Floats:
    return (facts.batch.time_us - facts.arrived_us) / 1e6


def _late(facts: Facts, _: Parameters) -> Floats:
    return (facts.arrived_us - facts.batch.time_us) / 1e6


def _old(facts: Facts, _: Parameters) -> Floats:
    return (facts.arrived_us - facts.batch.time_us) / 86.4e9


def _off_grid(facts: Facts, _: Parameters) -> Floats:
    beside = facts.past.beside_s
    return facts.where(facts.past.grid_share >= _MOSTLY, beside)


def _drift(facts: Facts, at: Parameters) -> Floats:
    # A clock that runs fast or slow: every interval is a little too short or too long, in the same sense.
    beside = _off_grid(facts, at)
    nominal = facts.past.nominal_s
    change = np.abs(facts.past.gap_s - nominal)
    return facts.where((change > 0) & (change < 0.1 * nominal), beside)


def _interval(facts: Facts, _: Parameters) -> Floats:
    usual = np.where(facts.past.usual_s > 0, facts.past.usual_s, np.nan)
    times = facts.past.gap_s / usual
    return np.abs(times - np.maximum(np.rint(times), 1.0))


def _gap(facts: Facts, _: Parameters) -> Floats:
    usual = np.where(facts.past.usual_s > 0, facts.past.usual_s, np.nan)
    return np.maximum(np.rint(facts.past.gap_s / usual) - 1.0, 0.0)


def _seam(facts: Facts, _: Parameters) -> Floats:
    return np.asarray(facts.seam, dtype=np.float64)


def _identical(facts: Facts, _: Parameters) -> Floats:
    return np.asarray((facts.repeated == 1), dtype=np.float64)


def _conflicting(facts: Facts, _: Parameters) -> Floats:
    return np.asarray((facts.repeated == 2), dtype=np.float64)


def _behind(facts: Facts, _: Parameters) -> Floats:
    late = ~facts.in_order & (facts.repeated == 0) & (facts.newest_us > facts.batch.time_us)
    return facts.where(late, (facts.newest_us - facts.batch.time_us.astype(np.float64)) / 1e6)


RULES = (
    Rule("future_time", 3, 1, "T01", "stamped later than it arrived", "s", _future),
    Rule("old_time", 4, 1, "T02", "far older than its arrival", "days", _old),
    Rule("clock_drift", 5, 1, "T03", "the clock moves against the grid of the meter's interval", "s", _drift),
    Rule("off_grid", 6, 1, "T04", "not on the grid of the meter's interval", "s", _off_grid),
    Rule(
        "interval_length",
        7,
        1,
        "T05",
        "no whole number of usual intervals after the one before",
        "intervals",
        _interval,
    ),
    Rule("dst_day", 8, 1, "T06", "on a local day of 23 or 25 hours", "0 or 1", _seam),
    Rule("duplicate", 9, 1, "O01", "the meter's newest reading once more, the same", "0 or 1", _identical),
    Rule(
        "conflicting_duplicate",
        10,
        1,
        "O02",
        "the meter's newest reading once more, with other values",
        "0 or 1",
        _conflicting,
    ),
    Rule("gap", 11, 1, "O03", "intervals are missing before it", "intervals", _gap),
    Rule("out_of_order", 12, 1, "O04", "a newer reading of the meter came before it", "s", _behind),
    Rule("late", 13, 1, "O05", "arrived long after its time", "s", _late),
)
