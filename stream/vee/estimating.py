"""Estimates for a span: what is missing or failed is estimated from the weeks around, and kept beside the readings."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
import psycopg

from processors.vee.estimate import Estimates, estimate
from processors.vee.estimation import NEM12, SCALED, Method
from processors.vee.rule_set import RuleSet
from processors.vee.source import espi_of
from schemas.layout import Mask
from schemas.quality import ESTIMATED, nem12_code
from schemas.values import Audit, ValueKind, Values
from sinks.value_ledger import keep_values
from stream.vee.history import Histories, Meter, MeterHistory, find_meters, micros


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
    weeks = timedelta(weeks=max(limits.weeks for limits in (rules.estimation.usual, *rules.estimation.limits.values())))
    histories = Histories(connection, since - weeks, until + weeks, rules.calendar, rules.estimation.replaced, until)
    audit = Audit(ValueKind.ESTIMATE, author, reason, rules.version)
    for meter in find_meters(connection, numbers):
        history = histories.read(meter)
        found.meters += 1
        if history is None:
            continue
        time_us = history.series.time_us
        inside = (time_us > micros(since)) & (time_us <= micros(until))
        estimates = estimate(history.series, rules.estimation.of(meter.customer_class))
        values = _values(meter, history, estimates, inside)
        found.missing += int(np.count_nonzero(np.isnan(history.series.kwh) & inside))
        found.made.update(values.method.tolist())
        with connection.transaction():
            found.written += keep_values(connection, values, audit)
    return found


def _values(meter: Meter, history: MeterHistory, estimates: Estimates, inside: Mask) -> Values:
    count = len(estimates.at)
    quality = [_quality(*pair) for pair in zip(estimates.method.tolist(), estimates.scaled.tolist(), strict=True)]
    names = [Method(code).name.lower() for code in estimates.method.tolist()]
    methods = [f"{name}+register" if scaled else name for name, scaled in zip(names, estimates.scaled, strict=True)]
    values = Values(
        meter_id=np.full(count, meter.meter_id, dtype=np.int64),
        time_us=history.series.time_us[estimates.at],
        over_reading=history.failed[estimates.at],
        kwh=estimates.kwh,
        flag=np.full(count, ESTIMATED, dtype=np.int8),
        failed=np.zeros(count, dtype=np.int64),
        warned=np.zeros(count, dtype=np.int64),
        method=np.array(methods, dtype=np.str_),
        confidence=estimates.confidence,
        nem12=np.array(quality, dtype=np.str_),
        espi=np.array([int(espi_of(nem12_code(text))) for text in quality], dtype=np.int16),
    )
    return values.where(inside[estimates.at])


def _quality(code: int, scaled: bool) -> str:
    return SCALED if scaled else NEM12[Method(code)]
