"""Estimates for a span: what is missing or failed is estimated from the weeks around, and kept beside the readings."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import psycopg

from processors.vee.estimate import Estimates, estimate
from processors.vee.estimation import NEM12, SCALED, Method, MethodLimits
from processors.vee.interval_series import IntervalSeries
from processors.vee.rule_set import RuleSet
from processors.vee.source import espi_of
from schemas.layout import Floats, Mask
from schemas.quality import ESTIMATED, nem12_code
from schemas.values import Audit, ValueKind, Values
from sinks.value_ledger import keep_values
from stream.vee.history import Histories, Meter, MeterHistory, find_meters, micros

#: Methods that look at other meters than their own.
_LOOK_AROUND = (Method.PROXY_DAY, Method.PROFILE)


@dataclass
class Estimated:
    """What came of an estimation.

    Attributes:
        meters: meters looked at.
        missing: intervals of the span without a value that is to be used.
        made: estimates by method, as they are now.
        written: how many of them are new.
    """

    meters: int = 0
    missing: int = 0
    made: Counter[str] = field(default_factory=Counter)
    written: int = 0

    @property
    def left(self) -> int:
        """Intervals that no method served."""
        return self.missing - self.made.total()


def estimate_span(
    connection: psycopg.Connection,
    rules: RuleSet,
    since: datetime,
    until: datetime,
    numbers: Sequence[str],
    author: str,
    reason: str,
) -> Estimated:
    """Estimate what is missing within (since, until], each meter in a transaction of its own.

    Args:
        connection: to the database, each statement its own transaction.
        rules: says which methods, in which order, up to which limits.
        since: begin of the span.
        until: its end; nothing is known after it that may not still change.
        numbers: meters, all of them where none is named.
        author: who asks.
        reason: why.

    Raises:
        ConfigurationError: there is no such meter.
    """
    found = Estimated()
    histories = histories_around(connection, rules, since, until)
    audit = Audit(ValueKind.ESTIMATE, author, reason, rules.version)
    for meter in find_meters(connection, numbers):
        history = histories.read(meter)
        found.meters += 1
        if history is None:
            continue
        time_us = history.series.time_us
        inside = (time_us > micros(since)) & (time_us <= micros(until))
        values = estimate_meter(histories, meter, history, rules, inside)
        found.missing += int(np.count_nonzero(np.isnan(history.series.kwh) & inside))
        found.made.update(name for name in values.method.tolist() if name)
        with connection.transaction():
            found.written += keep_values(connection, values, audit)
    return found


def histories_around(connection: psycopg.Connection, rules: RuleSet, since: datetime, until: datetime) -> Histories:
    """Return what reads histories of (since, until], with as much before and after as any method looks at."""
    every = (rules.estimation.usual, *rules.estimation.limits.values())
    weeks = timedelta(weeks=max(limits.weeks for limits in every))
    return Histories(connection, since - weeks, until + weeks, rules, until)


def estimate_meter(histories: Histories, meter: Meter, history: MeterHistory, rules: RuleSet, inside: Mask) -> Values:
    """Estimate what is missing of a meter, energy drawn and fed in.

    Args:
        histories: knows what is around a meter, which is only asked for where a method needs it.
        meter: which.
        history: of it.
        rules: says which methods, in which order, up to which limits.
        inside: bool[n], intervals that values are wanted of.
    """
    limits = rules.estimation.of(meter.customer_class)
    drawn = _Column.of(_estimate(histories, meter, history.series, limits), inside)
    fed_in = _Column.nothing(len(inside))
    if history.fed_in is not None and (history.absent & inside & np.isnan(history.fed_in.kwh)).any():
        # The class's profile is of energy drawn, and says nothing of what is fed in.
        fed_in = _Column.of(estimate(history.fed_in, limits), inside & history.absent)
    at = np.flatnonzero(~np.isnan(drawn.kwh) | ~np.isnan(fed_in.kwh))
    nem12 = np.where(drawn.nem12 == "", fed_in.nem12, drawn.nem12)[at]
    return Values.of(
        np.full(len(at), meter.meter_id, dtype=np.int64),
        time_us=history.series.time_us[at],
        over_reading=history.failed[at],
        kwh=drawn.kwh[at],
        flag=np.full(len(at), ESTIMATED, dtype=np.int8),
        method=np.where(drawn.method == "", fed_in.method, drawn.method)[at],
        confidence=drawn.confidence[at],
        nem12=nem12,
        espi=np.array([int(espi_of(nem12_code(text))) for text in nem12.tolist()], dtype=np.int16),
        export_kwh=fed_in.kwh[at],
        export_method=fed_in.method[at],
        export_confidence=fed_in.confidence[at],
    )


def _estimate(histories: Histories, meter: Meter, series: IntervalSeries, limits: MethodLimits) -> Estimates:
    """Estimate by what the meter itself shows; by other meters only where the order of methods comes to that."""
    found = estimate(series, limits)
    order = {method: place for place, method in enumerate(limits.methods)}
    first = min((order[method] for method in _LOOK_AROUND if method in order), default=len(order))
    missing = int(np.count_nonzero(np.isnan(series.kwh)))
    served = len(found.at) == missing and all(order[Method(code)] < first for code in np.unique(found.method))
    if served or first == len(order):
        return found
    return estimate(histories.with_surroundings(meter, series), limits)


@dataclass(frozen=True)
class _Column:
    """Estimates of one direction by the interval: NaN and empty texts where there is none."""

    kwh: Floats
    confidence: Floats
    method: npt.NDArray[np.str_]
    nem12: npt.NDArray[np.str_]

    @classmethod
    def nothing(cls, count: int) -> "_Column":
        return cls(
            np.full(count, np.nan), np.full(count, np.nan), np.full(count, "", dtype="<U24"), np.full(count, "", "<U3")
        )

    @classmethod
    def of(cls, found: Estimates, inside: Mask) -> "_Column":
        made, wanted = cls.nothing(len(inside)), inside[found.at]
        at, scaled = found.at[wanted], found.scaled[wanted]
        names = np.array([method.name.lower() for method in Method])[found.method[wanted]]
        codes = np.array([NEM12.get(method, "") for method in Method])[found.method[wanted]]
        made.kwh[at], made.confidence[at] = found.kwh[wanted], found.confidence[wanted]
        made.method[at] = np.where(scaled, np.char.add(names, "+register"), names)
        made.nem12[at] = np.where(scaled, SCALED, codes)
        return made
