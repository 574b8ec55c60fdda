"""Severity: by signs, by customers, within what kind and element allow."""

import pytest

from processors.lifecycle.rules import read_rules
from processors.lifecycle.severity import severity_of
from schemas.alerts import AlertKind, Severity
from tests.alerting import RULES

SAG, HEAT = AlertKind.VOLTAGE_SAG, AlertKind.OVERHEATING


@pytest.mark.parametrize(
    ("raised", "customers", "is_"),
    [("info", 9, "info"), ("info", 10, "warning"), ("warning", 99, "warning"), ("info", 100, "critical")],
)
def test_customers_lift_it(raised: str, customers: int, is_: str) -> None:
    assert severity_of(Severity(raised), SAG, "meter/M1", customers, RULES) == is_


def test_a_kind_has_a_floor_and_a_ceiling() -> None:
    assert severity_of(Severity.INFO, HEAT, "meter/M1", 1, RULES) is Severity.WARNING
    capped = RULES.kind[SAG].model_copy(update={"most": Severity.WARNING})
    rules = RULES.model_copy(update={"kind": {**RULES.kind, SAG: capped}})
    assert severity_of(Severity.CRITICAL, SAG, "meter/M1", 5_000, rules) is Severity.WARNING


def test_an_element_has_a_floor_and_a_ceiling_whatever_the_kind() -> None:
    own = [{"name": "meter/HOSPITAL-*", "least": "critical"}, {"name": "meter/TEST*", "most": "info"}]
    rules = read_rules({**RULES.model_dump(), "element": own})
    for element, is_ in (("meter/HOSPITAL-3", "critical"), ("meter/TEST1", "info"), ("meter/M1", "warning")):
        assert severity_of(Severity.WARNING, SAG, element, 1, rules) == is_


def test_a_floor_above_its_ceiling_is_refused() -> None:
    with pytest.raises(ValueError, match=r"least \(critical\) is above most \(info\)"):
        read_rules({**RULES.model_dump(), "element": [{"name": "meter/*", "least": "critical", "most": "info"}]})
