"""Quix Streams in its own idiom: state by key in RocksDB, `group_by` and a tumbling window, a `BatchingSink`.

Batching as its documentation says: the sink collects between commits, and `commit_every` sets how much that is.
"""

from datetime import timedelta
from typing import Any

import forest
import job
import store
from quixstreams import Application
from quixstreams.sinks import BatchingSink, SinkBatch

where = store.settings()
registry = store.registry(where["database"])
scorer = forest.load()
COMMIT_EVERY = 20_000


class Rows(BatchingSink):
    """Readings of one partition, once per commit."""

    def setup(self) -> None:
        """Connect."""
        self._store = store.Store(where["database"], where["redis"])

    def write(self, batch: SinkBatch) -> None:
        """Write many at once."""
        found = [(item.value["reading"], item.value["verdict"]) for item in batch]
        scores = scorer.score([v.features for _, v in found], [v.score for _, v in found])
        self._store.write(
            (reading, registry[reading.meter][0], verdict.flag, score)
            for (reading, verdict), score in zip(found, scores, strict=True)
        )


class Windows(BatchingSink):
    """Totals of windows, the newest of each once per commit."""

    def setup(self) -> None:
        """Connect."""
        self._store = store.Store(where["database"], where["redis"])

    def write(self, batch: SinkBatch) -> None:
        """Write many at once."""
        newest = {(int(item.key), item.value["start"] * 1000): job.Window(*item.value["value"]) for item in batch}
        self._store.write([], newest)


def readings(value: bytes, key: Any, timestamp: int, headers: Any) -> list[dict[str, Any]]:
    """Decode a record and say what each of its readings is worth."""
    checked = [(one, job.check(one, 0, 0, timestamp * 1000)) for one in job.decode(value)]
    return [
        {"original": one, "reason": found} if isinstance(found, str) else {"found": found} for one, found in checked
    ]


def judge(value: dict[str, Any], state: Any) -> dict[str, Any]:
    """Judge a reading by its meter's past: only what changes is read from and written to the state."""
    found = value["found"]
    own, other = (f"{found.meter}/{slot}" for slot in job.slots_of(found.time_us))
    verdict = job.judge(
        found,
        job.Base(*state.get(found.meter, ())),
        job.Slot(*state.get(own, ())),
        job.Slot(*state.get(other, ())),
    )
    state.set(found.meter, list(verdict.base))
    state.set(own, list(verdict.slot))
    return {"reading": found, "verdict": verdict}


def main() -> None:
    """Run until stopped."""
    app = Application(
        broker_address=where["kafka"],
        consumer_group=where["group"],
        auto_offset_reset="earliest",
        commit_every=COMMIT_EVERY,
        commit_interval=1.0,
        state_dir=f"{where['group']}-state",
        loglevel="WARNING",
    )
    raw = app.topic(where["topic"], key_deserializer="str", value_deserializer="bytes")
    alerts = app.topic(store.ALERTS, key_serializer="str", value_serializer="bytes")
    rejected = app.topic(store.REJECTED, key_serializer="str", value_serializer="bytes")
    stream = app.dataframe(raw).apply(readings, expand=True, metadata=True)
    refused = stream.filter(lambda value: "reason" in value)
    refused.apply(lambda value: job.reject(value["original"], value["reason"])[1]).to_topic(rejected)
    judged = stream.filter(lambda value: "found" in value).apply(judge, stateful=True)
    unusual = judged.filter(lambda value: value["verdict"].flag == job.ANOMALY)
    unusual.apply(lambda value: job.alert(value["reading"], value["verdict"])[1]).to_topic(alerts)
    judged.sink(Rows())
    by_box = judged.apply(lambda value: {"box": registry[value["reading"].meter][1], "reading": list(value["reading"])})
    by_box = by_box.set_timestamp(lambda value, *_: value["reading"][1] // 1000).group_by(
        lambda value: str(value["box"]), name="transformer"
    )
    by_box.tumbling_window(timedelta(minutes=15), grace_ms=timedelta(days=7)).reduce(
        reducer=lambda window, value: list(job.add(job.Window(*window), job.Reading(*value["reading"]))),
        initializer=lambda value: list(job.add(job.Window(), job.Reading(*value["reading"]))),
    ).current().sink(Windows())
    app.run()


if __name__ == "__main__":
    main()
