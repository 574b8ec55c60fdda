"""Rules about registers: they add up to the intervals, and they only go forward."""

import numpy as np

from processors.vee.facts import Facts
from processors.vee.rule import Parameters, Rule
from schemas.layout import Floats, Mask


def _sum(facts: Facts, at: Parameters) -> Floats:
    """Return by how much intervals and register differ, as a share of the larger, beyond what rounding explains."""
    counted = facts.floats("register_kwh") - facts.past.register_kwh
    summed = facts.past.since_kwh
    larger = np.maximum(np.maximum(counted, summed), at("floor_kwh"))
    return facts.where(counted >= 0, np.maximum(np.abs(counted - summed) - at("resolution_kwh"), 0.0) / larger)


def _turned(facts: Facts, at: Parameters) -> tuple[Floats, Mask]:
    """Return by how much a register has gone back [kWh], and whether passing its last digit explains it."""
    register, before = facts.floats("register_kwh"), facts.past.register_kwh
    back = before - register
    limit = np.maximum(10.0 ** np.ceil(np.log10(np.maximum(before, 1.0))), at("least_limit_kwh"))
    onward = register + limit - before
    return back, (back > 0) & (onward <= at("plausible_kwh"))


def _rollover(facts: Facts, at: Parameters) -> Floats:
    back, rolled = _turned(facts, at)
    return facts.where(~np.isnan(back), rolled)


def _reset(facts: Facts, at: Parameters) -> Floats:
    back, rolled = _turned(facts, at)
    return facts.where(~rolled & (facts.past.scale == 0), np.maximum(back, 0.0))


_LIMIT = ("least_limit_kwh", "plausible_kwh")

RULES = (
    Rule(
        "sum_check",
        31,
        1,
        "G01",
        "the intervals do not add up to the register",
        "share",
        _sum,
        ("floor_kwh", "resolution_kwh"),
        ("register_kwh",),
    ),
    Rule(
        "register_rollover",
        32,
        1,
        "G02",
        "the register passed its last digit",
        "0 or 1",
        _rollover,
        _LIMIT,
        ("register_kwh",),
    ),
    Rule("register_reset", 33, 1, "G03", "the register went back", "kWh", _reset, _LIMIT, ("register_kwh",)),
)
