"""What people decide about intervals: a value is accepted, set, or not to be used; who, when and why is kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import psycopg

from schemas.errors import ConfigurationError
from schemas.quality import EDITED, NORMAL, REJECTED, Codes, EspiQuality
from schemas.values import Audit, ValueKind, Values
from sinks.value_ledger import keep_values
from stream.vee.history import find_meters, micros

_BEST = """
SELECT (extract(epoch FROM reading_time) * 1e6)::bigint, consumption_kwh, nem12_quality, espi_quality
FROM best_values
WHERE meter_id = %s AND reading_time > %s AND reading_time <= %s AND consumption_kwh IS NOT NULL ORDER BY reading_time
"""
#: NEM12: final substitute, agreed (16); what is accepted keeps what it was, what is rejected is null.
_SET, _NULL = "F16", "N"


@dataclass(frozen=True)
class Decision:
    """A decision about intervals of one meter.

    Attributes:
        meter: its number.
        since: begin of the span.
        until: its end; an interval that ends after `since` and up to `until` is meant.
        author: who decides.
        reason: why.
    """

    meter: str
    since: datetime
    until: datetime
    author: str
    reason: str


def accept(connection: psycopg.Connection, decision: Decision, rule_set: int) -> int:
    """Confirm the best values of a span as they are, whatever rules say of them.

    Returns: how many intervals were accepted now.

    Raises:
        ConfigurationError: there is no such meter, or no value in the span.
    """
    meter_id, rows = _best(connection, decision)
    times, kwh, nem12, espi = zip(*rows, strict=True)
    quality = np.array(espi, dtype=np.int16) & ~np.int16(EspiQuality.QUESTIONABLE) | np.int16(EspiQuality.VALID)
    values = _values(meter_id, times, kwh, NORMAL, "accepted", nem12, quality)
    return _keep(connection, values, decision, ValueKind.ACCEPT, rule_set)


def reject(connection: psycopg.Connection, decision: Decision, rule_set: int) -> int:
    """Say that the values of a span are not to be used; an estimate may then take their place.

    Returns: how many intervals were rejected now.

    Raises:
        ConfigurationError: there is no such meter, or no value in the span.
    """
    meter_id, rows = _best(connection, decision)
    times, *_ = zip(*rows, strict=True)
    quality = np.full(len(times), EspiQuality.QUESTIONABLE, dtype=np.int16)
    values = _values(meter_id, times, [np.nan] * len(times), REJECTED, "rejected", [_NULL] * len(times), quality)
    return _keep(connection, values, decision, ValueKind.REJECT, rule_set)


def edit(connection: psycopg.Connection, decision: Decision, kwh: Sequence[float], step_s: int, rule_set: int) -> int:
    """Set the energy of the intervals that end `step_s`, 2 * `step_s`, ... after the begin of a span.

    Returns: how many intervals were set now.

    Raises:
        ConfigurationError: there is no such meter, or the values do not fill the span.
    """
    (meter,) = find_meters(connection, [decision.meter])
    step_us = step_s * 1_000_000
    times = range(micros(decision.since) + step_us, micros(decision.until) + 1, step_us)
    if len(times) != len(kwh):
        raise ConfigurationError(f"{len(kwh)} values are given for the {len(times)} intervals of the span")
    quality = np.full(len(kwh), EspiQuality.MANUALLY_EDITED, dtype=np.int16)
    values = _values(meter.meter_id, times, kwh, EDITED, "set", [_SET] * len(kwh), quality)
    return _keep(connection, values, decision, ValueKind.EDIT, rule_set)


def _best(connection: psycopg.Connection, decision: Decision) -> tuple[int, list[tuple[int, float, str, int]]]:
    (meter,) = find_meters(connection, [decision.meter])
    rows = connection.execute(_BEST, (meter.meter_id, decision.since, decision.until)).fetchall()
    if not rows:
        raise ConfigurationError(f"meter {decision.meter} has no value in the span")
    return meter.meter_id, rows


def _values(
    meter_id: int,
    times: Sequence[int],
    kwh: Sequence[float],
    flag: int,
    method: str,
    nem12: Sequence[str],
    espi: np.typing.NDArray[np.int16],
) -> Values:
    count = len(times)
    flags: Codes = np.full(count, flag, dtype=np.int8)
    return Values.of(
        np.full(count, meter_id, dtype=np.int64),
        time_us=np.array(times, dtype=np.int64),
        over_reading=np.ones(count, dtype=bool),
        kwh=np.array(kwh, dtype=np.float64),
        flag=flags,
        method=np.full(count, method, dtype="<U16"),
        nem12=np.array(nem12, dtype=np.str_),
        espi=espi,
    )


def _keep(connection: psycopg.Connection, values: Values, decision: Decision, kind: ValueKind, rule_set: int) -> int:
    with connection.transaction():
        return keep_values(connection, values, Audit(kind, decision.author, decision.reason, rule_set))
