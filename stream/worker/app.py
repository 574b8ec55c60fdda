"""The worker's Faust application, built by a function: topics, agents, table and watch on one screen."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import faust
import structlog
from faust.types import TP
from prometheus_client import CollectorRegistry

from models.registry import Registry
from processors.market.series import SeriesState
from schemas.markets import Markets
from schemas.registry import RegistryEntry
from schemas.rejected import Rejected
from schemas.topics import (
    ALERT_SIGNS,
    GRID_WINDOWS,
    MARKET_BARS,
    MARKET_REJECTED,
    METERS_MISSING,
    METERS_REGISTRY,
    METERS_REJECTED,
    TopicSpec,
)
from sinks.sink import Store
from sinks.totals import catch_up
from sinks.upkeep import keep_up
from stream.market.overdue import OverdueWatch
from stream.metrics import WorkerMetrics
from stream.settings import Settings
from stream.stack.endpoints import Endpoints
from stream.topics import bootstrap_servers
from stream.traces import spans_to
from stream.vee.automatic import AutomaticEstimation
from stream.vee.rule_book import RuleBook
from stream.worker.estimates import keep_estimating
from stream.worker.fetches import FetchTransport
from stream.worker.gaps import GapReader
from stream.worker.intake import Record
from stream.worker.keepers import Keeper, json_of, registry_entry
from stream.worker.lane import Lane, Source, open_lane
from stream.worker.maintain import again_and_again
from stream.worker.outboxes import OutboxPublisher
from stream.worker.plans import Sinks, readings_plan, ticks_plan
from stream.worker.producer import KafkaProducer, producer_settings
from stream.worker.serving import ModelServing, keep_fresh
from stream.worker.standing import WorkerApp
from stream.worker.worker import Worker

_log = structlog.get_logger("worker")

#: Exit code of a worker that should be started anew.
EXIT_FAILED = 70
#: Fetches of a topic, of up to 1 MB each, that wait to be taken.
_FETCHES = 16
#: How often the database is looked after [s].
_UPKEEP_S = 3_600.0
#: How often new readings are summed up [s].
_TOTALS_S = 30.0
#: Side topics are taken after this wait [s].
_SOON_S = 0.5


def build_app(
    settings: Settings,
    endpoints: Endpoints,
    name: str,
    meters: Source,
    market: Source,
    sinks: Sinks,
    markets: Markets,
    rules: RuleBook,
) -> WorkerApp:
    """Wire the whole flow.

    Args:
        settings: the engine's settings.
        endpoints: where Kafka is.
        name: of this worker, the same after a restart.
        meters: the topic of readings.
        market: the topic of ticks.
        sinks: where everything goes.
        markets: the definitions.
        rules: the rule set in force.
    """
    app = _new_app(settings, endpoints, name, meters.partitions)
    registry = CollectorRegistry()
    span = spans_to(settings.traces.endpoint, settings.traces.share, "meterstream-worker", name)
    metrics = WorkerMetrics(registry, levels=settings.scoring.levels, span=span)
    serving = ModelServing(Registry(settings.models_dir), settings.models, metrics)
    serving.refresh()
    plan = readings_plan(meters, sinks, serving, rules, settings.scoring.judging, settings.retention.limits)
    readings = open_lane(app, settings, endpoints, plan, metrics)
    of_ticks = WorkerMetrics(registry, "market", span=span)
    tick_models = _tick_models(settings, of_ticks)
    ticks = open_lane(app, settings, endpoints, ticks_plan(market, sinks, markets, tick_models), of_ticks)
    _add_lane(app, settings, readings)
    _add_lane(app, settings, ticks)

    def keeping(topic: TopicSpec, read: Callable[[Record], Any], keep: Callable[[Any], Awaitable[None]]) -> None:
        gaps = GapReader(endpoints.kafka_url, topic.name, settings.worker.app_id)
        _add_keeper(app, topic, Keeper(app, read, keep, gaps))

    keeping(METERS_REJECTED, json_of(Rejected), sinks.store.keep_rejected)
    keeping(MARKET_REJECTED, json_of(Rejected), sinks.store.keep_rejected)
    keeping(METERS_REGISTRY, registry_entry, partial(_register, readings.worker, sinks.store))
    producer = KafkaProducer(producer_settings(endpoints.kafka_url))
    for each in (serving, tick_models):
        app.task(partial(keep_fresh, app, producer, sinks.store, each, settings.models.refresh_s))
    keep = sinks.latest_windows.write
    metrics.watch_missing(sinks.missing)
    app.task(OutboxPublisher(producer, sinks.missing, METERS_MISSING.name, lambda found: found.meter_number).run)
    built = WorkerApp(app, (readings, ticks), registry)
    late = partial(built.late, readings)
    windows = OutboxPublisher(producer, sinks.windows, GRID_WINDOWS.name, lambda window: window.element, late, keep)
    app.task(windows.run)
    if settings.estimates.enabled:
        estimation = AutomaticEstimation(endpoints.database_url, rules.current)
        storing = partial(built.behind, readings)
        app.task(partial(keep_estimating, estimation, metrics, settings.estimates.pause_s, storing))
    behind = partial(built.behind, ticks)
    bars = OutboxPublisher(producer, sinks.bars, MARKET_BARS.name, lambda bar: f"{bar.market}/{bar.symbol}", behind)
    app.task(bars.run)
    app.task(OutboxPublisher(producer, sinks.neighbours, ALERT_SIGNS.name, lambda sign: sign.element, behind).run)
    app.task(OutboxPublisher(producer, sinks.outages, ALERT_SIGNS.name, lambda sign: sign.element).run)
    app.task(OutboxPublisher(producer, sinks.physics, ALERT_SIGNS.name, lambda sign: sign.element, late).run)
    app.task(rules.run)
    upkeep = partial(keep_up, endpoints.database_url, settings.retention.kept)
    app.task(partial(again_and_again, upkeep, _UPKEEP_S, late))
    totals = partial(catch_up, endpoints.database_url, settings.retention.readings_days, late)
    app.task(partial(again_and_again, totals, _TOTALS_S, late))
    overdue = OverdueWatch(lambda: _series(ticks), behind, sinks.ticks, producer)
    app.task(partial(overdue.run, app))
    return built


def _tick_models(settings: Settings, metrics: WorkerMetrics) -> ModelServing:
    """Return the models of the market, as the registry names them now."""
    registry = Registry(settings.models_dir)
    named = settings.models.model_copy(update={"name": settings.models.market_name})
    serving = ModelServing(registry, named, metrics, registry.load_ticks)
    serving.refresh()
    return serving


def _series(lane: Lane) -> list[SeriesState]:
    states = (flow.state for flow in lane.worker.flows.values())
    return [state for state in states if isinstance(state, SeriesState)]


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


def _add_lane(app: Any, settings: Settings, lane: Lane) -> None:
    within_s = settings.worker.take_within_ms / 1000
    worker = lane.worker

    # Concurrency stays 1: with more, Faust can commit past messages that are still in flight.
    async def take(stream: Any) -> AsyncIterator[None]:
        async for events in stream.noack_take(_FETCHES, within=within_s):
            await _or_crash(app, worker.take(events))
            await _or_crash(app, worker.checkpoint())
            yield

    owned = set[int]()

    # What the group says. The consumer's own word is no use: asked while another rebalance begins, it has nothing.
    async def assigned(_: Any, assigned: set[TP], **__: Any) -> None:
        owned.clear()
        owned.update(tp.partition for tp in assigned if tp.topic == lane.source.topic.name)

    async def rebalanced(*_: Any, **__: Any) -> None:
        await worker.assigned(owned)

    async def stopping(*_: Any, **__: Any) -> None:
        await worker.stop()

    async def checkpoint_when_idle() -> None:
        while not app.should_stop:
            await app.sleep(1.0)
            if not app.rebalancing:
                await _or_crash(app, worker.checkpoint())

    app.agent(_topic(app, lane.source.topic), name=lane.source.topic.name, concurrency=1)(take)
    # Faust holds receivers weakly unless it is told otherwise.
    app.on_partitions_assigned.connect(assigned, weak=False)
    app.on_rebalance_complete.connect(rebalanced, weak=False)
    app.on_before_shutdown.connect(stopping, weak=False)
    app.task(checkpoint_when_idle)
    app.task(lane.newest.run)


def _add_keeper(app: Any, spec: TopicSpec, keeper: Keeper[Any]) -> None:
    async def keep(stream: Any) -> AsyncIterator[None]:
        async for events in stream.noack_take(_FETCHES, within=_SOON_S):
            await _or_crash(app, keeper.take(events))
            yield

    app.agent(_topic(app, spec), name=spec.name, concurrency=1)(keep)


def _topic(app: Any, spec: TopicSpec) -> Any:
    return app.topic(spec.name, key_serializer="raw", value_serializer="raw")


async def _register(worker: Worker, store: Store, entries: Sequence[tuple[RegistryEntry, datetime]]) -> None:
    await store.register([entry for entry, _ in entries], [arrived_at for _, arrived_at in entries])
    worker.moved([entry.meter_number for entry, _ in entries])


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
