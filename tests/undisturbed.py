"""What an engine that nothing disturbs comes to: one pass of the flow, in this process, over what Kafka holds."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain

import numpy as np

from processors.alerts import raise_alerts
from processors.judge import Judging
from processors.state import MeterState
from processors.validate import Limits
from schemas.meter_class import class_codes, status_codes
from schemas.quality import FLAGS
from schemas.topics import METERS_RAW
from stream.topic_reader import Span, TopicReader
from stream.worker.flow import PartitionFlow
from stream.worker.gaps import record_of
from stream.worker.intake import Record

#: Meter number and reading time.
Key = tuple[str, datetime]


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


def undisturbed(kafka_url: str, since: Mapping[int, int] | None = None, status: str = "unregistered") -> Judged:
    """Judge all readings of `meters.raw` in Kafka's order, as meters that nothing was known of before.

    Args:
        kafka_url: `kafka://host:port`.
        since: first offset of each partition that counts, None for all.
        status: of all meters in the registry, where no class is told.
    """
    found = Judged()
    for partition, records in _records(kafka_url, since or {}).items():
        state, seen = MeterState(), np.zeros(0, dtype=np.int64)
        flow = PartitionFlow(METERS_RAW.name, partition, state, seen, Limits(), Judging(), records[0].offset)
        begun = flow.begin(records)
        assert begun is not None
        meters = np.unique(begun.state_rows)
        state.register(meters, class_codes([None] * len(meters)), status_codes([status] * len(meters)))
        step = begun.finish()
        keys = list(
            zip(step.batch.meter_number.to_pylist(), step.batch.column("reading_time").to_pylist(), strict=True)
        )
        rules = list(zip(step.findings.failed.tolist(), step.findings.warned.tolist(), strict=True))
        said = zip(keys, step.judgement.flag, rules, step.judgement.score.tolist(), strict=True)
        for key, flag, masks, score in said:
            # The first of several that say the same is the one that is stored.
            found.flags.setdefault(key, str(FLAGS[flag]))
            found.rules.setdefault(key, masks)
            found.scores.setdefault(key, score)
        alerts = raise_alerts(step.batch, step.judgement, step.arrived_us, np.ones(len(keys), dtype=bool))
        found.alerts |= {alert.alert_id: (alert.element.removeprefix("meter/"), alert.occurred_at) for alert in alerts}
    return found


def _records(kafka_url: str, since: Mapping[int, int]) -> dict[int, list[Record]]:
    found: dict[int, list[Record]] = defaultdict(list)
    with TopicReader(kafka_url, METERS_RAW.name) as reader:
        spans = {
            number: Span(max(span.first, since.get(number, 0)), span.end) for number, span in reader.bounds().items()
        }
        for message in chain.from_iterable(reader.read(spans)):
            found[message.partition()].append(record_of(message))
    return found
