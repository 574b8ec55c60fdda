"""A lane: everything that one raw topic needs on its way through the worker; readings have one, ticks another."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from processors.keyed_state import KeyedState
from schemas.delivery import Position, StoredRows
from schemas.topics import TopicSpec
from sinks.sink import Journal, Latest
from stream.metrics import WorkerMetrics
from stream.settings import Settings
from stream.stack.endpoints import Endpoints
from stream.worker.checkpoints import Checkpoints
from stream.worker.deliver import Deliverer, Describe
from stream.worker.gaps import GapReader
from stream.worker.intake import AnyStep, Effects
from stream.worker.newest import NewestKeeper
from stream.worker.producer import KafkaProducer, producer_settings
from stream.worker.publish import Outlet, Publisher
from stream.worker.worker import MakeFlow, Worker

S = TypeVar("S", bound=AnyStep)
R = TypeVar("R", bound=StoredRows[Any])

#: Compact only, and soon: a restart then reads little more than the newest state.
_CHANGELOG = {
    "cleanup.policy": "compact",
    "segment.ms": "60000",
    "min.cleanable.dirty.ratio": "0.1",
    "max.compaction.lag.ms": "120000",
}


@dataclass(frozen=True)
class Source:
    """A raw topic as it is now.

    Attributes:
        topic: its name and settings.
        topic_id: identity of this life of it.
        partitions: how many it has.
    """

    topic: TopicSpec
    topic_id: str
    partitions: int


@dataclass(frozen=True)
class Plan(Generic[S, R]):
    """What is special to what a topic holds.

    Attributes:
        source: the raw topic.
        table: name of the table with its state.
        state: kind of the state.
        make_flow: makes the flow of a partition.
        cut: cuts effects from steps.
        journals: where rows are kept for good, a session for each delivery that runs at a time.
        latest: where newest values are kept.
        outlet: the topics that come of it.
        describe: learns more about new keys than the database's, where there is more.
    """

    source: Source
    table: str
    state: type[KeyedState]
    make_flow: MakeFlow
    cut: Callable[[S, Any, Position, int], Effects[R] | None]
    journals: Sequence[Journal[R]]
    latest: Latest[R]
    outlet: Outlet[R]
    describe: Describe | None = None


@dataclass(frozen=True)
class Lane:
    """A lane of one worker process.

    Attributes:
        source: the raw topic.
        worker: takes, delivers, checkpoints.
        newest: writes newest values.
        metrics: what it counts.
    """

    source: Source
    worker: Worker
    newest: NewestKeeper[Any]
    metrics: WorkerMetrics

    def lags(self, app: Any) -> dict[int, int]:
        """Return how many records of each of this worker's partitions wait to be taken."""
        # After a restart, a partition without new records has not been taken from: it stands where it was committed.
        committed = app.consumer._committed_offset  # noqa: SLF001 - Faust keeps it, and asking Kafka would take a round trip
        mine = [tp for tp in app.consumer.assignment() if tp.topic == self.source.topic.name]
        reached = {tp: self.worker.next_offset(tp.partition) or committed.get(tp) or 0 for tp in mine}
        return {tp.partition: max((app.consumer.highwater(tp) or 0) - reached[tp], 0) for tp in mine}

    def lag(self, app: Any) -> int:
        """Return how many records wait to be taken."""
        return sum(self.lags(app).values())

    def show_lag(self, app: Any) -> int:
        """Show in the metrics how many records wait to be taken, and return their number."""
        found = self.lags(app)
        self.metrics.waiting(found)
        return sum(found.values())


def open_lane(app: Any, settings: Settings, endpoints: Endpoints, plan: Plan[S, R], metrics: WorkerMetrics) -> Lane:
    """Wire a lane up.

    Args:
        app: the Faust application.
        settings: the engine's settings.
        endpoints: where Kafka is.
        plan: what is special to it.
        metrics: what it counts.
    """
    topic, source = plan.source.topic.name, plan.source
    table = app.Table(
        plan.table,
        key_type=bytes,
        value_type=bytes,
        partitions=source.partitions,
        extra_topic_configs=_CHANGELOG,
    )
    newest = NewestKeeper(plan.latest, metrics)
    publisher = Publisher(KafkaProducer(producer_settings(endpoints.kafka_url)), plan.outlet)
    deliverers = [
        Deliverer(topic, source.topic_id, plan.cut, journal, newest, publisher, metrics, plan.describe)
        for journal in plan.journals
    ]
    worker = Worker(
        app,
        deliverers,
        Checkpoints(app, topic, table, source.topic_id, plan.state),
        GapReader(endpoints.kafka_url, topic, settings.worker.app_id),
        metrics,
        make_flow=plan.make_flow,
        checkpoint_interval_s=settings.worker.checkpoint_interval_s,
        take_rows=settings.worker.take_rows,
    )
    return Lane(source, worker, newest, metrics)
