"""The worker's Faust application, built by a function: topics, agents, table and watch on one screen."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import faust
import structlog
from faust.exceptions import ConsumerNotStarted
from faust.types import TP
from prometheus_client import CollectorRegistry

from models.registry import Registry
from processors.judge import Judging
from processors.state import MeterState
from processors.validate import Limits
from schemas.delivery import Rows
from schemas.registry import RegistryEntry
from schemas.rejected import Rejected
from schemas.topics import METERS_RAW, METERS_REGISTRY, METERS_REJECTED, TopicSpec
from sinks.sink import Latest, Store
from sinks.windows_outbox import WindowOutbox
from stream.metrics import WorkerMetrics
from stream.settings import Settings
from stream.stack.endpoints import Endpoints
from stream.topics import bootstrap_servers
from stream.worker.checkpoints import Checkpoints
from stream.worker.deliver import Deliverer
from stream.worker.fetches import FetchTransport
from stream.worker.flow import PartitionFlow, effects
from stream.worker.gaps import GapReader
from stream.worker.keepers import Keeper
from stream.worker.newest import NewestKeeper
from stream.worker.publish import METERS, Publisher
from stream.worker.serving import ModelServing
from stream.worker.watch import Look
from stream.worker.windows import WindowPublisher
from stream.worker.worker import Worker

_log = structlog.get_logger("worker")

#: Compact only, and soon: a restart then reads little more than the newest state.
_CHANGELOG = {
    "cleanup.policy": "compact",
    "segment.ms": "60000",
    "min.cleanable.dirty.ratio": "0.1",
    "max.compaction.lag.ms": "120000",
}

#: Exit code of a worker that should be started anew.
EXIT_FAILED = 70
#: Fetches of a topic, of up to 1 MB each, that wait to be taken.
_FETCHES = 16
#: Side topics are taken after this wait [s].
_SOON_S = 0.5


@dataclass(frozen=True)
class WorkerApp:
    """The application and what watches it.

    Attributes:
        app: the Faust application.
        worker: takes, delivers, checkpoints.
        registry: its metrics.
    """

    app: Any
    worker: Worker
    registry: CollectorRegistry

    @property
    def ready(self) -> bool:
        """Tell whether partitions are assigned and their state is recovered."""
        app = self.app
        if not app.started or app.rebalancing or app.in_recovery:
            return False
        try:
            return bool(app.consumer.assignment())
        except ConsumerNotStarted:
            return False

    def look(self) -> Look:
        """Return what the worker looks like now, to whatever thread asks."""
        # `tables.recovery` would make the service in the thread that asks first; the worker would then wait for ever.
        recovery = self.app.tables._recovery  # noqa: SLF001
        offsets = () if recovery is None else list(recovery.active_offsets.values())
        return Look(
            now_s=time.monotonic(),
            ready=self.ready,
            lag=self.lag() if self.ready else 0,
            moved_at_s=self.worker.moved_at,
            recovered=sum(offset or 0 for offset in offsets),
            waiting_for=self.worker.outages,
            failed=bool(self.app.crashed),
        )

    def lag(self) -> int:
        """Return how many records of the raw topic wait to be taken."""
        consumer = self.app.consumer
        if not self.app.started or consumer is None:
            return 0
        mine = [tp for tp in consumer.assignment() if tp.topic == METERS_RAW.name]
        # After a restart, a partition without new records has not been taken from: it stands where it was committed.
        committed = consumer._committed_offset  # noqa: SLF001 - Faust keeps it, and asking Kafka would take a round trip
        reached = {tp: self.worker.next_offset(tp.partition) or committed.get(tp) or 0 for tp in mine}
        return sum(max((consumer.highwater(tp) or 0) - reached[tp], 0) for tp in mine)


def build_app(
    settings: Settings,
    endpoints: Endpoints,
    name: str,
    topic_id: str,
    partitions: int,
    store: Store,
    latest: Latest[Rows],
    outbox: WindowOutbox,
) -> WorkerApp:
    """Wire the whole flow.

    Args:
        settings: the engine's settings.
        endpoints: where Kafka is.
        name: of this worker, the same after a restart.
        topic_id: identity of this life of the raw topic.
        partitions: how many partitions the raw topic has.
        store: where everything is kept for good; open.
        latest: where newest values are kept.
        outbox: where closed windows are found.
    """
    app = _new_app(settings, endpoints, name, partitions)
    registry = CollectorRegistry()
    metrics = WorkerMetrics(registry)
    table = app.Table(
        "meter-state", key_type=bytes, value_type=bytes, partitions=partitions, extra_topic_configs=_CHANGELOG
    )
    newest = NewestKeeper(latest, metrics)
    serving = ModelServing(Registry(settings.models_dir), settings.models.name, metrics)
    serving.refresh()
    deliverer = Deliverer(METERS_RAW.name, topic_id, effects, store, newest, Publisher(app, METERS), metrics)
    worker = Worker(
        app,
        deliverer,
        Checkpoints(app, METERS_RAW.name, table, topic_id, MeterState),
        GapReader(endpoints.kafka_url, METERS_RAW.name, settings.worker.app_id),
        metrics,
        make_flow=lambda partition, state, offsets: PartitionFlow(
            METERS_RAW.name, partition, state, offsets, Limits(), Judging(), score=serving.score
        ),
        checkpoint_interval_s=settings.worker.checkpoint_interval_s,
        take_rows=settings.worker.take_rows,
    )
    _add_agents(app, settings, worker, store)
    _add_background(app, worker)
    app.task(newest.run)
    app.task(partial(_refresh, app, serving, settings.models.refresh_s))
    app.task(WindowPublisher(app, outbox).run)
    return WorkerApp(app, worker, registry)


def _new_app(settings: Settings, endpoints: Endpoints, name: str, partitions: int) -> Any:
    app = faust.App(
        settings.worker.app_id,
        broker=f"kafka://{bootstrap_servers(endpoints.kafka_url)}",
        store="memory://",
        datadir=str(settings.local_dir / "worker"),
        topic_partitions=partitions,
        topic_replication_factor=settings.replication,
        topic_disable_leader=True,
        table_standby_replicas=0,
        web_enabled=False,
        consumer_auto_offset_reset="earliest",
        # A worker that comes back under its name within the session timeout finds its partitions as it left them.
        consumer_group_instance_id=name,
        broker_session_timeout=settings.worker.session_timeout_s,
        broker_heartbeat_interval=settings.worker.session_timeout_s / 4,
        stream_wait_empty=False,
        stream_buffer_maxsize=_FETCHES,
        broker_commit_interval=1.0,
        producer_acks=-1,
        producer_linger=0.0,
        producer_max_request_size=4 * 1024 * 1024,
        logging_config=None,
    )
    app.transport = FetchTransport(app.conf.broker_consumer, app)
    return app


def _add_agents(app: Any, settings: Settings, worker: Worker, store: Store) -> None:
    within_s = settings.worker.take_within_ms / 1000
    rejects = Keeper(app, Rejected, store.keep_rejected)
    registry = Keeper(app, RegistryEntry, partial(_register, worker, store))

    # Concurrency stays 1: with more, Faust can commit past messages that are still in flight.
    @app.agent(_topic(app, METERS_RAW), concurrency=1)
    async def readings(stream: Any) -> AsyncIterator[None]:
        async for events in stream.noack_take(_FETCHES, within=within_s):
            await _or_crash(app, worker.take(events))
            await _or_crash(app, worker.checkpoint())
            yield

    @app.agent(_topic(app, METERS_REJECTED), concurrency=1)
    async def rejected(stream: Any) -> AsyncIterator[None]:
        async for events in stream.noack_take(_FETCHES, within=_SOON_S):
            await _or_crash(app, rejects.take(events))
            yield

    @app.agent(_topic(app, METERS_REGISTRY), concurrency=1)
    async def registered(stream: Any) -> AsyncIterator[None]:
        async for events in stream.noack_take(_FETCHES, within=_SOON_S):
            await _or_crash(app, registry.take(events))
            yield


async def _refresh(app: Any, serving: ModelServing, every_s: float) -> None:
    """Look for another champion now and then; loading one must not hold up the stream."""
    while not app.should_stop:
        await app.sleep(every_s)
        await asyncio.to_thread(serving.refresh)


def _topic(app: Any, spec: TopicSpec) -> Any:
    return app.topic(spec.name, key_serializer="raw", value_serializer="raw")


async def _register(worker: Worker, store: Store, entries: Sequence[RegistryEntry]) -> None:
    await store.register(entries)
    worker.moved([entry.meter_number for entry in entries])


def _add_background(app: Any, worker: Worker) -> None:
    owned = set[int]()

    # What the group says. The consumer's own word is no use: asked while another rebalance begins, it has nothing.
    @app.on_partitions_assigned.connect
    async def assigned(_: Any, assigned: set[TP], **__: Any) -> None:
        owned.clear()
        owned.update(tp.partition for tp in assigned if tp.topic == METERS_RAW.name)

    @app.on_rebalance_complete.connect
    async def rebalanced(*_: Any, **__: Any) -> None:
        await worker.assigned(owned)

    @app.on_before_shutdown.connect
    async def stopping(*_: Any, **__: Any) -> None:
        await worker.stop()

    @app.task
    async def checkpoint_when_idle() -> None:
        while not app.should_stop:
            await app.sleep(1.0)
            if not app.rebalancing:
                await _or_crash(app, worker.checkpoint())


async def _or_crash(app: Any, work: Any) -> None:
    """Nothing may escape the take loop: Faust would carry on without the batch. The process ends instead."""
    try:
        await work
    except asyncio.CancelledError:
        raise
    except Exception as error:
        if app.should_stop:
            return  # what fails while everything is being taken down has not been acknowledged: it comes again
        _log.exception("worker_failed", error=str(error))
        await app.crash(error)
        raise
