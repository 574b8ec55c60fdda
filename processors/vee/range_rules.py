"""Rules about one value by itself: ranges, signs, and units that have slipped."""

from collections.abc import Callable
from typing import Any

import numpy as np

from processors.vee.facts import Facts
from processors.vee.rule import Parameters, Rule
from schemas.layout import Floats

_PHASES = ("voltage", "voltage_l2", "voltage_l3")
_CURRENTS = ("current_amps", "current_l2_amps", "current_l3_amps")
_DAY_S = 86_400.0
_ROOT_OF_TEN = 10.0**0.5


def interval_s(facts: Facts) -> Floats:
    """Return the interval that a reading's energy is of, float64[n] [s]; NaN while unknown."""
    return np.where(facts.past.usual_s > 0, facts.past.usual_s, np.nan)


def _power_of_interval(facts: Facts, _: Parameters) -> Floats:
    return facts.energy * 3_600.0 / interval_s(facts)


def _size(name: str) -> Callable[[Facts, Parameters], Floats]:
    return lambda facts, _: np.abs(facts.floats(name))


def worst(facts: Facts, names: tuple[str, ...], measure: Callable[[Floats], Floats]) -> Floats:
    """Return the largest measure over columns, float64[n]; NaN where all are absent."""
    found = measure(facts.floats(names[0]))
    for name in names[1:]:
        if facts.batch.column(name).null_count < len(facts.batch):
            found = np.fmax(found, measure(facts.floats(name)))
    return found


def _voltage(facts: Facts, at: Parameters) -> Floats:
    nominal = at("nominal_v")
    return worst(facts, _PHASES, lambda volts: np.abs(volts - nominal))


def _current(facts: Facts, _: Parameters) -> Floats:
    return worst(facts, _CURRENTS, np.abs)


def _power_factor(facts: Facts, at: Parameters) -> Floats:
    factor = facts.floats("power_factor")
    # A load that draws next to nothing has any power factor.
    loaded = ~(facts.floats("current_amps") * facts.floats("voltage") < at("least_va"))
    return facts.where(loaded, 1.0 - factor)


def _frequency(facts: Facts, at: Parameters) -> Floats:
    return np.asarray(np.abs(facts.floats("frequency_hz") - at("nominal_hz")), dtype=np.float64)


def _temperature(facts: Facts, at: Parameters) -> Floats:
    return np.asarray(np.abs(facts.floats("temperature_c") - at("middle_c")), dtype=np.float64)


def _negative(facts: Facts, _: Parameters) -> Floats:
    return np.fmax(-facts.energy, -facts.floats("export_kwh"))


def _reverse(facts: Facts, at: Parameters) -> Floats:
    """Return energy fed in against the registered direction: `generates` is 0 for never, 1 for by day, 2 for always."""
    returned = np.fmax(facts.floats("export_kwh"), -facts.floats("demand_kw") * interval_s(facts) / 3_600.0)
    night = (facts.hour >= at("night_from")) | (facts.hour < at("night_until"))
    generates = at("generates")
    return facts.where((generates == 0) | ((generates == 1) & night), returned)


def _energy_unit(facts: Facts, at: Parameters) -> Floats:
    """Return by how many times the energy's unit has slipped: told by the register, or by a use out of all measure."""
    expected = facts.past.mean_kwh * interval_s(facts) / _DAY_S
    known = (facts.past.days >= at("least_days")) & (expected > 0)
    by_use = np.where(known, facts.energy / np.where(known, expected, 1.0), np.nan)
    by_use = np.where(by_use >= at("least_times"), by_use, 1.0)
    counted = facts.floats("register_kwh") - facts.past.register_kwh
    both = (counted > 0) & (facts.past.since_kwh > at("floor_kwh"))
    ratio = np.where(both, facts.past.since_kwh / np.where(both, counted, 1.0), 1.0)
    found = np.fmax(by_use, _power_near(ratio, at("tolerance")))
    slipped = np.flatnonzero(np.nan_to_num(facts.past.scale))
    found[slipped] = np.fmax(found[slipped], 10.0 ** np.abs(facts.past.scale[slipped]))
    return found


def _power_near(ratio: Floats, tolerance: Any) -> Floats:
    """Return the power of ten, above 1, that a ratio or its inverse is within a share of; 1 where none is."""
    found = np.ones(len(ratio))
    # Nearly all are about 1, and logarithms take their time.
    far = np.flatnonzero((ratio > _ROOT_OF_TEN) | (ratio < 1.0 / _ROOT_OF_TEN))
    power = np.rint(np.log10(np.maximum(ratio[far], 1e-9)))
    near = np.abs(ratio[far] / 10.0**power - 1.0) <= (tolerance[far] if np.ndim(tolerance) else tolerance)
    found[far] = np.where((power != 0) & near, 10.0 ** np.abs(power), 1.0)
    return found


def _voltage_unit(facts: Facts, at: Parameters) -> Floats:
    """Return by how many times a phase voltage is off, where a power of ten brings it back to the nominal one."""
    nominal, band = at("nominal_v"), at("band") / 100.0
    return worst(facts, _PHASES, lambda volts: _power_near(np.abs(volts) / nominal, band))


RULES = (
    Rule(
        "energy_range",
        14,
        1,
        "R01",
        "more energy than the connection can carry",
        "kW",
        _power_of_interval,
        (),
        ("consumption_kwh",),
    ),
    Rule(
        "demand_range",
        15,
        1,
        "R02",
        "more demand than the connection can carry",
        "kW",
        _size("demand_kw"),
        (),
        ("demand_kw",),
    ),
    Rule("voltage_range", 16, 1, "R03", "voltage too far from nominal", "V", _voltage, ("nominal_v",), _PHASES),
    Rule("current_range", 17, 1, "R04", "more current than the connection can carry", "A", _current, (), _CURRENTS),
    Rule(
        "power_factor_range",
        18,
        1,
        "R05",
        "power factor too far below one",
        "1 - power factor",
        _power_factor,
        ("least_va",),
        ("power_factor",),
    ),
    Rule(
        "frequency_range",
        19,
        1,
        "R06",
        "mains frequency too far from nominal",
        "Hz",
        _frequency,
        ("nominal_hz",),
        ("frequency_hz",),
    ),
    Rule(
        "temperature_range",
        20,
        1,
        "R07",
        "a temperature that no meter stands",
        "K",
        _temperature,
        ("middle_c",),
        ("temperature_c",),
    ),
    Rule("negative_energy", 21, 1, "E01", "energy below zero", "kWh", _negative, (), ("consumption_kwh", "export_kwh")),
    Rule(
        "reverse_flow",
        22,
        1,
        "E02",
        "energy fed in by a meter that is not registered to",
        "kWh",
        _reverse,
        ("generates", "night_from", "night_until"),
        ("export_kwh", "demand_kw"),
    ),
    Rule(
        "energy_unit",
        34,
        1,
        "U01",
        "energy in another unit or with another multiplier than before",
        "times",
        _energy_unit,
        ("least_days", "least_times", "floor_kwh", "tolerance"),
        ("consumption_kwh", "register_kwh"),
    ),
    Rule(
        "voltage_unit",
        35,
        1,
        "U02",
        "voltage in another unit than V",
        "times",
        _voltage_unit,
        ("nominal_v", "band"),
        _PHASES,
    ),
)
