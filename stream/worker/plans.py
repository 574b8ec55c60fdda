"""What is special to each lane: readings and ticks have their own state, flow, journal and topics."""

from collections.abc import Sequence
from dataclasses import dataclass

from processors.judging import Judging
from processors.market.series import SeriesState
from processors.state import MeterState
from processors.validate import Limits
from schemas.alerts import Alert
from schemas.bars import Bar
from schemas.delivery import Rows
from schemas.layout import Positions
from schemas.markets import Markets
from schemas.tick_rows import TickRows
from schemas.windows import WindowAggregate
from sinks.missing_outbox import MissingOutbox
from sinks.outbox import Outbox
from sinks.redis_windows import RedisWindows
from sinks.sink import Journal, Latest, Store
from stream.market.flow import TickFlow, TickStep, tick_effects
from stream.vee.rule_book import RuleBook
from stream.worker.deliver import Describe
from stream.worker.flow import PartitionFlow, Step, effects
from stream.worker.lane import Plan, Source
from stream.worker.publish import MARKET, METERS
from stream.worker.serving import ModelServing


@dataclass(frozen=True)
class Sinks:
    """Where everything goes.

    Attributes:
        stores: readings, a session for each delivery at a time; the first has the registry and all rejects, too.
        latest: newest readings.
        windows: where closed windows are found.
        latest_windows: newest windows.
        missing: where missing data is found.
        ticks: market ticks and bars; open.
        latest_ticks: newest ticks.
        bars: where closed bars are found.
        neighbours: where prices far from their neighbours' are found.
        outages: where outages of the grid are found.
        physics: where what is wrong with transformers is found.
    """

    stores: Sequence[Store]
    latest: Latest[Rows]
    windows: Outbox[WindowAggregate]
    latest_windows: RedisWindows
    missing: MissingOutbox
    ticks: Journal[TickRows]
    latest_ticks: Latest[TickRows]
    bars: Outbox[Bar]
    neighbours: Outbox[Alert]
    outages: Outbox[Alert]
    physics: Outbox[Alert]

    @property
    def store(self) -> Store:
        """What is no delivery goes over the first session."""
        return self.stores[0]


def described_by(store: Store) -> Describe:
    """Return what tells a state the class and status of its meters, as the registry in a store has them."""

    async def describe(state: MeterState, rows: Positions, names: list[str]) -> None:
        state.register(rows, *await store.standing(names))

    return describe


def readings_plan(
    source: Source, sinks: Sinks, serving: ModelServing, rules: RuleBook, judging: Judging, limits: Limits
) -> Plan[Step, Rows]:
    """Return what is special to readings."""
    topic = source.topic.name

    return Plan(
        source=source,
        table="meter-state",
        state=MeterState,
        make_flow=lambda partition, state, offsets: PartitionFlow(
            topic, partition, state, offsets, limits, judging, consult=serving.consult, rules=rules.current
        ),
        cut=effects,
        journals=sinks.stores,
        latest=sinks.latest,
        outlet=METERS,
        describe=described_by(sinks.store),
    )


def ticks_plan(source: Source, sinks: Sinks, markets: Markets, serving: ModelServing) -> Plan[TickStep, TickRows]:
    """Return what is special to ticks."""
    topic = source.topic.name
    return Plan(
        source=source,
        table="market-state",
        state=SeriesState,
        make_flow=lambda partition, state, offsets: TickFlow(
            topic, partition, state, offsets, markets, consult=serving.consult
        ),
        cut=tick_effects,
        journals=(sinks.ticks,),
        latest=sinks.latest_ticks,
        outlet=MARKET,
    )
