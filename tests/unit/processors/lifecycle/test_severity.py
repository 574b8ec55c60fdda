"""Severity: by signs, by customers, within what the kind allows."""

import pytest

from processors.lifecycle.severity import severity_of
from schemas.alerts import AlertKind, Severity
from tests.alerting import RULES

SAG, HEAT = AlertKind.VOLTAGE_SAG, AlertKind.OVERHEATING


@pytest.mark.parametrize(
    ("raised", "customers", "is_"),
    [("info", 9, "info"), ("info", 10, "warning"), ("warning", 99, "warning"), ("info", 100, "critical")],
)
def test_customers_lift_it(raised: str, customers: int, is_: str) -> None:
    assert severity_of(Severity(raised), SAG, customers, RULES) == is_


def test_a_kind_has_a_floor_and_a_ceiling() -> None:
    assert severity_of(Severity.INFO, HEAT, 1, RULES) is Severity.WARNING
    capped = RULES.kind[SAG].model_copy(update={"most": Severity.WARNING})
    rules = RULES.model_copy(update={"kind": {**RULES.kind, SAG: capped}})
    assert severity_of(Severity.CRITICAL, SAG, 5_000, rules) is Severity.WARNING
