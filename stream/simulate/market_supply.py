"""Markets as a plan and as a supply: which symbols, when, how fast, and how they are published."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import pyarrow as pa

from processors.partition import partition_of
from schemas.markets import Market
from schemas.topics import MARKET_RAW
from simulators.labels import Label
from simulators.market.anomalies import anomalies, market_labels
from simulators.market.feed import Feed
from simulators.market.fingerprint import name_keys, tick_fingerprint
from simulators.market.listing import Listing
from simulators.market.publisher import TickPublisher
from simulators.market.ticks import TickShipment
from simulators.messages import PER_MESSAGE, Mode
from simulators.profile import MarketProfile
from simulators.publisher import Publisher
from simulators.schedule import Events, Window
from simulators.transport import Transport
from stream.simulate.kafka import KafkaTickPublisher
from stream.simulate.plan import Timed
from stream.simulate.supply import How

#: Runs begin and end at whole intervals of this length [s].
GRID_S = 300
_ROWS_AT_ONCE = 400_000


class MarketMode(StrEnum):
    """Where ticks go."""

    SINGLE = "mqtt-single"
    SYMBOL = "mqtt-symbol"
    KAFKA = "kafka"


@dataclass(frozen=True)
class MarketPlan(Timed):
    """One run of simulated markets.

    Attributes:
        markets: with the symbols of each.
        seed: of everything.
        start_s: seconds since the simulation's epoch, a multiple of 300.
        end_s: the same.
        speedup: seconds of the simulation per second; infinite for as fast as it is acknowledged.
        jitter_s: what belongs to an interval is published within this time after its edge [s].
        burst: everything waits for the edge of its five minutes.
        mode: where ticks go.
        publishers: processes that share the symbols.
        profile: what goes wrong, and how much is said.
        fingerprint: whether to take the fingerprint of all that is sent.
        rehearsal: whether everything is generated and nothing sent.
    """

    markets: tuple[tuple[Market, tuple[str, ...]], ...]
    seed: int
    start_s: int
    end_s: int
    speedup: float
    jitter_s: float
    burst: bool
    mode: MarketMode
    publishers: int
    profile: MarketProfile
    fingerprint: bool = False
    rehearsal: bool = False

    @property
    def direct(self) -> bool:
        """Whether ticks go straight into Kafka."""
        return self.mode is MarketMode.KAFKA

    @property
    def listing(self) -> Listing:
        """All symbols."""
        return Listing.of(self.markets, self.seed)

    @property
    def events(self) -> Events:
        """All anomalies."""
        return anomalies(self.profile, self.listing, self.seed, Window(self.start_s, self.end_s, GRID_S))

    @property
    def ticks(self) -> int:
        """About how many ticks the run has, if all markets were open all the time."""
        rates, seconds = self.profile.ticks, self.end_s - self.start_s
        book = sum(seconds / length for length in (rates.quote_s, rates.trade_s) if length)
        intervals = sum(len(symbols) * seconds / market.interval_s * (4 + rates.revisions)
                        for market, symbols in self.markets)  # fmt: skip
        return round(book * sum(len(symbols) for _, symbols in self.markets) + intervals)

    def labels(self) -> list[Label]:
        """Return the truth about the run."""
        return list(market_labels(self.events, self.listing))


@dataclass
class MarketSupply:
    """One process's symbols.

    Attributes:
        plan: the whole run.
        feed: of this part.
    """

    plan: MarketPlan
    feed: Feed

    def warm(self) -> None:
        """Look up clocks and holidays."""
        start_s = self.plan.start_s
        self.feed.stretch(start_s, start_s + GRID_S, start_s)

    def cargo(self) -> Iterator[TickShipment]:
        """Generate all ticks."""
        return self.feed.run(self.plan.start_s, self.plan.end_s, _ROWS_AT_ONCE // self.plan.publishers)

    def fingerprint(self, cargo: TickShipment) -> int:
        """Return the fingerprint of some ticks."""
        return tick_fingerprint(cargo, name_keys(self.feed.listing))

    def publisher(self, transport: Transport, how: How) -> Publisher:
        """Return what turns ticks into messages."""
        names = self.feed.listing.names
        if self.plan.direct:
            partition = partition_of(pa.array(names, pa.string()), how.partitions)
            return KafkaTickPublisher(transport, partition=partition, topic=MARKET_RAW.name, **how.settings)
        mode = Mode.SINGLE if self.plan.mode is MarketMode.SINGLE else Mode.CONCENTRATOR
        return TickPublisher(transport, mode=mode, per_message=PER_MESSAGE, names=names, **how.settings)


def open_markets(plan: MarketPlan, part: int) -> MarketSupply:
    """Build the symbols of one process; all processes know all anomalies."""
    listing = plan.listing.part(part, plan.publishers)
    return MarketSupply(plan, Feed(listing, plan.profile.ticks, plan.events, plan.jitter_s, plan.burst))
