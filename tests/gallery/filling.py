"""A database as the engine leaves it: some days of a simulated fleet and of its market, faults among them.

The engine's own parts judge and store it in this process; only Kafka and Redis are left out.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

import numpy as np
import psycopg
from prometheus_client import CollectorRegistry

from processors.judging import Judging
from processors.lifecycle.silences import Silence
from processors.market.series import SeriesState
from processors.state import MeterState
from processors.validate import Limits
from processors.vee.rule_set import RuleSet
from schemas import arrow_codec
from schemas.alerts import Alert
from schemas.layout import ColumnBatch
from schemas.registry import RegistryEntry
from schemas.topics import MARKET_RAW, METERS_RAW
from simulators.cargo import Cargo
from simulators.cohorts import cohorts
from simulators.dispatch import Dispatcher, Timing
from simulators.faults import FaultClass
from simulators.fleet import Fleet
from simulators.grid import Grid
from simulators.labels import moment
from simulators.local_time import DAY_S
from simulators.profile import MarketProfile, Profile, load_profile
from simulators.registry import registry, transformer_registry
from simulators.schedule import Window, schedule
from simulators.shipment import Shipment
from simulators.transformers import TransformerMeters
from sinks.alert_ledger import AlertLedger
from sinks.alert_outbox import AlertOutbox
from sinks.grid_physics_outbox import GridPhysicsOutbox
from sinks.memory import MemoryLatest
from sinks.migrations import migrate
from sinks.missing_outbox import MissingOutbox
from sinks.neighbours_outbox import NeighboursOutbox
from sinks.notifications import Notifications
from sinks.outages_outbox import OutagesOutbox
from sinks.rule_ledger import keep_rule_set
from sinks.timescale import TimescaleStore
from sinks.timescale_ticks import TimescaleTicks
from sinks.totals import catch_up
from stream.alerting import acts
from stream.alerting.desk import Desk
from stream.alerting.routes import load_routing
from stream.alerting.rules import load_alert_rules
from stream.market.flow import TickFlow, tick_effects
from stream.markets import load_markets
from stream.metrics import WorkerMetrics
from stream.settings import Settings
from stream.simulate.market_supply import MarketMode, MarketPlan, open_markets
from stream.vee.automatic import AutomaticEstimation
from stream.vee.rule_book import own_rules
from stream.worker.deliver import Deliverer
from stream.worker.flow import PartitionFlow, effects
from stream.worker.intake import Flow, Record
from stream.worker.newest import NewestKeeper
from stream.worker.plans import described_by
from stream.worker.producer import KafkaProducer
from tests.builders import ARROW
from tests.contracts.test_windows_outbox import handed_on
from tests.flow.engine import Outbox

P = TypeVar("P", bound=Profile)
METERS, SEED, DAYS = 800, 7, 9
MARKET, SYMBOL = "epex", "DE-LU"
#: Symbols whose prices the regions pay, one after the other.
_ZONES = ("DE-LU", "CH", "BE")
_INTERVAL_S = 900
#: What is sent within this time is one record, and so many records are one delivery.
_RECORD_S, _AT_ONCE = 900, 4
#: Faults are of the last days only; before them meters have a past. Some go on when the time shown ends [d].
_FAULTY_DAYS, _GOING_ON_DAYS = 2, 0.25
_MARKET_DAYS = 2
#: How often what would hide everything else on an axis happens in a run: energy in another unit, absurd prices.
_FEWER = {FaultClass.UNIT_CHANGE: 0, FaultClass.PRICE_SPIKE: 2, FaultClass.FAT_FINGER: 4}
_LATENESS_S = 60.0
_NO_OFFSETS = np.empty(0, dtype=np.int64)
#: Meters of the registry that never sent, and that have fallen silent a while ago.
_NEVER, _SILENT, _SILENT_FOR = 3, 4, timedelta(hours=30)
_HEDGED = """
INSERT INTO hedges (region, starts_at, ends_at, quantity_mw) SELECT DISTINCT region, %s, %s, 0.03 FROM substations
"""


@dataclass
class _Lane:
    """A worker of one partition."""

    flow: Flow
    deliverer: Deliverer[Any, Any]
    outbox: Outbox

    async def take(self, records: Sequence[Record]) -> None:
        begun = self.flow.begin(records)
        if begun is not None:
            await self.deliverer.resolve(self.flow.state, begun.state_rows)
            await self.deliverer.deliver([begun.finish()], {0: self.flow.state}, {})


async def fill(url: str, until: datetime) -> None:
    """Fill a database.

    Args:
        url: of an empty one.
        until: where its time ends, at a whole quarter-hour.
    """
    migrate(url)
    rules = own_rules()
    keep_rule_set(url, rules)
    await _fleet(url, until)
    await _market(url, until)
    await handed_on(url)
    await _gaps(url, rules)
    await _outages(url)
    await _physics(url)
    await _alerts(url, until)
    await catch_up(url, 0)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_HEDGED, (until - timedelta(days=1), until))
        connection.execute("ANALYZE")


def _end_s(until: datetime) -> int:
    return round((until - moment(0)).total_seconds())


def _fewer(profile: P) -> P:
    rates = {
        fault: rate.model_copy(update={"count": _FEWER.get(fault, rate.count)})
        for fault, rate in profile.faults.items()
    }
    return profile.model_copy(update={"faults": rates})


async def _fleet(url: str, until: datetime) -> None:
    end_s = _end_s(until)
    grid = Grid.build(METERS, SEED)
    faulty = Window(end_s - _FAULTY_DAYS * DAY_S, end_s + round(_GOING_ON_DAYS * DAY_S), _INTERVAL_S)
    faults = schedule(_fewer(load_profile("showcase")), grid, SEED, faulty)
    fleet = Fleet(grid, SEED, faults=faults)
    store = TimescaleStore(url, lateness_s=_LATENESS_S)
    customers, own = registry(grid, faults), transformer_registry(grid)
    await store.register(_entries(customers.to_pylist() + own.to_pylist()))
    flow = PartitionFlow(METERS_RAW.name, 0, MeterState(), _NO_OFFSETS, Limits(), Judging())
    lane = _lane(METERS_RAW.name, flow, effects, store, described_by(store))
    timing = Timing(45.0, together=True)
    dispatcher = Dispatcher(fleet, cohorts(fleet, _INTERVAL_S), timing, TransformerMeters(fleet))
    sent = (Shipment.of(part) for part in dispatcher.run(end_s - DAYS * DAY_S, end_s, 50_000))
    await _work(lane, _records(_unheard(part, until) for part in sent))
    await store.keep_rejected(lane.outbox.rejected)
    await store.close()


def _entries(rows: list[dict[str, Any]]) -> list[RegistryEntry]:
    regions = sorted({row["region"] for row in rows})
    zone = {region: f"{MARKET}/{_ZONES[number % len(_ZONES)]}" for number, region in enumerate(regions)}
    return [RegistryEntry.model_validate({**row, "zone": zone[row["region"]]}) for row in rows]


def _unheard(cargo: Shipment, until: datetime) -> Shipment:
    """Leave out what the meters do not send that are silent."""
    late = cargo.due_s > _end_s(until - _SILENT_FOR)
    gone = (cargo.sender < _NEVER) | ((cargo.sender < _NEVER + _SILENT) & late)
    kept = cargo.take(np.flatnonzero(~gone))
    return Shipment(kept.records, kept.due_s, kept.sender, cargo.garbage)


async def _market(url: str, until: datetime) -> None:
    markets = load_markets()
    store = TimescaleTicks(url, markets)
    chosen = markets[MARKET]
    profile, end_s = _fewer(load_profile("showcase", MarketProfile)), _end_s(until)
    plan = MarketPlan(
        markets=((chosen, tuple(chosen.symbols)),),
        seed=SEED,
        start_s=end_s - _MARKET_DAYS * DAY_S,
        end_s=end_s,
        speedup=float("inf"),
        jitter_s=30.0,
        burst=False,
        mode=MarketMode.KAFKA,
        publishers=1,
        profile=profile,
    )
    flow = TickFlow(MARKET_RAW.name, 0, SeriesState(), _NO_OFFSETS, markets)
    await _work(_lane(MARKET_RAW.name, flow, tick_effects, store), _records(open_markets(plan, 0).cargo()))
    outbox, found = NeighboursOutbox(url, lateness_s=_LATENESS_S), list[Alert]()

    async def keep(alerts: list[Alert]) -> None:
        found.extend(alerts)

    while await outbox.hand_on(keep):
        pass
    await store.keep_alerts(found)
    await outbox.close()
    await store.close()


def _lane(topic: str, flow: Flow, cut: Any, store: Any, describe: Any = None) -> _Lane:
    metrics, outbox = WorkerMetrics(CollectorRegistry()), Outbox()
    newest: NewestKeeper[Any] = NewestKeeper(MemoryLatest(), metrics)
    return _Lane(flow, Deliverer(topic, "life", cut, store, newest, cast("Any", outbox), metrics, describe), outbox)


async def _work(lane: _Lane, records: Iterator[Record]) -> None:
    await lane.deliverer.position(0, 0)
    waiting = list[Record]()
    for record in records:
        waiting.append(record)
        if len(waiting) == _AT_ONCE:
            await lane.take(waiting)
            waiting = []
    await lane.take(waiting)


def _records(parts: Iterator[Cargo]) -> Iterator[Record]:
    """Turn what is sent into records, one for what comes within some minutes, and one for each thing that is no row."""
    offset = 0
    for part in parts:
        period = (part.due_s // _RECORD_S).astype(np.int64)
        for number in np.unique(period).tolist():
            rows = cast("ColumnBatch", part.take(np.flatnonzero(period == number)))
            arrived_us = round(moment((number + 1) * _RECORD_S).timestamp() * 1e6)
            yield Record(offset, arrow_codec.write(rows), ARROW, arrived_us)
            offset += 1
        for item in part.garbage:
            yield Record(offset, item.payload, None, round(moment(0).timestamp() * 1e6 + item.due_s * 1e6))
            offset += 1


async def _nowhere(_: object) -> None:
    """Publish what is in the database already."""


async def _outages(url: str) -> None:
    outbox = OutagesOutbox(url, Settings().outages.rules, 0.0)
    while await outbox.hand_on(_nowhere):
        pass
    await outbox.close()


async def _physics(url: str) -> None:
    settings = Settings().grid
    outbox = GridPhysicsOutbox(url, settings.loading, settings.balance, settings.imbalance)
    while await _hours_due(url):
        await outbox.hand_on(_nowhere)
    await outbox.hand_on(_nowhere)
    await outbox.close()


async def _hours_due(url: str) -> bool:
    async with await psycopg.AsyncConnection.connect(url) as connection:
        return await (await connection.execute("SELECT FROM transformer_hours_due LIMIT 1")).fetchone() is not None


async def _gaps(url: str, rules: RuleSet) -> None:
    """Count what is missing and estimate what is due."""
    outbox = MissingOutbox(url, grace_s=3_600.0)
    while await outbox.hand_on(_nowhere):
        pass
    await outbox.close()
    estimation = AutomaticEstimation(url, lambda: rules)
    while await asyncio.to_thread(estimation.step):
        pass
    estimation.close()


async def _alerts(url: str, until: datetime) -> None:
    """Let the desk make alerts of signs, and people take some of them on."""
    ledger, outbox = AlertLedger(url), AlertOutbox(url)
    kafka, judging = cast("KafkaProducer", None), Settings().scoring.judging
    routing, notices = load_routing(None), Notifications(url)
    desk = Desk(ledger, outbox, kafka, load_alert_rules(), notices, routing, (), judging, lambda: until)
    while await desk.take_signs():
        pass
    while await desk.look() or desk.looking:
        pass
    await ledger.close()
    await outbox.close()
    await asyncio.to_thread(_people, url, until)


def _people(url: str, until: datetime) -> None:
    with psycopg.connect(url) as connection:
        standing = connection.execute(
            "SELECT alert_id FROM alerts WHERE status = 'open' AND parent_id IS NULL ORDER BY first_seen LIMIT 6"
        ).fetchall()
    for (alert_id,) in standing[:4]:
        acts.acknowledge(url, alert_id, "night shift", until - timedelta(minutes=20), "looking at it")
    for (alert_id,) in standing[:1]:
        acts.resolve(url, alert_id, "night shift", until - timedelta(minutes=5), "meter exchanged")
    work = Silence(
        element="feeder/F00000", kind=None, begins_at=until, ends_at=until + timedelta(hours=8), by="crew 3",
        reason="line work",
    )  # fmt: skip
    acts.silence(url, work)


def a_time() -> datetime:
    """Return the newest whole quarter-hour: what is silent is so until now."""
    now = datetime.now(UTC)
    return now - timedelta(seconds=now.timestamp() % _INTERVAL_S)
