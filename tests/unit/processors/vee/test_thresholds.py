"""Every rule at, just below and just above each threshold."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from processors.vee.catalogue import BY_ID, RULES
from schemas.meter_class import ACTIVE, INACTIVE, UNREGISTERED
from tests.vee import QUARTER_S, Row, checked, days, only, regular, row, said

DAY_S = 86_400


@dataclass(frozen=True)
class Case:
    """Readings whose last one measures exactly `x`, for a threshold and a step that are exact in binary."""

    build: Callable[[float], list[Row]]
    threshold: float
    step: float
    settings: dict[str, float] = field(default_factory=dict)
    kind: str = ""
    status: int = ACTIVE


def after(rows: list[Row], steps: float = 1, **columns: Any) -> list[Row]:
    """The rows and one more, so many quarter hours later."""
    return [*rows, row(rows[-1]["at_s"] + QUARTER_S * steps, **columns)]


def day_of(kwh: float, before: list[Row]) -> list[Row]:
    """One more day of exactly this energy, and the reading that closes it."""
    begin = before[-1]["at_s"]
    day = [row(begin + QUARTER_S * k, consumption_kwh=kwh / 96 * (1 + 0.5 * (-1) ** k)) for k in range(1, 97)]
    return after([*before, *day], consumption_kwh=0.1)


def estimated(hours: float) -> list[Row]:
    return [row(0, consumption_kwh=1.0), *(row(900 * k, source_quality="E52") for k in range(1, int(hours * 4) + 1))]


STILL = {"consumption_kwh": 0.3, "voltage": 231.0}
HALF = {"consumption_kwh": 0.5}
STEADY = regular(4, consumption_kwh=0.25)
CASES: dict[str, Case] = {
    "unknown_meter": Case(lambda _: STEADY, 0, 1),
    "inactive_meter": Case(lambda _: STEADY, 0, 1),
    "changed_device": Case(lambda x: after(regular(4, device="A"), device="B" if x else "A"), 0, 1),
    "test_mode": Case(lambda x: after(STEADY, source_quality="test" if x else "A"), 0, 1),
    "source_estimate": Case(lambda x: after(STEADY, source_quality="S14" if x else "A"), 0, 1),
    "prolonged_estimation": Case(estimated, 3, 0.25),
    "future_time": Case(lambda x: [row(900, consumption_kwh=1.0, arrived_s=900 - x)], 64, 1),
    "old_time": Case(lambda x: [row(900, consumption_kwh=1.0, arrived_s=900 + x * DAY_S)], 2, 0.125),
    "late": Case(lambda x: [row(900, consumption_kwh=1.0, arrived_s=900 + x)], 3600, 1),
    "clock_drift": Case(lambda x: after(STEADY, 1 + x / 900, consumption_kwh=0.2), 16, 1),
    "off_grid": Case(lambda x: after(STEADY, 1 + x / 900, consumption_kwh=0.2), 180, 1),
    "interval_length": Case(lambda x: after(STEADY, 2 + x, consumption_kwh=0.2), 0.25, 0.125),
    "gap": Case(lambda x: after(STEADY, 1 + x, consumption_kwh=0.2), 4, 1),
    "duplicate": Case(lambda x: after(STEADY, 1 - x, consumption_kwh=0.25), 0, 1),
    "conflicting_duplicate": Case(lambda x: after(STEADY, 1 - x, consumption_kwh=0.5), 0, 1),
    "out_of_order": Case(lambda x: after(STEADY, -x / 900, consumption_kwh=0.25), 1000, 1),
    "energy_range": Case(lambda x: after(STEADY, consumption_kwh=x / 4), 40, 0.5, kind="residential"),
    "demand_range": Case(lambda x: after(STEADY, demand_kw=x), 40, 0.5),
    "voltage_range": Case(lambda x: after(STEADY, voltage=230 - x), 20, 0.5),
    "current_range": Case(lambda x: after(STEADY, current_amps=x), 100, 0.5),
    "power_factor_range": Case(
        lambda x: after(STEADY, power_factor=1 - x, voltage=230, current_amps=10), 0.5, 0.125
    ),
    "frequency_range": Case(lambda x: after(STEADY, frequency_hz=50 + x), 0.5, 0.125),
    "temperature_range": Case(lambda x: after(STEADY, temperature_c=20 - x), 60, 0.5),
    "negative_energy": Case(lambda x: after(STEADY, consumption_kwh=-x), 0, 0.125),
    "reverse_flow": Case(lambda x: after(STEADY, consumption_kwh=0.0, export_kwh=x), 0.5, 0.125, kind="commercial"),
    "reversed_polarity": Case(
        lambda x: [
            *days(3),
            *(row(3 * DAY_S + 900 * k, consumption_kwh=0.0, export_kwh=0.5) for k in range(1, int(x * 4) + 1)),
        ],
        4, 0.25,
    ),
    "zero_energy": Case(lambda x: after(STEADY, consumption_kwh=0.0 if x else 1.0), 0, 1),
    "prolonged_zero": Case(
        lambda x: [*days(3), *(row(3 * DAY_S + 900 * k, consumption_kwh=0.0) for k in range(1, int(x * 4) + 1))],
        4, 0.25,
    ),
    "stuck_value": Case(
        lambda x: [row(0, **STILL), *regular(int(x * 4), **STILL)],
        3, 0.25,
    ),
    "spike": Case(
        lambda x: after([*days(2, 0.5), row(2 * DAY_S + 900, **HALF)], consumption_kwh=0.75 * (1 + x / 100)),
        200, 12.5,
    ),
    "high_day": Case(lambda x: day_of(12 * x, days(10)), 3, 0.125, {"floor_kwh": 0}),
    "low_day": Case(lambda x: day_of(12 / x, days(10)), 4, 0.5, {"floor_kwh": 0}),
    "like_days": Case(lambda x: day_of(12 * x, days(15)), 4, 0.5, {"floor_kwh": 0}),
    "last_year": Case(lambda x: day_of(12 * x, days(366)), 4, 0.5, {"floor_kwh": 0}),
    "sum_check": Case(
        lambda x: after(after(STEADY, consumption_kwh=0.0, register_kwh=64), consumption_kwh=1 - x, register_kwh=65),
        0.25, 0.125, {"resolution_kwh": 0},
    ),
    "register_rollover": Case(
        lambda x: after(after(STEADY, register_kwh=99_999), register_kwh=1 if x else 5_000), 0, 1
    ),
    "register_reset": Case(lambda x: after(after(STEADY, register_kwh=5_000), register_kwh=5_000 - x), 2, 0.5),
    "energy_unit": Case(
        lambda x: after(after(STEADY, register_kwh=64), register_kwh=64 * x), 10, 0, {}
    ),
    "voltage_unit": Case(lambda x: after(STEADY, voltage=230 * x), 10, 0, {}),
    "power_consistency": Case(
        lambda x: after(STEADY, voltage=200, current_amps=10, power_factor=1, demand_kw=2 * (1 + x)),
        0.25, 0.125, {"current_step_amps": 0, "phases": 1},
    ),
    "reactive_without_active": Case(lambda x: after(STEADY, consumption_kwh=0.5, reactive_kvarh=x / 2), 5, 0.5),
    "phase_imbalance": Case(
        lambda x: after(STEADY, voltage=240 * (1 - x), voltage_l2=240 * (1 + x), voltage_l3=240), 0.125, 0.0625
    ),
    "demand_energy": Case(
        lambda x: after(STEADY, consumption_kwh=0.25, demand_kw=1 - x), 0.25, 0.125, {"resolution_kw": 0}
    ),
}  # fmt: skip
#: Rules whose finding is yes or no, and where there is nothing between.
YES_OR_NO = {name for name, rule in BY_ID.items() if rule.unit == "0 or 1"}
MEASURED = [name for name in CASES if name not in YES_OR_NO and CASES[name].step]


def verdict(name: str, x: float, **thresholds: float) -> str:
    case = CASES[name]
    rules = only(name, **case.settings, **thresholds)
    return said(checked(case.build(x), rules, kind=case.kind, status=case.status), name)


@pytest.mark.parametrize("name", MEASURED)
def test_a_rule_passes_below_and_at_its_thresholds_and_speaks_above(name: str) -> None:
    case = CASES[name]
    below, at, above = case.threshold - case.step, case.threshold, case.threshold + case.step
    never = 1e12
    assert [verdict(name, x, warn=at, fail=never) for x in (below, at, above)] == ["pass", "pass", "warn"]
    assert [verdict(name, x, warn=0, fail=at) for x in (at, above)] == ["warn" if at else "pass", "fail"]


def test_every_rule_is_tried() -> None:
    elsewhere = {"dst_day", "maintenance"}
    assert set(CASES) | elsewhere == set(BY_ID)


@pytest.mark.parametrize("name", sorted(YES_OR_NO & set(CASES) - {"unknown_meter", "inactive_meter"}))
def test_a_rule_of_yes_or_no_says_yes_or_no(name: str) -> None:
    x = 0 if name in {"duplicate", "conflicting_duplicate"} else 1
    yes, no = (
        verdict(name, 1 - x if x == 0 else 1, warn=0.5, fail=2),
        verdict(name, x if x == 0 else 0, warn=0.5, fail=2),
    )
    assert (yes, no) == ("warn", "pass")
    assert verdict(name, 1, warn=0.5, fail=0.75) == "fail"


@pytest.mark.parametrize(
    ("name", "speaks", "silent"),
    [("unknown_meter", UNREGISTERED, ACTIVE), ("inactive_meter", INACTIVE, ACTIVE), ("unknown_meter", UNREGISTERED, 0)],
)
def test_the_registry_decides_on_identity(name: str, speaks: int, silent: int) -> None:
    assert said(checked(STEADY, only(name, fail=9), status=speaks), name) == "warn"
    assert said(checked(STEADY, only(name, fail=9), status=silent), name) == "pass"


@pytest.mark.parametrize(("counted", "expected"), [(1.9, "pass"), (2.03, "pass"), (2.1, "warn"), (0.5, "warn")])
def test_what_the_register_has_counted_is_no_spike(counted: float, expected: str) -> None:
    before = [*days(2, 0.5), row(2 * DAY_S + 900, consumption_kwh=0.5, register_kwh=100.0)]
    spike = after(before, consumption_kwh=2.0 if counted != 1.9 else 1.9, register_kwh=100.0 + counted)
    assert said(checked(spike, only("spike", warn=100, fail=1e9)), "spike") == expected


@pytest.mark.parametrize(("times", "expected"), [(10.2, "pass"), (10.05, "warn"), (1.0, "pass"), (1000.0, "fail")])
def test_a_register_that_jumps_by_a_power_of_ten_is_another_unit(times: float, expected: str) -> None:
    assert verdict("energy_unit", times) == expected


@pytest.mark.parametrize(
    ("times", "expected"), [(1.16, "pass"), (10.0, "warn"), (11.4, "warn"), (11.6, "pass"), (0.001, "fail")]
)
def test_a_voltage_that_a_power_of_ten_explains_is_another_unit(times: float, expected: str) -> None:
    assert verdict("voltage_unit", times) == expected


def test_the_bits_of_masks_are_the_places_in_the_catalogue() -> None:
    assert [rule.bit for rule in RULES] == list(range(len(RULES)))
    assert len({rule.reason for rule in RULES}) == len({rule.id for rule in RULES}) == len(RULES) <= 63
