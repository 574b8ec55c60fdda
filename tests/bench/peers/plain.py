"""No framework: confluent-kafka, numpy and psycopg in one loop, with the engine's own arithmetic.

The honest ceiling of a single thread: whole batches of columns, COPY, no checkpoints, no overlap, no second look at
anything. It loses its state with the process and may repeat a batch after a crash.
"""

import signal
import sys
from collections import defaultdict

import forest
import numpy as np
import psycopg
import pyarrow as pa
import redis
import store
from confluent_kafka import Consumer, Producer

from models.tree_walk import lay_out, summed_lengths
from processors.alerts import raise_alerts
from processors.features import features
from processors.judge import judge
from processors.judging import Judging
from processors.state import MeterState
from processors.validate import FAILURES, Limits, validate
from processors.windows import Windowing, WindowPartials, summarise
from schemas import json_writer
from schemas.codec import decode
from schemas.quality import FLAGS
from schemas.readings import ReadingBatch
from schemas.topics import CONTENT_TYPE
from schemas.windows import DAY_S, EN_50160, HOUR_S
from sinks.copy_binary import encode, instant, number, text

where = store.settings()
WITHIN_S = 0.2
_NAMES = ("consumption_kwh", "demand_kw", "voltage", "current_amps", "power_factor")
_COLUMNS = (
    f"meter_id, reading_time, {', '.join(_NAMES)}, quality_flag, anomaly_score, source_partition, source_offset, "
    "arrived_at"
)
_STAGING = f"CREATE TEMP TABLE staged ON COMMIT DELETE ROWS AS SELECT {_COLUMNS} FROM meter_readings WITH NO DATA"
_INSERT = f"INSERT INTO meter_readings ({_COLUMNS}) SELECT * FROM staged ON CONFLICT DO NOTHING"
_NO_HOLIDAYS = np.empty(0, dtype=np.int64)
_LABELS = pa.array([str(flag) for flag in FLAGS])


class OnePass(forest.Forest):
    """The same trees as the engine scores them."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._nodes = lay_out(*zip(*self._trees, strict=True))

    def depth(self, matrix: np.ndarray) -> np.ndarray:
        """Return the path lengths of each row, summed over the trees."""
        return summed_lengths(matrix, self._nodes)


class Loop:
    """The whole job."""

    def __init__(self) -> None:
        self._registry = store.registry(where["database"])
        self._states: dict[int, MeterState] = defaultdict(MeterState)
        self._windows: dict[tuple[int, int], list[float]] = {}
        self._database = psycopg.connect(where["database"], autocommit=True)
        self._database.execute(_STAGING)
        self._redis = redis.Redis.from_url(where["redis"])
        self._producer: Producer = store.producer(where["kafka"])
        self._scorer = forest.load(OnePass)

    def take(self, messages: list) -> None:
        """Do the job for some records."""
        partitions = np.array([message.partition() for message in messages])
        for partition in np.unique(partitions).tolist():
            self._one([message for message in messages if message.partition() == partition], partition)

    def _one(self, messages: list, partition: int) -> None:
        kinds = [dict(message.headers() or ()).get(CONTENT_TYPE, b"application/json").decode() for message in messages]
        decoded = decode([message.value() for message in messages], kinds, ReadingBatch)
        arrived = np.array([message.timestamp()[1] * 1000 for message in messages])[decoded.source]
        offset = np.array([message.offset() for message in messages])[decoded.source]
        codes = validate(decoded.batch, arrived, Limits())
        bad, good = codes != 0, codes == 0
        for line, code in zip(json_writer.write_rows(decoded.batch.where(bad)), codes[bad].tolist(), strict=True):
            self._producer.produce(store.REJECTED, line, key=str(FAILURES[code - 1][0]))
        batch, offset, arrived = decoded.batch.where(good), offset[good], arrived[good]
        state = self._states[partition]
        rows = state.rows(batch.meter_number)
        fresh = state.unresolved(rows)
        if len(fresh):
            keys = np.array([self._registry[name] for name in state.names_at(fresh)])
            state.resolve(fresh, keys[:, 0], keys[:, 1])
        found = judge(batch, rows, state, Judging())
        for alert in raise_alerts(batch, found, arrived, np.ones(len(batch), dtype=bool)):
            self._producer.produce(store.ALERTS, alert.model_dump_json(), key=alert.element)
        matrix = features(batch, found.past, _NO_HOLIDAYS)
        matrix[found.past.peak_kw <= 0, forest.LOAD_SHARE] = np.nan
        score = np.array(self._scorer.score(matrix, found.score))
        marks = np.zeros(len(batch), dtype=np.int64)
        nobody = dict.fromkeys((900, HOUR_S, DAY_S), np.zeros(len(batch), dtype=bool))
        how = Windowing((900,), 60.0, EN_50160)
        touched = self._add(summarise(batch, found.flag, state.group_id[rows], nobody, marks, how))
        columns = [
            number(state.key_id[rows], ">i8"),
            instant(batch.time_us),
            *(number(batch.floats(name), ">f8") for name in _NAMES),
            text(_LABELS.take(pa.array(found.flag))),
            number(score, ">f4"),
            number(np.full(len(batch), partition), ">i4"),
            number(offset, ">i8"),
            instant(arrived),
        ]
        with self._database.transaction(), self._database.cursor() as cursor:
            with cursor.copy("COPY staged FROM STDIN (FORMAT BINARY)") as copy:
                copy.write(encode(columns))
            cursor.execute(_INSERT)
            cursor.execute(store._WINDOWS, touched)
        self._keep_newest(batch, rows, score)
        self._producer.poll(0)

    def _add(self, partials: WindowPartials) -> list[list]:
        """Add to the totals and return the touched ones as columns of the upsert."""
        keys = list(zip(partials.group_id.tolist(), partials.start_us.tolist(), strict=True))
        columns = (
            "readings",
            "energy_uwh",
            "voltage_count",
            "voltage_sum_mv",
            "demand_peak_kw",
            "voltage_min",
            "voltage_max",
        )
        values = zip(*(getattr(partials, name).tolist() for name in columns), strict=True)
        for key, row in zip(keys, values, strict=True):
            known = self._windows.get(key)
            if known is None:
                self._windows[key] = list(row)
                continue
            for position in range(4):
                known[position] += row[position]
            known[4], known[6] = max(known[4], row[4]), max(known[6], row[6])
            known[5] = min(known[5], row[5])
        touched = [self._windows[key] for key in keys]
        return [[key[0] for key in keys], [key[1] for key in keys], *map(list, zip(*touched, strict=True))]

    def _keep_newest(self, batch: ReadingBatch, rows: np.ndarray, scores: np.ndarray) -> None:  # type: ignore[no-untyped-def]
        _, last = np.unique(rows[::-1], return_index=True)
        chosen = len(rows) - 1 - last
        pipeline = self._redis.pipeline(transaction=False)
        names = batch.meter_number.take(pa.array(chosen)).to_pylist()
        lines = json_writer.write_rows(batch.take(chosen))
        for name, line, time_us, score in zip(
            names, lines, batch.time_us[chosen].tolist(), scores[chosen].tolist(), strict=True
        ):
            key = f"meterstream:latest:meter:{name}"
            pipeline.hset(key, mapping={"time_us": time_us, "reading": line, "anomaly_score": score})
            pipeline.expire(key, store.EXPIRY_S)
        pipeline.execute()


def main() -> None:
    """Run until stopped."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    loop = Loop()
    consumer = Consumer(
        {
            "bootstrap.servers": where["kafka"],
            "group.id": where["group"],
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "fetch.min.bytes": 1_000_000,
        }
    )
    consumer.subscribe([where["topic"]])
    per_take = int(where["records"])
    try:
        while True:
            messages = [message for message in consumer.consume(per_take, WITHIN_S) if message.error() is None]
            if messages:
                loop.take(messages)
                consumer.commit(asynchronous=True)
    finally:
        consumer.close()


if __name__ == "__main__":
    main()
