"""The energy balance of neighbouring transformers as conditions: energy in no meter, customers who stand elsewhere.

Customers who stand elsewhere are looked for first and counted where they belong, so that the rest of the balance is not
disturbed by them; what is missing then is explained by a customer's profile where one fits.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from processors.conditions import Condition
from processors.energy_balance import BalanceRules, Spell, residuals, spells
from processors.losses import Hours, Losses, fit_losses, regressors
from processors.suspects import Displaced, DisplacedRules, displaced, explain
from schemas.alerts import AlertKind, Severity
from schemas.layout import Floats, Positions

#: From this share of what is supplied on it is a line that was tapped, or a meter that failed, and urgent.
_URGENT = 0.4
#: An explanation that is less likely names nobody.
_NAMED = 0.8
#: The newest hours say who it is.
_EXPLAINED_HOURS = 168


@dataclass(frozen=True)
class Neighbourhood:
    """Transformers with meters of their own, and all their customers, over the same hours.

    Attributes:
        names: of the transformers.
        hours: of these.
        since_s: begin of the first hour [s since 1970-01-01 UTC].
        rating_kva: float64[t], NaN where it is not known [kVA].
        customers: meter numbers.
        counted_kwh: float64[h, m], what each customer's meter counts, NaN where it is not known [kWh].
        stands: intp[m], transformer of each, by position.
    """

    names: Sequence[str]
    hours: Hours
    since_s: int
    rating_kva: Floats
    customers: Sequence[str]
    counted_kwh: Floats
    stands: Positions

    def at_s(self, hour: int) -> int:
        """Return when an hour begins [s]."""
        return self.since_s + 3_600 * hour


def examine(near: Neighbourhood, rules: BalanceRules, elsewhere: DisplacedRules) -> tuple[list[Condition], Losses]:
    """Find what is wrong with a balance.

    Args:
        near: what to examine.
        rules: when energy is missing.
        elsewhere: when a customer stands elsewhere.

    Returns: conditions of its transformers; what these are believed to lose.
    """
    losses = fit_losses(near.hours, near.rating_kva)
    left = residuals(near.hours, losses)
    supplied = near.hours.supplied_kwh
    moved = displaced(left, regressors(near.hours), near.counted_kwh, near.stands, elsewhere)
    for one in moved:
        left[one.named] += near.counted_kwh[:, one.customer]
        if one.feeds is not None:
            left[one.feeds] -= near.counted_kwh[:, one.customer]
    found = [_elsewhere(near, one) for one in moved]
    for number in range(len(near.names)):
        scatter = float(losses.scatter_kwh[number])
        found += [
            _missing(near, number, s, left, scatter) for s in spells(left[number], supplied[number], scatter, rules)
        ]
        found += [
            _too_much(near, number, s, left, scatter)
            for s in spells(left[number], supplied[number], scatter, rules, -1)
        ]
    return found, losses


def _elsewhere(near: Neighbourhood, one: Displaced) -> Condition:
    counted = near.counted_kwh[:, one.customer]
    rows = np.isfinite(counted) & near.hours.complete[one.named]
    daily = 24 * float(counted[rows].mean())
    feeds = None if one.feeds is None else near.names[one.feeds]
    instead = "another transformer" if feeds is None else f"transformer {feeds}"
    return Condition(
        kind=AlertKind.WRONG_TRANSFORMER,
        element=f"meter/{near.customers[one.customer]}",
        started_s=near.since_s,
        ended_s=0,
        severity=Severity.INFO,
        measured=daily,
        expected=0.0,
        unit="kWh a day",
        detail=f"its {daily:.1f} kWh a day do not come through transformer {near.names[one.named]}, "
        f"as the registry says, but through {instead}",
        suspect=None if feeds is None else f"transformer/{feeds}",
        confidence=min(1.0, one.confidence),
    )


def _missing(near: Neighbourhood, number: int, spell: Spell, left: Floats, scatter_kwh: float) -> Condition:
    who, confidence, words = _who(near, number, spell, left[number], scatter_kwh)
    fits = f"; the profile of {words} fits best" if who is not None else "; no single customer's profile fits"
    return _balance(near, number, spell, "are in no meter", fits, who, confidence)


def _too_much(near: Neighbourhood, number: int, spell: Spell, left: Floats, scatter_kwh: float) -> Condition:
    who, confidence, words = _who(near, number, spell, -left[number], scatter_kwh)
    fits = f"; as if {words} stood elsewhere" if who is not None else "; its own meter may count too little"
    return _balance(near, number, spell, "more are metered than come in", fits, who, confidence)


def _balance(
    near: Neighbourhood, number: int, spell: Spell, what: str, fits: str, who: str | None, confidence: float | None
) -> Condition:
    daily = 24 / len(spell.hours)
    deviation = spell.deviation_kwh / spell.supplied_kwh
    return Condition(
        kind=AlertKind.UNACCOUNTED_ENERGY,
        element=f"transformer/{near.names[number]}",
        started_s=near.at_s(spell.first),
        ended_s=0 if spell.after is None else near.at_s(spell.after),
        severity=Severity.CRITICAL if spell.share >= _URGENT else Severity.WARNING,
        measured=spell.missing_kwh * daily if what == "are in no meter" else -spell.missing_kwh * daily,
        expected=0.0,
        unit="kWh a day",
        detail=f"{spell.missing_kwh * daily:,.1f} kWh a day {what} beyond losses, {100 * spell.share:.0f} % "
        f"(± {200 * deviation:.0f} %) of what it supplies{fits}",
        uncertainty=2 * spell.deviation_kwh * daily,
        suspect=who,
        confidence=confidence,
    )


def _who(
    near: Neighbourhood, number: int, spell: Spell, missing_kwh: Floats, scatter_kwh: float
) -> tuple[str | None, float | None, str]:
    """Return the element that explains a spell, how sure that is, and its name for a sentence."""
    mine = np.flatnonzero(near.stands == number)
    rows = spell.hours[-_EXPLAINED_HOURS:]
    supplied = near.hours.supplied_kwh[number, rows]
    best = explain(missing_kwh[rows], near.counted_kwh[np.ix_(rows, mine)], supplied, scatter_kwh)
    if best.customer is None or best.confidence < _NAMED:
        return None, None, ""
    name = near.customers[int(mine[best.customer])]
    return f"meter/{name}", best.confidence, f"meter {name}"
