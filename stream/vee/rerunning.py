"""A rule set over what is stored: everything is judged anew in the order of its arrival, and what differs is kept.

The same readings and the same rule set always say the same: nothing is read that could change meanwhile but class and
status of the meters, as the registry has them now. For a rule set that tells sources apart, each reading has the source
of its record (`stream.vee.sources`); where that is not known, it is refused unless the source is said.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa

from processors.judge import judge
from processors.judging import Judging
from processors.state import MeterState
from processors.vee.check import check
from processors.vee.rule_set import RuleSet
from schemas.meter_class import class_codes, status_codes
from schemas.quality import FLAGS, QualityFlag, nem12_text, stronger
from schemas.readings import ReadingBatch
from schemas.topics import METERS_RAW
from schemas.values import Audit, ValueKind, Values
from sinks.value_ledger import keep_values
from stream.vee.history import Meter, find_meters, micros
from stream.vee.sources import RecordSources

#: Meters that are judged side by side, and rows that are read at once.
_METERS, _ROWS = 500, 50_000
_MEASURES = [name for name in ReadingBatch.layout.schema.names if name not in ("meter_number", "reading_time")]
_READINGS = f"""
SELECT r.meter_id, (extract(epoch FROM r.reading_time) * 1e6)::bigint, (extract(epoch FROM r.arrived_at) * 1e6)::bigint,
       coalesce(CASE WHEN v.kind = 'estimate' THEN d.kind END, v.kind, 'reading'),
       coalesce(v.quality_flag, r.quality_flag)::text,
       coalesce(v.failed_rules, r.failed_rules), coalesce(v.warned_rules, r.warned_rules),
       r.source_partition, r.source_offset, {", ".join(f"r.{name}" for name in _MEASURES)}
FROM meter_readings r
LEFT JOIN LATERAL (
    SELECT * FROM vee_values n WHERE n.meter_id = r.meter_id AND n.reading_time = r.reading_time AND n.over_reading
    ORDER BY n.version DESC LIMIT 1
) v ON true
-- What a person has rejected stays so below the estimate that took its place.
LEFT JOIN LATERAL (
    SELECT kind FROM vee_values n WHERE n.meter_id = r.meter_id AND n.reading_time = r.reading_time
      AND n.version < v.version AND n.kind <> 'estimate'
    ORDER BY n.version DESC LIMIT 1
) d ON d.kind = 'reject'
WHERE r.meter_id = ANY(%s) ORDER BY r.source_partition, r.source_offset, r.reading_time
"""  # noqa: S608 - names are constants of this module


@dataclass
class Rerun:
    """What came of it.

    Attributes:
        readings: readings of the span.
        differ: of these, how many are judged otherwise than before.
        written: how many of them are new; on what people have decided nothing is written.
    """

    readings: int = 0
    differ: int = 0
    written: int = 0


@dataclass(frozen=True)
class Span:
    """Readings that may be written: of (since, until]."""

    since: datetime
    until: datetime


def rerun(
    connection: psycopg.Connection,
    rules: RuleSet,
    judging: Judging,
    span: Span,
    numbers: Sequence[str],
    author: str,
    reason: str,
    source: str | None = None,
    topic: str = METERS_RAW.name,
) -> Rerun:
    """Judge all readings of meters again, and keep what differs within a span.

    Args:
        connection: to the database, each statement its own transaction.
        rules: the rule set; its version has been kept.
        judging: bounds of the scores, as the worker has them.
        span: what may be written.
        numbers: meters, all of them where none is named.
        author: who asks.
        reason: why.
        source: that all readings of these meters came from, whatever their records say; that of its record without it.
        topic: that the readings came from.

    Raises:
        ConfigurationError: there is no such meter, or the rules tell sources apart and the source of some reading is
            neither known nor said.
    """
    found, audit = Rerun(), Audit(ValueKind.RERUN, author, reason, rules.version)
    meters = find_meters(connection, numbers)
    if source is None:
        sources = RecordSources.read(connection, topic, [meter.meter_id for meter in meters], rules)
    else:
        sources = RecordSources.only(rules.source_code(source))
    for first in range(0, len(meters), _METERS):
        again = _Again(meters[first : first + _METERS], rules, judging, span, sources)
        # One transaction per group: what is read stays as it is while it is judged.
        with connection.transaction():
            for rows in _portions(connection, again.meters):
                values = again.judge(rows)
                found.readings += again.inside
                found.differ += len(values)
                found.written += keep_values(connection, values, audit)
    return found


def _portions(connection: psycopg.Connection, meters: Sequence[Meter]) -> Iterator[list[tuple[Any, ...]]]:
    """Yield readings in the order of their arrival, some at a time."""
    with connection.cursor("rerun") as cursor:
        cursor.execute(_READINGS.encode(), ([meter.meter_id for meter in meters],))
        while rows := cursor.fetchmany(_ROWS):
            yield rows


class _Again:
    """Some meters on their second way through the rules.

    Attributes:
        meters: which.
        inside: readings of the span among those judged last.
    """

    def __init__(
        self, meters: Sequence[Meter], rules: RuleSet, judging: Judging, span: Span, sources: RecordSources
    ) -> None:
        self.meters = meters
        self.inside = 0
        self._rules = rules
        self._judging = judging
        self._sources = sources
        self._span_us = micros(span.since), micros(span.until)
        self._state = MeterState()
        self._numbers = {meter.meter_id: meter.number for meter in meters}
        known = self._state.rows(pa.array([meter.number for meter in meters]))
        classes = class_codes([meter.customer_class for meter in meters])
        self._state.register(known, classes, status_codes([meter.status for meter in meters]))

    def judge(self, rows: list[tuple[Any, ...]]) -> Values:
        """Judge the next readings; return those of the span that are judged otherwise than before."""
        meter_id, time_us, arrived_us, kind, flag, failed, warned, partition, offset, *measures = zip(
            *rows, strict=True
        )
        times, before = np.array(time_us, dtype=np.int64), np.array(kind)
        batch = ReadingBatch.from_columns(
            meter_number=[self._numbers[key] for key in meter_id],
            reading_time=times,
            **dict(zip(_MEASURES, (list(column) for column in measures), strict=True)),
        )
        at = self._state.rows(batch.meter_number)
        arrived = np.array(arrived_us, dtype=np.int64)
        sources = self._sources.codes(np.array(partition, dtype=np.int64), np.array(offset, dtype=np.int64))
        findings = check(batch, at, self._state, arrived, self._rules, sources)
        flags = stronger(judge(batch, at, self._state, self._judging).flag, findings.flag)
        inside = (times > self._span_us[0]) & (times <= self._span_us[1])
        self.inside = int(np.count_nonzero(inside))
        differs = flags != np.array([FLAGS.index(QualityFlag(name)) for name in flag], dtype=np.int8)
        differs |= (findings.failed != np.array(failed)) | (findings.warned != np.array(warned))
        # A value that still fails leaves its estimate alone; one that no longer does takes its place back.
        sound = findings.failed & self._rules.estimation.replaced == 0
        open_ = np.isin(before, ("reading", "rerun")) | (before == "estimate") & sound
        return Values.of(
            np.array(meter_id, dtype=np.int64),
            time_us=times,
            over_reading=np.ones(len(times), dtype=bool),
            kwh=batch.floats("consumption_kwh"),
            flag=flags,
            failed=findings.failed,
            warned=findings.warned,
            method=np.full(len(times), f"rule set {self._rules.version}"),
            nem12=np.array(nem12_text(findings.nem12).to_pylist(), dtype=np.str_),
            espi=findings.espi,
        ).where(inside & differs & open_)
