"""What an engine that nothing disturbs comes to: one pass of the flow, in this process, over what Kafka holds."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain

import numpy as np

from processors.judging import Judging
from processors.state import MeterState
from processors.validate import Limits
from schemas.delivery import NO_WATERMARK_US, Position
from schemas.layout import Positions
from schemas.meter_class import class_codes, status_codes
from schemas.quality import FLAGS
from schemas.topics import METERS_RAW
from stream.topic_reader import Span, TopicReader
from stream.worker.flow import PartitionFlow, effects
from stream.worker.gaps import record_of
from stream.worker.intake import Record

#: Meter number and reading time.
Key = tuple[str, datetime]
#: Meter number -> transformer.
Grid = Mapping[str, str]


@dataclass
class Judged:
    """What the engine must have said of readings that it held.

    Attributes:
        flags: quality flag of each.
        rules: bit masks of the rules that failed and that warned.
        scores: anomaly score of each, NaN where there is none.
        alerts: id of each alert -> the reading that raised it.
    """

    flags: dict[Key, str] = field(default_factory=dict)
    rules: dict[Key, tuple[int, int]] = field(default_factory=dict)
    scores: dict[Key, float] = field(default_factory=dict)
    alerts: dict[str, Key] = field(default_factory=dict)


def undisturbed(kafka_url: str, since: Mapping[int, int] | None = None, transformer_of: Grid | None = None) -> Judged:
    """Judge all readings of `meters.raw` in Kafka's order, as meters that nothing was known of before.

    Args:
        kafka_url: `kafka://host:port`.
        since: first offset of each partition that counts, None for all.
        transformer_of: registered meters, active and of no class, and their transformers.
    """
    found = Judged()
    for partition, records in _records(kafka_url, since or {}).items():
        state, begin = MeterState(), records[0].offset
        flow = PartitionFlow(METERS_RAW.name, partition, state, np.zeros(0, dtype=np.int64), Limits(), Judging(), begin)
        begun = flow.begin(records)
        assert begun is not None
        _register(state, np.unique(begun.state_rows), transformer_of or {})
        made = effects(begun.finish(), state, Position(begin, NO_WATERMARK_US))
        assert made is not None
        rows = made.rows
        keys = zip(rows.batch.meter_number.to_pylist(), rows.batch.column("reading_time").to_pylist(), strict=True)
        rules = zip(rows.failed.tolist(), rows.warned.tolist(), strict=True)
        for key, flag, masks, score in zip(keys, rows.flag, rules, rows.score.tolist(), strict=True):
            # The first of several that say the same is the one that is stored.
            found.flags.setdefault(key, str(FLAGS[flag]))
            found.rules.setdefault(key, masks)
            found.scores.setdefault(key, score)
        alerts = made.alerts
        found.alerts |= {alert.alert_id: (alert.element.removeprefix("meter/"), alert.occurred_at) for alert in alerts}
    return found


def _register(state: MeterState, rows: Positions, transformer_of: Grid) -> None:
    """Tell a state what the registry says of its meters."""
    names = state.names_at(rows)
    statuses = ["active" if name in transformer_of else "unregistered" for name in names]
    state.register(rows, class_codes([None] * len(rows)), status_codes(statuses))
    groups = {name: number for number, name in enumerate(sorted(set(transformer_of.values())), 1)}
    group_id = [groups[transformer_of[name]] if name in transformer_of else 0 for name in names]
    state.resolve(rows, np.arange(1, len(rows) + 1), np.array(group_id, dtype=np.int64))


def _records(kafka_url: str, since: Mapping[int, int]) -> dict[int, list[Record]]:
    found: dict[int, list[Record]] = defaultdict(list)
    with TopicReader(kafka_url, METERS_RAW.name) as reader:
        spans = {
            number: Span(max(span.first, since.get(number, 0)), span.end) for number, span in reader.bounds().items()
        }
        for message in chain.from_iterable(reader.read(spans)):
            found[message.partition()].append(record_of(message))
    return found
