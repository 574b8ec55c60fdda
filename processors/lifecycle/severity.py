"""How severe a problem is: by its signs, by how many it touches, and within what its kind allows."""

from processors.lifecycle.rules import AlertRules
from schemas.alerts import AlertKind, Severity

_RISING = (Severity.INFO, Severity.WARNING, Severity.CRITICAL)


def higher(one: Severity, other: Severity) -> Severity:
    """Return the more severe of two."""
    return max(one, other, key=_RISING.index)


def severity_of(raised: Severity, kind: AlertKind, customers: int, rules: AlertRules) -> Severity:
    """Return how severe a problem is.

    Args:
        raised: by its score, as its signs say.
        kind: sets bounds.
        customers: customers affected.
        rules: where the levels begin.
    """
    own = rules.kind[kind]
    levels = rules.customers
    touched = Severity.INFO
    if customers >= levels.warning:
        touched = Severity.WARNING
    if customers >= levels.critical:
        touched = Severity.CRITICAL
    lifted = higher(higher(raised, touched), own.least)
    return min(lifted, own.most, key=_RISING.index)
