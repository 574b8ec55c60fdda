"""How severe a problem is: by its signs, by how many it touches, and within what its kind and its element allow."""

from processors.lifecycle.rules import AlertRules, rank
from schemas.alerts import AlertKind, Severity


def higher(one: Severity, other: Severity) -> Severity:
    """Return the more severe of two."""
    return max(one, other, key=rank)


def severity_of(raised: Severity, kind: AlertKind, element: str, customers: int, rules: AlertRules) -> Severity:
    """Return how severe a problem is.

    Args:
        raised: by its score, as its signs say.
        kind: sets bounds.
        element: sets bounds, too, and those count where both do.
        customers: customers affected.
        rules: where the levels begin.
    """
    levels = rules.customers
    touched = Severity.INFO
    if customers >= levels.warning:
        touched = Severity.WARNING
    if customers >= levels.critical:
        touched = Severity.CRITICAL
    found = higher(raised, touched)
    for own in (rules.kind[kind], rules.of_element(element)):
        found = min(higher(found, own.least), own.most, key=rank)
    return found
