"""The file of rules: the engine's own is whole, and what is wrong with another one is named."""

from pathlib import Path

import pytest

from schemas.alerts import AlertKind
from schemas.errors import ConfigurationError
from stream.alerting.rules import load_alert_rules

_OWN = Path(__file__).resolve().parents[3] / "stream" / "alerting" / "default.toml"


def test_every_kind_has_an_action() -> None:
    rules = load_alert_rules()
    assert all(rules.kind[kind].action for kind in AlertKind)


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        ("[kind.flatline]", "[kind.flat_line]", "flat_line"),
        ("calm_readings = 4", "calm_readings = 0", "calm_readings"),
        ("hold_s = 300", "hold_for = 300", "hold_for"),
        ("begin = 3.0", "begin = 0.5", "end must be below begin"),
        ("share = 0.2", "share = ", "Invalid value"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, before: str, after: str, named: str) -> None:
    file = tmp_path / "alerts.toml"
    file.write_text(_OWN.read_text().replace(before, after))
    with pytest.raises(ConfigurationError, match=named) as failure:
        load_alert_rules(file)
    assert str(file) in str(failure.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.toml"):
        load_alert_rules(tmp_path / "none.toml")


def test_a_panel_is_addressed_by_its_element_and_nothing_in_its_name_breaks_out(tmp_path: Path) -> None:
    file = tmp_path / "alerts.toml"
    file.write_text('panel = "https://g.example/d?e={element}"\n' + _OWN.read_text())
    assert load_alert_rules(file).panel_of("meter/a&b={x}") == "https://g.example/d?e=meter%2Fa%26b%3D%7Bx%7D"
    assert load_alert_rules().panel_of("meter/a") is None


def test_kinds_that_a_file_does_not_name_are_the_engines_own(tmp_path: Path) -> None:
    file = tmp_path / "alerts.toml"
    file.write_text('[defaults]\nhold_s = 7\n[kind.outage]\naction = "Call."\nends = "restored"\n')
    rules, own = load_alert_rules(file), load_alert_rules()
    assert rules.kind[AlertKind.OUTAGE].hold_s == 7
    assert {kind: rules.kind[kind] for kind in AlertKind if kind != "outage"} == {
        kind: own.kind[kind] for kind in AlertKind if kind != "outage"
    }
