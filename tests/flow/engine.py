"""A worker without servers: the real flow and the real delivery over sinks in memory, which can crash and resume."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from prometheus_client import CollectorRegistry

from processors import checkpoint
from processors.judging import Judging
from processors.state import MeterState
from processors.validate import Limits
from schemas.alerts import Alert
from schemas.delivery import Delivery, Rows, Stored
from schemas.errors import MeterstreamError
from schemas.rejected import Rejected
from sinks.memory import MemoryLatest, MemoryStore
from stream.metrics import WorkerMetrics
from stream.worker.checkpoints import shards_of
from stream.worker.deliver import Deliverer
from stream.worker.flow import Consult, PartitionFlow, Step, effects, no_model
from stream.worker.intake import Record
from stream.worker.newest import NewestKeeper
from stream.worker.plans import described_by
from stream.worker.publish import Publisher
from tests.builders import TOPIC, TOPIC_ID

#: Short enough a history that short streams have anomalies.
JUDGING = Judging(history_s=1_800.0)


@dataclass
class Outbox:
    """A publisher that keeps what it produced; each coming publish may fail before or after it has produced."""

    failures: Iterator[MeterstreamError | None] = field(default_factory=lambda: iter(()))
    alerts: list[Alert] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    clean: int = 0

    async def publish(self, delivery: Delivery[Rows], stored: Stored, rejected: list[Rejected]) -> None:
        self.alerts += delivery.alerts
        self.rejected += rejected
        self.clean += int(stored.fresh.sum())
        failure = next(self.failures, None)
        if failure is not None:
            raise failure


class Engine:
    """One worker; `restart` is a `kill -9` and a new process.

    Args:
        store: the database.
        outbox: Kafka's producing side.
        latest: Redis.
        changelog: (partition, shard) -> saved shard, as Kafka holds it.
        committed: partition -> first record that Kafka gives again after a restart.
        consult: asks the models that serve.
    """

    def __init__(
        self,
        store: MemoryStore | None = None,
        outbox: Outbox | None = None,
        latest: MemoryLatest | None = None,
        changelog: dict[tuple[int, int], bytes] | None = None,
        committed: dict[int, int] | None = None,
        consult: Consult = no_model,
    ) -> None:
        self.store = store if store is not None else MemoryStore()
        self.outbox = outbox if outbox is not None else Outbox()
        self.latest = latest if latest is not None else MemoryLatest()
        self.changelog = changelog if changelog is not None else {}
        self.committed: dict[int, int] = committed if committed is not None else defaultdict(int)
        self.consult = consult
        self.metrics = WorkerMetrics(CollectorRegistry())
        self.newest = NewestKeeper(self.latest, self.metrics)
        self.deliverer = self.new_deliverer()
        self.flows: dict[int, PartitionFlow] = {}
        self._touched: dict[int, set[int]] = defaultdict(set)

    def new_deliverer(self) -> Deliverer[Step, Rows]:
        """One more that delivers to the same sinks."""
        return Deliverer(
            TOPIC,
            TOPIC_ID,
            effects,
            self.store,
            self.newest,
            cast("Publisher[Rows]", self.outbox),
            self.metrics,
            described_by(self.store),
        )

    def restart(self) -> "Engine":
        """What a new process finds: everything outside, nothing of what was in memory."""
        return Engine(self.store, self.outbox, self.latest, self.changelog, self.committed, self.consult)

    async def flow(self, partition: int) -> PartitionFlow:
        if partition not in self.flows:
            saved = [checkpoint.read(data, MeterState) for (of, _), data in self.changelog.items() if of == partition]
            state, offsets = checkpoint.restore(saved, TOPIC_ID, MeterState)
            flow = PartitionFlow(TOPIC, partition, state, offsets, Limits(), JUDGING, consult=self.consult)
            position = await self.deliverer.position(partition, self.committed[partition])
            flow.resume(self.committed[partition], position)
            self.flows[partition] = flow
        return self.flows[partition]

    async def process(self, records: dict[int, Sequence[Record]]) -> None:
        """Steps 2 to 6 for records of some partitions."""
        steps = []
        for partition, found in records.items():
            flow = await self.flow(partition)
            begun = flow.begin(found)
            if begun is not None:
                await self.deliverer.resolve(flow.state, begun.state_rows)
                step = begun.finish()
                steps.append(step)
                self._touched[partition] |= shards_of(step.state_rows)
        await self.deliverer.deliver(steps, {p: flow.state for p, flow in self.flows.items()}, {})

    async def take(self, *records: Record, partition: int = 0) -> None:
        await self.process({partition: records})

    def save(self, partition: int = 0, shards: int | None = None) -> None:
        """Step 7: save this many of the shards that changed, all by default; the offset follows once all are saved."""
        flow = self.flows[partition]
        assert flow.next_offset is not None
        for number in sorted(self._touched[partition])[:shards]:
            data = checkpoint.save(flow.state, number, TOPIC_ID, flow.next_offset)
            self.changelog[partition, number] = data
            self._touched[partition].discard(number)
        if not self._touched[partition]:
            self.committed[partition] = flow.next_offset

    def told(self) -> dict[str, Any]:
        """Everything that an operator can see afterwards, without what may come twice."""
        store = self.store
        return {
            "readings": store.readings,
            "flags and rules": store.said,
            "windows": store.windows,
            "gaps in supply": store.gaps,
            "alerts in the database": store.alerts,
            "alerts": {alert.alert_id: alert for alert in self.outbox.alerts},
            "rejected": {item.reject_id: (item.reason, item.payload) for item in self.outbox.rejected},
            "positions": store.positions,
            "sources": dict(store.sources),
            "accounts": {key: dict(account) for key, account in store.accounts.items()},
        }
