"""Conditions of elements of the grid: since when, for how long, how bad, and what explains them."""

from dataclasses import dataclass

from schemas.alerts import AlertKind, Severity


@dataclass(frozen=True)
class Condition:
    """One condition of one element, as it is known now; times in seconds since 1970-01-01 UTC.

    Attributes:
        kind: what it is.
        element: such as `transformer/T0042`.
        started_s: since when [s].
        ended_s: until when, 0 while it lasts [s].
        severity: how soon somebody should look.
        measured: how bad, in `unit`.
        expected: what would be usual or allowed, in `unit`.
        unit: of both.
        detail: one sentence for a person, without the element.
        uncertainty: two standard deviations of what was measured, where that is known, in `unit`.
        suspect: the meter or element that explains it best.
        confidence: how sure that is, 0 to 1.
    """

    kind: AlertKind
    element: str
    started_s: int
    ended_s: int
    severity: Severity
    measured: float
    expected: float
    unit: str
    detail: str
    uncertainty: float | None = None
    suspect: str | None = None
    confidence: float | None = None

    def overlaps(self, started_s: int, ended_s: int) -> bool:
        """Whether it has a moment in common with a span [s]; an end of 0 is none."""
        return (ended_s == 0 or self.started_s <= ended_s) and (self.ended_s == 0 or started_s <= self.ended_s)
