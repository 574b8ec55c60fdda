"""The worker process: prepares Kafka and the database, starts the application, and ends with an honest exit code."""

import os
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import faust
import structlog

from schemas.errors import ServiceUnavailable
from schemas.markets import Markets
from schemas.topics import MARKET_RAW, METERS_RAW, TopicSpec
from schemas.windows import VoltageBand
from sinks.bars_outbox import BarOutbox
from sinks.grid_physics_outbox import GridPhysicsOutbox
from sinks.migrations import migrate
from sinks.missing_outbox import MissingOutbox
from sinks.neighbours_outbox import NeighboursOutbox
from sinks.outages_outbox import OutagesOutbox
from sinks.redis import MARKET_PREFIX, TICK, RedisLatest
from sinks.redis_windows import RedisWindows
from sinks.rule_ledger import keep_rule_set
from sinks.timescale import TimescaleStore
from sinks.timescale_ticks import TimescaleTicks
from sinks.windows_outbox import WindowOutbox
from stream.backoff import Backoff
from stream.endpoints import resolve
from stream.health import Health, HealthServer
from stream.identity import identity
from stream.markets import load_markets
from stream.outage import Outage
from stream.settings import Settings
from stream.stack.endpoints import Endpoints
from stream.topics import ensure_topics, partition_count, topic_id
from stream.vee.rule_book import RuleBook
from stream.worker.app import EXIT_FAILED, build_app
from stream.worker.flow import ready_passes
from stream.worker.lane import Source
from stream.worker.plans import Sinks
from stream.worker.preflight import note_beginnings, rewind_to_database
from stream.worker.standing import WorkerApp
from stream.worker.watch import Watch

T = TypeVar("T")
#: Joining a group takes a few seconds, twice a session timeout at worst [s].
_UNASSIGNED_S = 30.0
#: After its session is over, Kafka takes so long at most to count a worker out [s].
_FAREWELL_S = 10.0
#: What of an hour has not come so long after it is missing [s]; it may still come.
_MISSING_AFTER_S = 900.0


def run(settings: Settings) -> int:
    """Run a worker until SIGTERM or SIGINT.

    Returns: exit code: 0 after a stop that was asked for, 70 when the worker failed and should be started anew.

    Raises:
        ConfigurationError: settings that cannot work.
    """
    endpoints = resolve(settings, needs=("kafka_url", "database_url", "redis_url"))
    with identity("worker", settings.worker.instance_id, settings.local_dir) as name:
        return _run(settings, endpoints, name)


def _run(settings: Settings, endpoints: Endpoints, name: str) -> int:
    kafka = endpoints.kafka_url
    _patiently("kafka", lambda: ensure_topics(kafka, settings.partitions, settings.replication))
    meters, market = (_patiently("kafka", partial(_source, kafka, topic)) for topic in (METERS_RAW, MARKET_RAW))
    _patiently("database", lambda: migrate(endpoints.database_url))
    rules = RuleBook(settings.worker.rules_file, lambda found: keep_rule_set(endpoints.database_url, found))
    _patiently("database", rules.keep)
    for source in (meters, market):
        _patiently("kafka", partial(_rewind, settings, endpoints, source))
    markets = load_markets(settings.markets_file)
    ready_passes()
    built = build_app(settings, endpoints, name, meters, market, _sinks(settings, endpoints, markets), markets, rules)
    with HealthServer(
        "worker",
        lambda: _health(built, settings),
        built.registry,
        host=settings.metrics_host,
        port=settings.worker.metrics_port,
        local_dir=settings.local_dir,
    ):
        threading.Thread(target=_watch, args=(built, settings), name="watch", daemon=True).start()
        return _run_app(built)


def _source(kafka_url: str, topic: TopicSpec) -> Source:
    return Source(topic, topic_id(kafka_url, topic.name), partition_count(kafka_url, topic.name))


def _sinks(settings: Settings, endpoints: Endpoints, markets: Markets) -> Sinks:
    database, redis, lateness_s = endpoints.database_url, endpoints.redis_url, settings.worker.lateness_s
    band = VoltageBand(settings.worker.voltage_low, settings.worker.voltage_high)
    return Sinks(
        stores=[TimescaleStore(database, lateness_s=lateness_s, band=band) for _ in range(settings.worker.deliveries)],
        latest=RedisLatest(redis, expiry_s=settings.redis_expiry_s),
        windows=WindowOutbox(database, lateness_s=lateness_s, band=band, kept_days=settings.worker.revisions_kept_days),
        latest_windows=RedisWindows(redis, expiry_s=settings.redis_expiry_s),
        missing=MissingOutbox(database, grace_s=max(lateness_s, _MISSING_AFTER_S)),
        ticks=TimescaleTicks(database, markets),
        latest_ticks=RedisLatest(redis, expiry_s=settings.redis_expiry_s, prefix=MARKET_PREFIX, field=TICK),
        bars=BarOutbox(database, lateness_s=lateness_s),
        neighbours=NeighboursOutbox(database, lateness_s=lateness_s),
        outages=OutagesOutbox(database, settings.outages.rules, settings.outages.settle_s),
        physics=GridPhysicsOutbox(database, settings.grid.loading, settings.grid.balance, settings.grid.imbalance),
    )


def _rewind(settings: Settings, endpoints: Endpoints, source: Source) -> None:
    topic, life = source.topic.name, source.topic_id
    patience_s = settings.worker.session_timeout_s + _FAREWELL_S
    rewind_to_database(endpoints.kafka_url, endpoints.database_url, settings.worker.app_id, topic, life, patience_s)
    note_beginnings(endpoints.kafka_url, endpoints.database_url, topic, life)


def _run_app(built: WorkerApp) -> int:
    worker = faust.Worker(
        built.app, loglevel="ERROR", redirect_stdouts=False, override_logging=False, quiet=True, daemon=True
    )
    worker.spinner = None  # it would write escape codes where a log is expected
    try:
        worker.execute_from_commandline()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else EXIT_FAILED
        return EXIT_FAILED if built.app.crashed or code else 0
    except Exception as error:  # noqa: BLE001 - whatever ended the application: say so, and let a supervisor restart it
        structlog.get_logger("worker").error("worker_ended", error=repr(error))
        return EXIT_FAILED
    return 0


def _watch(built: WorkerApp, settings: Settings) -> None:
    """End a worker that cannot go on; in a thread, since Faust starts tasks only once it has its partitions."""
    watch = Watch(settings.worker.session_timeout_s, settings.worker.stall_timeout_s, _UNASSIGNED_S)
    while True:
        time.sleep(1.0)
        reason = watch.verdict(built.look())
        if reason is not None:
            structlog.get_logger("worker").error("worker_stuck", reason=reason)
            # What is stuck may not stop in order either; every step of the flow bears a sudden end.
            os._exit(EXIT_FAILED)


def _health(built: WorkerApp, settings: Settings) -> Health:
    """Ready once partitions are assigned and recovered; not live when records wait and nothing moves."""
    look = built.look()
    still_s = look.now_s - look.moved_at_s
    stalled = look.lag > 0 and not look.waiting_for and still_s > settings.worker.stall_timeout_s
    facts = {
        "waiting_for": look.waiting_for,
        "lag_records": look.lag,
        "still_s": round(still_s, 1),
        "partitions": len(built.app.consumer.assignment()) if look.ready else 0,
    }
    return Health(live=not built.app.crashed and not stalled, ready=look.ready and not look.waiting_for, facts=facts)


def _patiently(service: str, attempt: Callable[[], T]) -> T:
    """Wait for a service that is away, saying so once."""
    outage, backoff = Outage(service), Backoff()
    while True:
        try:
            result = attempt()
        except ServiceUnavailable as absence:
            outage.begin(absence.cause)
            time.sleep(backoff.next_s())
        else:
            outage.end()
            return result
