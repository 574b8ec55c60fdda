"""What the rules together make of a reading: flags, masks, letters and bits."""

from dataclasses import replace

import numpy as np
import pytest

from processors.vee.source import said as sayings
from schemas.quality import ANOMALY, ESTIMATED, NORMAL, REJECTED, WARNING, EspiQuality, nem12_code, nem12_text, stronger
from stream.vee.calendars import calendar
from tests.vee import DAY_READINGS, QUARTER_S, RULES, as_batch, checked, days, regular, row, said


@pytest.mark.parametrize(
    ("quality", "letters", "bits", "flag"),
    [
        (None, "A", EspiQuality.VALID, NORMAL),
        ("A", "A", EspiQuality.VALID, NORMAL),
        ("E52", "E52", EspiQuality.PROJECTED, ESTIMATED),
        ("S14", "S14", EspiQuality.REFERENCE_DAY, ESTIMATED),
        ("F17", "F17", EspiQuality.LINEAR, ESTIMATED),
        ("estimated", "E", EspiQuality.PROJECTED, ESTIMATED),
        ("S19", "S19", EspiQuality.DERIVED, ESTIMATED),
        ("test", "A", EspiQuality.VALID, REJECTED),
        ("good enough", "A", EspiQuality.VALID, NORMAL),
    ],
)
def test_what_the_source_says_is_kept_as_letter_method_and_bits(
    quality: str | None, letters: str, bits: EspiQuality, flag: int
) -> None:
    found = checked([row(0, consumption_kwh=1.0, source_quality=quality)])
    assert nem12_text(found.nem12).to_pylist() == [letters]
    assert found.flag.tolist() == [flag]
    assert found.espi.tolist() == [bits if flag != REJECTED else EspiQuality.QUESTIONABLE]


@pytest.mark.parametrize("text", ["", "X", "S1", "S123", "14", "SA4"])
def test_what_is_no_nem12_quality_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="no NEM12 quality"):
        nem12_code(text)


def test_a_doubtful_value_is_questionable_and_no_longer_valid() -> None:
    found = checked([*days(2, 0.5), row(2 * 86_400 + 900, consumption_kwh=25.0)])
    assert said(found, "spike") == "fail"
    assert found.flag[-1] == ANOMALY
    assert found.espi[-1] == EspiQuality.QUESTIONABLE


@pytest.mark.parametrize(
    ("one", "other", "counts"),
    [(NORMAL, WARNING, WARNING), (ANOMALY, WARNING, ANOMALY), (WARNING, 4, WARNING), (ESTIMATED, ANOMALY, ESTIMATED)],
)
def test_of_two_flags_the_stronger_one_counts(one: int, other: int, counts: int) -> None:
    pair = np.array([one], np.int8), np.array([other], np.int8)
    assert stronger(*pair).tolist() == stronger(*pair[::-1]).tolist() == [counts]


def test_an_empty_batch_has_no_findings() -> None:
    assert len(checked([]).failed) == 0
    assert len(sayings(as_batch([]).column("source_quality")).nem12) == 0


def test_zeros_of_a_panel_at_night_are_its_habit() -> None:
    def sun(at: int) -> float:
        return 0.0 if at % DAY_READINGS < 40 else 0.5 + at % 3 / 10

    week = [row(QUARTER_S * (k + 1), consumption_kwh=sun(k)) for k in range(7 * DAY_READINGS)]
    found = checked(week)
    spoken = [k // DAY_READINGS for k in range(len(week)) if said(found, "prolonged_zero", k) != "pass"]
    assert set(spoken) <= {2, 3}
    broken = [row(7 * 86_400 + QUARTER_S * (k + 1), consumption_kwh=0.0) for k in range(DAY_READINGS)]
    assert said(checked([*week, *broken]), "prolonged_zero") != "pass"


def test_energy_in_watt_hours_is_told_by_use_where_there_is_no_register() -> None:
    found = checked([*days(4, 0.5), *(row(4 * 86_400 + 900 * k, consumption_kwh=500.0) for k in range(1, 4))])
    assert [said(found, "energy_unit", at) for at in (-3, -2, -1)] == ["fail"] * 3
    assert [said(found, "spike", at) for at in (-3, -2, -1)] == ["pass"] * 3


def test_energy_in_watt_hours_is_told_by_the_register_until_it_is_back() -> None:
    before = [row(900 * k, consumption_kwh=0.25, register_kwh=500 + k / 4) for k in range(1, 5)]
    slipped = [row(900 * k, consumption_kwh=250.0, register_kwh=1_000 * (500 + k / 4)) for k in range(5, 9)]
    after = [row(900 * k, consumption_kwh=0.25, register_kwh=500 + k / 4) for k in range(9, 12)]
    found = checked([*before, *slipped, *after])
    unit = [said(found, "energy_unit", at) for at in range(11)]
    assert unit == ["pass"] * 4 + ["fail"] * 4 + ["fail"] + ["pass"] * 2
    assert [said(found, "register_reset", at) for at in range(11)] == ["pass"] * 11


def test_one_current_of_three_alike_is_no_contradiction_and_neither_is_feeding_in() -> None:
    def flows(**fields: float) -> str:
        rows = [*regular(3), row(4 * QUARTER_S, voltage=233.0, **fields)]
        return said(checked(rows, kind="residential"), "power_consistency")

    three = {"current_amps": 2.352, "power_factor": 0.961, "demand_kw": 1.58}
    assert flows(**three) == "pass"
    assert flows(**(three | {"demand_kw": 3.2})) == "fail"
    feeding = {"current_amps": 4.371, "power_factor": 0.961, "demand_kw": 0.004, "consumption_kwh": 0.0}
    assert flows(**feeding, export_kwh=0.737) == "pass"
    assert said(checked([row(0, consumption_kwh=0.0, export_kwh=0.1)]), "zero_energy") == "pass"


def test_a_whole_ampere_current_says_nothing_at_low_load() -> None:
    rows = [*regular(3, demand_kw=0.1), row(4 * QUARTER_S, voltage=237.0, current_amps=1.0, demand_kw=0.4)]
    assert said(checked(rows, kind="residential"), "power_consistency") == "pass"


def test_dst_days_are_told_by_the_calendar() -> None:
    rules = replace(RULES, calendar=calendar("Europe/Amsterdam"))
    start_of_2024 = {"before": 89 * 86_400 + 7_200, "on": 90 * 86_400 + 7_200}  # 2024-03-31 is the 91st day
    for name, expected in (("before", "pass"), ("on", "warn")):
        assert said(checked([row(start_of_2024[name], consumption_kwh=1.0)], rules), "dst_day") == expected
