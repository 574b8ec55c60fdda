"""Estimates that the engine makes by itself, once what may still come has been waited for."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import psycopg

from processors.vee.interval_series import IntervalSeries
from processors.vee.rule_set import RuleSet
from schemas.errors import ServiceUnavailable
from schemas.layout import Mask
from schemas.values import Audit, ValueKind
from sinks.estimates_due import Due, due_until, look, mine, settle, still_due, take
from sinks.value_ledger import keep_values
from stream.vee.estimating import estimate_meter, histories_around
from stream.vee.history import find_meters, micros

AUTHOR, _REASON = "engine", "missing or failed"
#: Meters of one step: about a second of work.
_AT_ONCE = 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class AutomaticEstimation:
    """Estimates what has become due, each meter in a transaction of its own, whichever worker comes first.

    Doing it again writes only what differs, so that a worker that dies between two steps leaves nothing to mend.

    Args:
        url: `postgresql://...`.
        rules: the rule set in force.

    Attributes:
        written: values written so far.
    """

    def __init__(self, url: str, rules: Callable[[], RuleSet]) -> None:
        self._url = url
        self._rules = rules
        self._connection: psycopg.Connection | None = None
        self.written = 0

    def step(self) -> int:
        """Estimate some of what is due.

        Returns: how many meters were looked at; call again while there are any.

        Raises:
            ServiceUnavailable: try again later.
        """
        try:
            if self._connection is None or self._connection.closed:
                self._connection = psycopg.connect(self._url, autocommit=True, connect_timeout=10)
            return self._step(self._connection, self._rules())
        except psycopg.OperationalError as error:
            self.close()
            raise ServiceUnavailable("database", error) from error

    def close(self) -> None:
        """Disconnect."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.close()

    def _step(self, connection: psycopg.Connection, rules: RuleSet) -> int:
        with connection.transaction():
            until = due_until(connection, rules.estimation.wait_h * 3_600) if mine(connection) else None
            if until is None:
                return 0
            look(connection, until, rules.estimation.replaced)
            found = take(connection, until, _AT_ONCE)
        for due in found:
            with connection.transaction():
                if mine(connection) and still_due(connection, due):
                    self._estimate(connection, rules, due, until)
        return len(found)

    def _estimate(self, connection: psycopg.Connection, rules: RuleSet, due: Due, until: datetime) -> None:
        (meter,) = find_meters(connection, [due.number])
        histories = histories_around(connection, rules, due.since, due.until)
        history = histories.read(meter)
        if history is None:
            return settle(connection, due, None)
        inside, open_since_us = _inside(history.series, micros(due.since), micros(due.until), micros(until))
        values = estimate_meter(histories, meter, history, rules, inside)
        audit = Audit(ValueKind.ESTIMATE, AUTHOR, _REASON, rules.version)
        self.written += keep_values(connection, values, audit)
        open_since = None if open_since_us is None else _EPOCH + timedelta(microseconds=open_since_us)
        return settle(connection, due, open_since)


def _inside(series: IntervalSeries, since_us: int, until_us: int, due_us: int) -> tuple[Mask, int | None]:
    """Return the intervals to estimate: of a span, and the whole of gaps that have ended in it or beside it.

    Args:
        series: of the meter.
        since_us: begin of the span [us].
        until_us: its end [us].
        due_us: nothing later is due [us].

    Returns: bool[n], and the begin of a gap that has not ended [us], None without one.
    """
    time_us, missing = series.time_us, np.isnan(series.kwh)
    inside = (time_us > since_us) & (time_us <= until_us)
    # Every gap has a number; those that the span touches are taken whole, as far as they are due: what is true now may
    # be the end of one.
    beside = (time_us > since_us - series.interval_us) & (time_us <= until_us + series.interval_us)
    number = np.cumsum(missing & ~np.r_[False, missing[:-1]]) * missing
    known = np.flatnonzero(~missing)
    ended = missing & (np.arange(len(missing)) < (known[-1] if len(known) else 0))
    touched = np.unique(number[beside & ended])
    inside |= ended & np.isin(number, touched) & (time_us <= due_us)
    open_ = missing & ~ended & (time_us <= until_us)
    if not (open_ & inside).any():
        return inside, None
    return inside, int(time_us[np.flatnonzero(open_)[0]]) - series.interval_us
