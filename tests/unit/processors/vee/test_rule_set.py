"""Rule sets: what a file may say, and what each mistake in it is answered with."""

import numpy as np
import pytest

from processors.vee.rule_set import parse
from schemas.errors import ConfigurationError
from schemas.meter_class import CLASSES
from tests.vee import QUARTER_S, RULES, checked, regular, row, said

SPIKE = "[rules.spike]\nwarn = 180\nfloor_kw = 1\nleast_days = 1\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version = ", "no TOML"),
        ("name = 'x'", "version: a whole number from 1 on"),
        ("version = true", "version: a whole number"),
        ("version = 1\nspeed = 3", "unknown field 'speed'; known ones are version, name"),
        ("version = 1\n[rules.spyke]\nwarn = 1", r"rules\.spyke: no such rule; there are unknown_meter"),
        ("version = 1\n[rules.spike]\nwarn = 180", r"rules\.spike: floor_kw, least_days must be set"),
        (f"version = 1\n{SPIKE}flor_kw = 2", r"rules\.spike: unknown field 'flor_kw'; known ones are .*floor_kw"),
        (f"version = 1\n{SPIKE}fail = 'much'", r"rules\.spike\.fail: a number is needed, this is 'much'"),
        (f"version = 1\n{SPIKE}fail = nan", r"rules\.spike\.fail: a number is needed"),
        (f"version = 1\n{SPIKE}fail = 100", r"rules\.spike: fail is below warn"),
        (f"version = 1\n{SPIKE}on_warn = 'bad'", r"rules\.spike\.on_warn: 'bad' is none of normal"),
        (f"version = 1\n{SPIKE}hides = ['gaps']", r"rules\.spike\.hides: no rule 'gaps'"),
        (f"version = 1\n{SPIKE}class.shop.warn = 1", r"rules\.spike\.class\.shop: no such class; there are unknown"),
        (f"version = 1\n{SPIKE}class.solar.want = 1", r"rules\.spike\.class\.solar: unknown field 'want'"),
        ("version = 1\n[classes.shop]\nrules = []", r"classes\.shop: no such class"),
        ("version = 1\n[classes.solar]\nrules = ['gap']", r"classes\.solar\.rules: the set has no rule 'gap'"),
        ("version = 1\n[[maintenance]]\nmeters = ['M']", "maintenance 1: from and until"),
        ("version = 1\n[[maintenance]]\nmeters = []\nfrom = 2024-01-01T00:00:00Z\nuntil = 2024-01-02T00:00:00Z",
         "maintenance 1.meters"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_rule_set_is_named_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        parse(text)


def test_classes_and_sources_have_numbers_of_their_own_and_the_source_counts_last() -> None:
    rules = parse(f"version = 7\n{SPIKE}class.solar.warn = 300\nsource.nem12 = {{ enabled = false, warn = 400 }}")
    spike = rules.by_id["spike"]
    kinds = np.array([0, CLASSES.index("solar"), CLASSES.index("solar")], dtype=np.uint8)
    sources = np.array([0, 0, rules.source_code("nem12")])
    assert spike.at("warn", kinds, sources).tolist() == [180, 300, 400]
    assert spike.at("enabled", kinds, sources).tolist() == [1, 1, 0]
    assert spike.at("floor_kw", kinds, sources) == 1
    assert rules.source_code("elsewhere") == rules.source_code(None) == 0


def test_a_rule_that_is_not_named_does_not_run_and_a_version_is_stored_with_each_result() -> None:
    found = checked(regular(4, consumption_kwh=0.0), parse("version = 7\n[rules.gap]\nwarn = 1"))
    assert not (found.failed | found.warned).any()
    assert found.rule_set.tolist() == [7] * 4


def test_a_class_may_have_its_own_choice_of_rules() -> None:
    rules = parse(
        "version = 1\n[rules.zero_energy]\nwarn = 0.5\n[rules.gap]\nwarn = 1\n[classes.solar]\nrules = ['gap']"
    )
    rows = regular(3, consumption_kwh=0.0)
    assert said(checked(rows, rules), "zero_energy") == "warn"
    assert said(checked(rows, rules, kind="solar"), "zero_energy") == "pass"


HIDING = """
version = 1
[rules.voltage_unit]
warn = 9
nominal_v = 230
band = 15
hides = ["voltage_range"]
[rules.voltage_range]
warn = 20
fail = 30
on_fail = "anomaly"
nominal_v = 230
"""


def test_a_slip_of_units_is_one_finding_and_not_an_overvoltage() -> None:
    found = checked([*regular(3, voltage=231.0), row(4 * QUARTER_S, voltage=2_310.0)], parse(HIDING))
    assert (said(found, "voltage_unit"), said(found, "voltage_range")) == ("warn", "pass")
    assert found.flag[-1] == 0


def test_order_counts_what_is_hidden_hides_nothing() -> None:
    chain = 'version = 1\n[rules.{}]\nwarn = 0.5\nhides = ["{}"]\n[rules.{}]\nwarn = -1\nhides = ["{}"]\n'
    first = chain.format("zero_energy", "late", "late", "zero_energy")
    second = chain.format("zero_energy", "late", "late", "zero_energy").replace("version = 1", "version = 2")
    parts = second.split("[rules.")
    turned = parts[0] + "[rules." + parts[2] + "[rules." + parts[1]
    rows = regular(1, consumption_kwh=0.0)
    one, other = checked(rows, parse(first)), checked(rows, parse(turned))
    assert (said(one, "zero_energy"), said(one, "late")) == ("warn", "pass")
    assert (said(other, "zero_energy"), said(other, "late")) == ("pass", "warn")


def test_maintenance_holds_for_the_meters_and_the_time_that_it_names() -> None:
    period = '[[maintenance]]\nmeters = ["M1"]\nfrom = 2024-01-01T00:15:00Z\nuntil = 2024-01-01T00:45:00Z\n'
    rules = parse("version = 1\n[rules.maintenance]\nwarn = 0.5\n" + period)
    found = checked(regular(4, consumption_kwh=1.0), rules)
    assert [said(found, "maintenance", at) for at in range(4)] == ["pass", "warn", "warn", "pass"]
    other = parse("version = 1\n[rules.maintenance]\nwarn = 0.5\n" + period.replace("M1", "M2"))
    assert not checked(regular(4, consumption_kwh=1.0), other).warned.any()


def test_the_rule_set_of_the_engine_has_every_rule() -> None:
    assert len(RULES.rules) == 45
    assert RULES.version > 0
