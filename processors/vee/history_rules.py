"""Rules that hold a reading against its meter's own past: zeros, flat lines, spikes, high and low days."""

from collections.abc import Callable

import numpy as np

from processors.vee.facts import Facts
from processors.vee.range_rules import interval_s
from processors.vee.rule import Parameters, Rule
from schemas.layout import Floats

_HOUR_S = 3_600.0
#: A register that has counted an interval's energy within this share, or this resolution, confirms it.
_REGISTER_SHARE, _RESOLUTION_KWH = 0.02, 0.011


def _zero(facts: Facts, _: Parameters) -> Floats:
    # A meter that feeds in has energy in its interval, if not of this direction.
    return facts.where(~np.isnan(facts.energy), (facts.energy == 0) & ~(facts.floats("export_kwh") > 0))


def _unexpected_zero_h(facts: Facts, at: Parameters) -> Floats:
    """Return how long nothing has been drawn, at hours when there used to be something [h]; NaN elsewhere."""
    # A panel at night, a shop on Sundays: where zeros come at this hour on many days they are the meter's habit.
    unexpected = (
        (facts.energy == 0) & ~(facts.past.zero_days >= at("usual_days")) & (facts.past.days >= at("least_days"))
    )
    return facts.where(unexpected, facts.past.zero_s / _HOUR_S)


def _prolonged_zero(facts: Facts, at: Parameters) -> Floats:
    return facts.where(~(facts.floats("export_kwh") > 0), _unexpected_zero_h(facts, at))


def _reversed(facts: Facts, at: Parameters) -> Floats:
    """Return how long nothing has been drawn, where energy is fed in at hours when there used to be use [h].

    A meter connected the wrong way round counts what is drawn as fed in.
    """
    return facts.where(facts.floats("export_kwh") > 0, _unexpected_zero_h(facts, at))


def _stuck(facts: Facts, at: Parameters) -> Floats:
    flat = facts.past.flat_s / _HOUR_S
    # Voltage never stands still by itself: where it is measured, it decides together with the energy.
    both = np.fmin(flat, facts.past.still_s / _HOUR_S)
    alone = flat / at("without_voltage")
    found = np.where(np.isnan(facts.past.still_s), alone, both)
    return facts.where((facts.energy > 0) | ~np.isnan(facts.past.still_s), found)


def _spike(facts: Facts, at: Parameters) -> Floats:
    """Return how far a reading is above the third highest [%], where it is the highest and no register agrees.

    Source: California's standards for validating, editing and estimating interval data (CPUC D.98-12-080): spike
    check, 180 % by default.
    """
    third = facts.past.third_kwh
    large = facts.energy * 3_600.0 / interval_s(facts) >= at("floor_kw")
    # What the register has counted, too, was used: high, but no fault of the data.
    counted = facts.floats("register_kwh") - facts.past.register_kwh
    summed = facts.past.since_kwh
    confirmed = np.abs(counted - summed) <= np.maximum(_RESOLUTION_KWH, _REGISTER_SHARE * summed)
    known = large & (third > 0) & (facts.past.days >= at("least_days")) & (facts.energy > facts.past.highest_kwh)
    known &= ~confirmed
    return facts.where(known, (facts.energy / np.where(third > 0, third, 1.0) - 1.0) * 100.0)


def _ratio(above: Callable[[Facts], Floats], below: Callable[[Facts], Floats]) -> Callable[[Facts, Parameters], Floats]:
    def measure(facts: Facts, at: Parameters) -> Floats:
        # On top of a floor, so that an empty house that lights one lamp is no rise by a thousand times.
        floor = at("floor_kwh")
        found = (above(facts) + floor) / (below(facts) + floor)
        return facts.where(facts.past.days > at("least_days"), found)

    return measure


def _either(other: Callable[[Facts], Floats]) -> Callable[[Facts, Parameters], Floats]:
    up, down = _ratio(lambda facts: facts.past.day_kwh, other), _ratio(other, lambda facts: facts.past.day_kwh)
    return lambda facts, at: np.fmax(up(facts, at), down(facts, at))


_DAY = ("floor_kwh", "least_days")

RULES = (
    Rule("zero_energy", 23, 1, "E03", "no energy in the interval", "0 or 1", _zero, (), ("consumption_kwh",)),
    Rule(
        "prolonged_zero",
        24,
        1,
        "E04",
        "no energy for long, at hours when there used to be some",
        "h",
        _prolonged_zero,
        ("usual_days", "least_days"),
        ("consumption_kwh",),
    ),
    Rule(
        "stuck_value",
        25,
        1,
        "E05",
        "energy and voltage stand still",
        "h",
        _stuck,
        ("without_voltage",),
        ("consumption_kwh",),
    ),
    Rule(
        "spike",
        26,
        2,
        "E06",
        "highest interval of the day far above the third highest",
        "%",
        _spike,
        ("floor_kw", "least_days"),
        ("consumption_kwh",),
    ),
    Rule(
        "high_day",
        27,
        1,
        "E07",
        "the day before used far more than the meter's mean day",
        "times",
        _ratio(lambda facts: facts.past.day_kwh, lambda facts: facts.past.own_kwh),
        _DAY,
        ("consumption_kwh",),
    ),
    Rule(
        "low_day",
        28,
        1,
        "E08",
        "the day before used far less than the meter's mean day",
        "times",
        _ratio(lambda facts: facts.past.own_kwh, lambda facts: facts.past.day_kwh),
        _DAY,
        ("consumption_kwh",),
    ),
    Rule(
        "last_year",
        29,
        1,
        "E09",
        "the day before used far more or less than that month's days a year ago",
        "times",
        _either(lambda facts: facts.past.year_kwh),
        _DAY,
        ("consumption_kwh",),
    ),
    Rule(
        "like_days",
        30,
        1,
        "E10",
        "the day before used far more or less than that weekday's days",
        "times",
        _either(lambda facts: facts.past.like_kwh),
        _DAY,
        ("consumption_kwh",),
    ),
    Rule(
        "reversed_polarity",
        44,
        1,
        "E11",
        "energy fed in and none drawn for long, at hours when there used to be use",
        "h",
        _reversed,
        ("usual_days", "least_days"),
        ("export_kwh",),
    ),
)
