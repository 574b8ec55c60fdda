"""Phase imbalance: how far voltages or currents of three phases are apart.

Of voltages to neutral only magnitudes are known. So the rate is that of IEEE Std 141 (phase voltage unbalance rate):
the largest distance of a phase from the mean of the three, over that mean; for currents the same (NEMA MG-1, 14.36,
says it of lines). The factor of IEC 61000-4-30, negative over positive sequence, needs angles: it is given as if these
were 120 degrees, which a neutral that shifts would make wrong.
"""

from dataclasses import dataclass

import numpy as np

from processors.conditions import Condition
from processors.spells import held, stretches, switched
from schemas.alerts import AlertKind, Severity
from schemas.layout import Floats, Positions

_TURN = np.exp(2j * np.pi / 3)


@dataclass(frozen=True)
class ImbalanceRules:
    """When phases are out of balance.

    Attributes:
        begin: rate of voltages that is too much: 2 %, which EN 50160 allows 95 % of the week.
        end: and from which down it is none.
        hold: hours in a row that either has to last.
        urgent: from here on motors are to be derated by almost a fifth (NEMA MG-1, figure 14-1).
        meters: customers on each phase at least, where it is told by customers of one phase each.
    """

    begin: float = 0.02
    end: float = 0.015
    hold: int = 3
    urgent: float = 0.04
    meters: int = 3


@dataclass(frozen=True)
class Phases:
    """Hours of one transformer, in their order.

    Attributes:
        name: of the transformer.
        start_s: int64[h], when each begins [s since 1970-01-01 UTC].
        voltage: float64[h, 3], to neutral, NaN where it is not known [V].
        meters: int64[h, 3], how many these are means of.
        own: whether by the transformer's own meter.
    """

    name: str
    start_s: np.typing.NDArray[np.int64]
    voltage: Floats
    meters: np.typing.NDArray[np.int64]
    own: bool


def unbalance_rate(values: Floats) -> Floats:
    """Return the largest distance from the mean over the mean, float64[...]; NaN where a phase is not known.

    Args:
        values: float64[..., 3], magnitudes.
    """
    mean = values.mean(axis=-1)
    apart = np.abs(values - mean[..., None]).max(axis=-1)
    rate: Floats = np.divide(apart, mean, out=np.full(mean.shape, np.nan), where=mean > 0)
    return rate


def sequence_ratio(values: Floats) -> Floats:
    """Return negative over positive sequence as if angles were 120 degrees, float64[...].

    Args:
        values: float64[..., 3], magnitudes.
    """
    # Angles of 0, -120 and 120 degrees: in the positive sequence they cancel, in the negative one they double.
    positive = values.sum(axis=-1)
    negative = np.abs(values @ np.array([1, _TURN, _TURN * _TURN]))
    ratio: Floats = np.divide(negative, positive, out=np.full(positive.shape, np.nan), where=positive > 0)
    return ratio


def imbalances(phases: Phases, rules: ImbalanceRules) -> list[Condition]:
    """Find spells of imbalance of the voltages of one transformer, oldest first."""
    known = np.isfinite(phases.voltage).all(axis=1)
    if not phases.own:
        known &= (phases.meters >= rules.meters).all(axis=1)
    at = np.flatnonzero(known)
    rate = unbalance_rate(phases.voltage[at])
    state = switched(held(rate >= rules.begin, rules.hold), held(rate < rules.end, rules.hold))
    found = []
    for held_at, after in zip(*(ends.tolist() for ends in stretches(state)), strict=True):
        lasts = after == len(at)
        last = after if lasts else after - rules.hold + 1
        found.append(_imbalance(phases, at[held_at - rules.hold + 1 : last], rules, lasts=lasts))
    return found


def _imbalance(phases: Phases, rows: Positions, rules: ImbalanceRules, *, lasts: bool) -> Condition:
    rate = unbalance_rate(phases.voltage[rows])
    worst = int(rows[np.argmax(rate)])
    volts = phases.voltage[worst]
    odd = int(np.argmax(np.abs(volts - volts.mean())))
    by = "its own meter" if phases.own else f"{int(phases.meters[worst].sum())} customers"
    levels = ", ".join(f"{value:.1f}" for value in volts)
    return Condition(
        kind=AlertKind.PHASE_IMBALANCE,
        element=f"transformer/{phases.name}",
        started_s=int(phases.start_s[rows[0]]),
        ended_s=0 if lasts else int(phases.start_s[rows[-1]]) + 3_600,
        severity=Severity.WARNING if rate.max() >= rules.urgent else Severity.INFO,
        measured=100 * float(rate.max()),
        expected=100 * rules.begin,
        unit="%",
        detail=f"L{odd + 1} is {100 * float(rate.max()):.1f} % off the mean of the phases ({levels} V) by {by}; "
        f"negative sequence {100 * float(sequence_ratio(volts)):.1f} % if angles are 120 degrees",
    )
