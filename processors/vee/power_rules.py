"""Rules about quantities that must fit each other: power, voltage, current, reactive energy, phases."""

import numpy as np

from processors.vee.facts import Facts
from processors.vee.range_rules import interval_s
from processors.vee.rule import Parameters, Rule
from schemas.layout import Floats

_VOLTS = ("voltage", "voltage_l2", "voltage_l3")
_AMPS = ("current_amps", "current_l2_amps", "current_l3_amps")


def _consistency(facts: Facts, at: Parameters) -> Floats:
    """Return how far active power is from voltage times current times power factor, as a share of the apparent power.

    What the resolution of the current explains does not count. Without a power factor, active power may only not be
    above the apparent power; with reactive energy, both together. Demand is of all phases: where only one of them is
    reported and nobody says how many there are, either one or three alike must fit. While a meter exports, its demand
    is not what flows.
    """
    volts, amps = (np.stack([facts.floats(name) for name in names]) for names in (_VOLTS, _AMPS))
    phases = ~np.isnan(volts) & ~np.isnan(amps)
    apparent = np.where(phases, volts * amps, 0.0).sum(axis=0)
    unsure = np.where(phases, volts, 0.0).sum(axis=0) * at("current_step_amps") / 2.0
    active = np.abs(facts.floats("demand_kw")) * 1_000.0
    factor = facts.floats("power_factor")
    reactive = np.nan_to_num(np.abs(facts.floats("reactive_kvarh")) * 3.6e6 / interval_s(facts))
    single = phases.sum(axis=0) == 1
    checked = (apparent >= at("least_va")) & ~(single & (at("phases") > 1)) & ~(facts.floats("export_kwh") > 0)
    off = np.where(single, np.inf, 0.0)
    for alike in (1.0, 3.0):
        power = alike * apparent
        above = np.hypot(active, reactive) - power
        beside = np.where(np.isnan(factor), above, np.abs(active - power * factor))
        share = np.maximum(beside - alike * unsure, 0.0) / np.where(apparent > 0, power, 1.0)
        off = np.where(single, np.minimum(off, share), share if alike == 1.0 else off)
    return facts.where(checked, off)


def _reactive(facts: Facts, at: Parameters) -> Floats:
    """Return reactive energy as times the active one; infinite without any."""
    reactive = np.abs(facts.floats("reactive_kvarh"))
    active = np.fmax(facts.energy, 0.0) + np.nan_to_num(facts.floats("export_kwh"))
    with np.errstate(divide="ignore", invalid="ignore"):
        return facts.where((reactive >= at("floor_kvarh")) & ~np.isnan(active), reactive / active)


def _imbalance(facts: Facts, at: Parameters) -> Floats:
    """Return the largest deviation of a phase from the mean of all, as a share of that mean.

    Source: NEMA MG 1, voltage unbalance.
    """
    volts = np.stack([facts.floats(name) for name in _VOLTS])
    mean = volts.mean(axis=0)
    return facts.where(mean >= at("least_v"), np.abs(volts - mean).max(axis=0) / np.where(mean > 0, mean, 1.0))


def _demand(facts: Facts, at: Parameters) -> Floats:
    """Return how far demand is from the mean power of the interval, as a share of the larger, beyond rounding."""
    mean = facts.energy * 3_600.0 / interval_s(facts)
    demand = facts.floats("demand_kw")
    larger = np.maximum(np.maximum(np.abs(mean), np.abs(demand)), at("floor_kw"))
    regular = np.abs(facts.past.gap_s - facts.past.usual_s) <= 0.1 * facts.past.usual_s
    exporting = facts.floats("export_kwh") > 0
    return facts.where(regular & ~exporting, np.maximum(np.abs(demand - mean) - at("resolution_kw"), 0.0) / larger)


RULES = (
    Rule(
        "power_consistency",
        36,
        1,
        "P01",
        "active power does not fit voltage, current and power factor",
        "share",
        _consistency,
        ("current_step_amps", "least_va", "phases"),
        ("demand_kw",),
    ),
    Rule(
        "reactive_without_active",
        37,
        1,
        "P02",
        "reactive energy without active energy",
        "times",
        _reactive,
        ("floor_kvarh",),
        ("reactive_kvarh",),
    ),
    Rule(
        "phase_imbalance",
        38,
        1,
        "P03",
        "phase voltages far from each other",
        "share",
        _imbalance,
        ("least_v",),
        ("voltage_l2", "voltage_l3"),
    ),
    Rule(
        "demand_energy",
        39,
        1,
        "P04",
        "demand does not fit the energy of the interval",
        "share",
        _demand,
        ("floor_kw", "resolution_kw"),
        ("demand_kw",),
    ),
)
