"""Bytewax in its own idiom: `stateful_map` by meter, `stateful_batch` by transformer, `collect` before the sink.

Batching as its documentation says: a Kafka source that hands on many messages at once, and `collect` in front of what
is cheaper for many than for one.
"""

from datetime import timedelta

import bytewax.operators as op
import forest
import job
import store
from bytewax.connectors.kafka import KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.run import cli_main

where = store.settings()
registry = store.registry(where["database"])
scorer = forest.load()
AT_ONCE, WITHIN = 10_000, timedelta(seconds=1)


class Rows(StatelessSinkPartition):
    """Readings, many at once."""

    def __init__(self) -> None:
        self._store = store.Store(where["database"], where["redis"])

    def write_batch(self, items: list) -> None:
        """Write what `collect` has put together."""
        for _, collected in items:
            scores = scorer.score([v.features for _, v in collected], [v.score for _, v in collected])
            self._store.write(
                (found, registry[found.meter][0], verdict.flag, score)
                for (found, verdict), score in zip(collected, scores, strict=True)
            )


class Windows(StatelessSinkPartition):
    """Totals of windows, the newest of each."""

    def __init__(self) -> None:
        self._store = store.Store(where["database"], where["redis"])

    def write_batch(self, items: list) -> None:
        """Write what `collect` has put together."""
        for _, collected in items:
            self._store.write([], dict(collected))


class Told(StatelessSinkPartition):
    """Records for a topic, through one producer."""

    def __init__(self, topic: str) -> None:
        self._topic, self._producer = topic, store.producer(where["kafka"])

    def write_batch(self, items: list) -> None:
        """Produce."""
        for key, value in items:
            self._producer.produce(self._topic, value, key=key)
        self._producer.poll(0)

    def close(self) -> None:
        """Wait until Kafka has everything."""
        self._producer.flush()


class Built(DynamicSink):
    """A sink of the parts above."""

    def __init__(self, *part) -> None:  # type: ignore[no-untyped-def]
        self._part = part

    def build(self, step_id: str, worker_index: int, worker_count: int):  # type: ignore[no-untyped-def]
        """Make this worker's part."""
        kind, *arguments = self._part
        return kind(*arguments)


class Totals(op.StatefulBatchLogic):
    """The windows of one transformer."""

    def __init__(self, resumed: dict | None) -> None:
        self._windows = resumed or {}

    def on_batch(self, values: list) -> tuple[list, bool]:
        """Add readings and hand on the windows that they touched."""
        touched = set()
        for box, found in values:
            key = box, job.window_start(found.time_us)
            self._windows[key] = job.add(self._windows.get(key, job.Window()), found)
            touched.add(key)
        return [(key, self._windows[key]) for key in touched], op.StatefulBatchLogic.RETAIN

    def snapshot(self) -> dict:
        """Return the state."""
        return dict(self._windows)


def readings(message) -> list:  # type: ignore[no-untyped-def]
    """Decode a record and check its readings."""
    arrived_us = message.timestamp[1] * 1000
    return [(one, job.check(one, message.partition, message.offset, arrived_us)) for one in job.decode(message.value)]


def judge(state: tuple | None, found: job.Reading) -> tuple:
    """Judge a reading by its meter's past."""
    base, slots = state or (job.NEW, {})
    own, other = job.slots_of(found.time_us)
    verdict = job.judge(found, base, slots.get(own, job.EMPTY), slots.get(other, job.EMPTY))
    slots[own] = verdict.slot
    return (verdict.base, slots), (found, verdict)


def build() -> Dataflow:
    """Put the flow together."""
    flow = Dataflow("bench")
    source = KafkaSource([where["kafka"]], [where["topic"]], tail=False, batch_size=10_000)
    checked = op.branch(
        "check", op.flat_map("decode", op.input("raw", flow, source), readings), lambda pair: isinstance(pair[1], str)
    )
    rejects = op.map("reject", checked.trues, lambda pair: job.reject(*pair))
    op.output("rejected", rejects, Built(Told, store.REJECTED))
    good = op.map("meter", checked.falses, lambda pair: (pair[1].meter, pair[1]))
    judged = op.map("judged", op.stateful_map("judge", good, judge), lambda pair: pair[1])
    unusual = op.filter("unusual", judged, lambda pair: pair[1].flag == job.ANOMALY)
    op.output("alerts", op.map("alert", unusual, lambda pair: job.alert(*pair)), Built(Told, store.ALERTS))
    rows = op.collect("rows", op.key_on("one", judged, lambda _: "rows"), WITHIN, AT_ONCE)
    op.output("readings", rows, Built(Rows))
    by_box = op.map("box", good, lambda pair: (str(box := registry[pair[0]][1]), (box, pair[1])))
    totals = op.map("total", op.stateful_batch("windows", by_box, Totals), lambda pair: ("windows", pair[1]))
    op.output("window", op.collect("some", totals, WITHIN, AT_ONCE), Built(Windows))
    return flow


if __name__ == "__main__":
    cli_main(build())
