"""PyFlink in its own idiom: keyed state by meter, tumbling event-time windows by transformer, rows in batches.

Batching as its documentation says: Python functions get readings in bundles, and what is written is collected and
written many at once. The topic is read to its end, so that the last windows close.
"""

import os
from collections.abc import Iterable, Iterator
from typing import Any

import forest
import job
import store
from pyflink.common import Configuration, Duration, Time, Types, WatermarkStrategy
from pyflink.common.serialization import SimpleStringSchema
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import (
    AggregateFunction,
    FlatMapFunction,
    KeyedProcessFunction,
    ProcessWindowFunction,
    RuntimeContext,
    StreamExecutionEnvironment,
)
from pyflink.datastream.connectors.kafka import KafkaOffsetsInitializer, KafkaSource
from pyflink.datastream.state import MapStateDescriptor, ValueStateDescriptor
from pyflink.datastream.window import TumblingEventTimeWindows

where = store.settings()
#: What Flink's own JDBC sink collects.
AT_ONCE = 5_000
#: When a bounded input ends, the watermark rises to this and fires what waits for it [ms]. `close` is no place to write
#: in: Flink ends the Python process without waiting for it.
END_OF_INPUT = 2**63 - 1


class Decode(FlatMapFunction):
    """Records to credible readings; the others go to Kafka."""

    def open(self, runtime_context: RuntimeContext) -> None:
        """Connect."""
        self._registry = store.registry(where["database"])
        self._producer = store.producer(where["kafka"])

    def flat_map(self, value: str) -> Iterator[Any]:
        """Decode one record."""
        for one in job.decode(value.encode()):
            # Arrival and offset do not reach a Python function: the source hands on values only.
            found = job.check(one, 0, 0, 1 << 60)
            if isinstance(found, str):
                key, refused = job.reject(one, found)
                self._producer.produce(store.REJECTED, refused, key=key)
                self._producer.poll(0)
            else:
                yield (found.meter, self._registry[found.meter][1], found)

    def close(self) -> None:
        """Wait until Kafka has everything."""
        self._producer.flush()


class EventTime(TimestampAssigner):
    """A reading's own time."""

    def extract_timestamp(self, value: Any, record_timestamp: int) -> int:
        """Return it in milliseconds."""
        return int(value[2][1] // 1000)


class Judge(KeyedProcessFunction):
    """Judges readings by their meter's past, and writes them many at once."""

    def open(self, runtime_context: RuntimeContext) -> None:
        """Get the state, and connect."""
        self._base = runtime_context.get_state(ValueStateDescriptor("base", Types.PICKLED_BYTE_ARRAY()))
        self._slots = runtime_context.get_map_state(
            MapStateDescriptor("slots", Types.INT(), Types.PICKLED_BYTE_ARRAY())
        )
        self._registry = store.registry(where["database"])
        self._store = store.Store(where["database"], where["redis"])
        self._producer = store.producer(where["kafka"])
        self._scorer = forest.load()
        self._waiting: list[Any] = []

    def process_element(self, value: Any, ctx: Any) -> Iterable[Any]:
        """Judge one reading, and write when there are enough."""
        found = job.Reading(*value[2])
        own, other = job.slots_of(found.time_us)
        base, mine, others = self._base.value(), self._slots.get(own), self._slots.get(other)
        verdict = job.judge(
            found,
            job.NEW if base is None else base,
            job.EMPTY if mine is None else mine,
            job.EMPTY if others is None else others,
        )
        self._base.update(verdict.base)
        self._slots.put(own, verdict.slot)
        if base is None:
            ctx.timer_service().register_event_time_timer(END_OF_INPUT)
        self._waiting.append((found, verdict))
        if len(self._waiting) >= AT_ONCE:
            self._flush()
        return []

    def on_timer(self, timestamp: int, ctx: Any) -> Iterable[Any]:
        """Write the rest at the end of the input; of all meters' timers the first does it."""
        self._flush()
        self._producer.flush()
        return []

    def _flush(self) -> None:
        collected, self._waiting = self._waiting, []
        if not collected:
            return
        scores = self._scorer.score([v.features for _, v in collected], [v.score for _, v in collected])
        self._store.write(
            (found, self._registry[found.meter][0], verdict.flag, score)
            for (found, verdict), score in zip(collected, scores, strict=True)
        )
        for found, verdict in collected:
            if verdict.flag == job.ANOMALY:
                element, told = job.alert(found, verdict)
                self._producer.produce(store.ALERTS, told, key=element)
        self._producer.poll(0)


class Sum(AggregateFunction):
    """The totals of one window."""

    def create_accumulator(self) -> tuple:
        """Begin with nothing."""
        return tuple(job.Window())

    def add(self, value: Any, accumulator: tuple) -> tuple:
        """Add one reading."""
        return tuple(job.add(job.Window(*accumulator), job.Reading(*value[2])))

    def get_result(self, accumulator: tuple) -> tuple:
        """Return the totals."""
        return accumulator

    def merge(self, one: tuple, other: tuple) -> tuple:
        """Windows of fixed length never merge."""
        raise NotImplementedError


class Named(ProcessWindowFunction):
    """Says which window it was."""

    def process(self, key: int, context: Any, elements: Iterable[tuple]) -> Iterator[tuple]:
        """Yield transformer, start and totals."""
        for totals in elements:
            yield (key, context.window().start * 1000, totals)


class WriteWindows(KeyedProcessFunction):
    """Writes windows, many at once."""

    def open(self, runtime_context: RuntimeContext) -> None:
        """Connect."""
        self._store = store.Store(where["database"], where["redis"])
        self._waiting: dict[tuple[int, int], job.Window] = {}

    def process_element(self, value: Any, ctx: Any) -> Iterable[Any]:
        """Collect one, and write when there are enough."""
        if not self._waiting:
            ctx.timer_service().register_event_time_timer(END_OF_INPUT)
        self._waiting[value[0], value[1]] = job.Window(*value[2])
        if len(self._waiting) >= AT_ONCE:
            self._flush()
        return []

    def on_timer(self, timestamp: int, ctx: Any) -> Iterable[Any]:
        """Write the rest at the end of the input."""
        self._flush()
        return []

    def _flush(self) -> None:
        if self._waiting:
            self._store.write([], self._waiting)
            self._waiting = {}


def main() -> None:
    """Run to the end of the topic."""
    configuration = Configuration()
    configuration.set_string("python.execution-mode", os.environ.get("BENCH_FLINK_MODE", "process"))
    configuration.set_string("python.fn-execution.bundle.size", "10000")
    configuration.set_string("python.fn-execution.bundle.time", "1000")
    configuration.set_string("pipeline.jars", os.environ["BENCH_FLINK_JARS"])
    env = StreamExecutionEnvironment.get_execution_environment(configuration)
    env.set_parallelism(1)
    source = (
        KafkaSource.builder()
        .set_bootstrap_servers(where["kafka"])
        .set_topics(where["topic"])
        .set_group_id(where["group"])
        .set_starting_offsets(KafkaOffsetsInitializer.earliest())
        .set_bounded(KafkaOffsetsInitializer.latest())
        .set_value_only_deserializer(SimpleStringSchema())
        .build()
    )
    # Partitions are read one behind the other for a while: what waits must not be late.
    strategy = WatermarkStrategy.for_bounded_out_of_orderness(Duration.of_days(7)).with_timestamp_assigner(EventTime())
    readings = (
        env.from_source(source, WatermarkStrategy.no_watermarks(), "raw")
        .flat_map(Decode(), Types.TUPLE([Types.STRING(), Types.LONG(), Types.PICKLED_BYTE_ARRAY()]))
        .assign_timestamps_and_watermarks(strategy)
    )
    readings.key_by(lambda value: value[0], Types.STRING()).process(Judge(), Types.PICKLED_BYTE_ARRAY())
    readings.key_by(lambda value: value[1], Types.LONG()).window(
        TumblingEventTimeWindows.of(Time.minutes(15))
    ).aggregate(
        Sum(),
        Named(),
        Types.PICKLED_BYTE_ARRAY(),
        Types.TUPLE([Types.LONG(), Types.LONG(), Types.PICKLED_BYTE_ARRAY()]),
    ).key_by(lambda _: 0, Types.INT()).process(WriteWindows(), Types.PICKLED_BYTE_ARRAY())
    env.execute("bench")


if __name__ == "__main__":
    main()
