"""Load of transformers against their rating: when it is an overload, and how bad that is.

Above the rating a transformer ages faster, which is allowed for a while (IEC 60076-7:2018). How bad it is follows from
limits of its tables for distribution transformers: a current of 1.5 of the rating and 105 degrees of top oil for cyclic
loading, 1.8 and 115 degrees for long-time emergencies. The oil is followed by the difference equation of the same
standard (clause 8.2), which takes ratio and duration together, at the air temperature of a hot day where nobody has
measured one. Its limits of the winding's hot spot (120, 140 degrees) need a gradient that no registry has.
"""

from dataclasses import dataclass, replace

import numpy as np

from processors.conditions import Condition
from processors.spells import held, stretches, switched
from schemas.alerts import AlertKind, Severity
from schemas.layout import Floats, Positions

#: Distribution transformers, ONAN: exponent of the oil (IEC 60076-7), ratio of load to no-load losses (IEC 60354), rise
#: of the top oil at rated load (IEC 60076-2) [K], time constant of the oil (IEC 60076-7) [min].
_OIL_EXPONENT, _LOSS_RATIO, _OIL_RISE_K, _OIL_MINUTES = 0.8, 5.0, 60.0, 180.0


@dataclass(frozen=True)
class LoadingRules:
    """When a transformer is overloaded; shares of its rating.

    Attributes:
        begin: it begins at this load.
        end: and is over below this one.
        hold: quarter-hours in a row that either has to last; a motor that starts is no overload.
        hold_end: the same for its end.
        cyclic, emergency: loads beyond which it is a warning, and critical.
        cyclic_c, emergency_c: temperatures of the top oil that are the same [degree Celsius].
        ambient_c: of the air [degree Celsius].
    """

    begin: float = 1.0
    end: float = 0.9
    hold: int = 2
    hold_end: int = 4
    cyclic: float = 1.5
    emergency: float = 1.8
    cyclic_c: float = 105.0
    emergency_c: float = 115.0
    ambient_c: float = 30.0


@dataclass(frozen=True)
class Loads:
    """Quarter-hours of one transformer, in their order; some may be missing.

    Attributes:
        name: of the transformer.
        start_s: int64[n], when each begins [s since 1970-01-01 UTC].
        loading: float64[n], apparent power over rating.
        rating_kva: [kVA].
        measured: whether by its own meter; else by its customers, without losses.
        interval_s: longest interval of these meters [s]; a quarter-hour shows all of an interval that ends in it.
    """

    name: str
    start_s: np.typing.NDArray[np.int64]
    loading: Floats
    rating_kva: float
    measured: bool
    interval_s: int = 900

    def evened(self) -> "Loads":
        """Return the same spread over the intervals that the meters have, every quarter-hour with a value."""
        count = -(-self.interval_s // 900)
        if count == 1 or not len(self.loading):
            return self
        first = int(self.start_s[0]) - (count - 1) * 900
        places = (self.start_s - first) // 900
        each = np.zeros(int(places[-1]) + 1)
        each[places] = self.loading
        total = np.concatenate([[0.0], np.cumsum(each)])
        # The mean over an interval that begins here.
        after = np.minimum(np.arange(len(each)) + count, len(each))
        mean = (total[after] - total[:-1]) / count
        known = len(each) - count + 1
        return replace(self, start_s=first + 900 * np.arange(known), loading=mean[:known], interval_s=900)


def top_oil_c(loading: Floats, start_s: np.typing.NDArray[np.int64], ambient_c: float) -> Floats:
    """Follow the top oil of a transformer that was at rest before, float64[n] [degree Celsius].

    Args:
        loading: float64[n], of quarter-hours, in their order.
        start_s: int64[n], when each begins; in gaps the load stays as it was [s].
        ambient_c: temperature of the air [degree Celsius].

    Returns: at the end of each quarter-hour.
    """
    final = _OIL_RISE_K * ((1 + _LOSS_RATIO * loading * loading) / (1 + _LOSS_RATIO)) ** _OIL_EXPONENT
    keeps = np.exp(-np.diff(start_s, prepend=start_s[:1] - 900) / 60 / _OIL_MINUTES)
    rise, oil = np.empty_like(final), _OIL_RISE_K * (1 / (1 + _LOSS_RATIO)) ** _OIL_EXPONENT
    for step in range(len(final)):
        oil = final[step] + (oil - final[step]) * keeps[step]
        rise[step] = oil
    return rise + ambient_c


def overloads(loads: Loads, rules: LoadingRules) -> list[Condition]:
    """Find the overloads of one transformer, oldest first."""
    if not len(loads.loading):
        return []
    loads = loads.evened()
    load = np.abs(loads.loading)
    oil = top_oil_c(load, loads.start_s, rules.ambient_c)
    begins, ends = held(load >= rules.begin, rules.hold), held(load < rules.end, rules.hold_end)
    firsts, afters = stretches(switched(begins, ends))
    found = []
    for held_at, after in zip(firsts.tolist(), afters.tolist(), strict=True):
        first = held_at - rules.hold + 1
        lasts = after == len(load)
        # What ended it had begun as many quarter-hours before.
        last = after if lasts else after - rules.hold_end + 1
        found.append(_overload(loads, np.arange(first, last), load, oil, rules, lasts=lasts))
    return found


def _overload(
    loads: Loads, rows: Positions, load: Floats, oil_c: Floats, rules: LoadingRules, *, lasts: bool
) -> Condition:
    highest, hottest = float(load[rows].max()), float(oil_c[rows].max())
    severity = Severity.INFO
    if highest > rules.cyclic or hottest > rules.cyclic_c:
        severity = Severity.WARNING
    if highest > rules.emergency or hottest > rules.emergency_c:
        severity = Severity.CRITICAL
    hours = len(rows) / 4
    by = "" if loads.measured else " by its customers' meters, losses not counted"
    return Condition(
        kind=AlertKind.TRANSFORMER_OVERLOAD,
        element=f"transformer/{loads.name}",
        started_s=int(loads.start_s[rows[0]]),
        ended_s=0 if lasts else int(loads.start_s[rows[-1]]) + 900,
        severity=severity,
        measured=highest * loads.rating_kva,
        expected=loads.rating_kva,
        unit="kVA",
        detail=f"up to {100 * highest:.0f} % of its {loads.rating_kva:g} kVA for {hours:g} h{by}; "
        f"top oil {hottest:.0f} degree Celsius at most at {rules.ambient_c:g} in the air",
    )
