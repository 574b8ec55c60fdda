"""Small simulated markets for tests."""

from typing import Any

import numpy as np

from schemas.layout import Ints
from simulators.labels import Label
from simulators.market.anomalies import anomalies, market_labels
from simulators.market.feed import Feed
from simulators.market.listing import Listing, choose
from simulators.market.ticks import TickShipment
from simulators.profile import MarketProfile
from simulators.schedule import Events, Window
from stream.markets import load_markets

MARKETS = load_markets()
DAY_S = 86_400
#: 2026-03-04T00:00:00Z, a Wednesday, in seconds since the simulation's epoch and since 1970.
START_S = 5_906 * DAY_S
START_US = (START_S + 14_610 * DAY_S) * 1_000_000


class Simulated:
    """Some symbols over some hours, with everything that is known about them."""

    def __init__(
        self, names: list[str], hours: float = 24, seed: int = 7, start_s: int = START_S, **profile: Any
    ) -> None:
        self.profile = MarketProfile.model_validate(profile)
        self.listing = Listing.of(choose(MARKETS, names, None), seed)
        self.start_s, self.end_s = start_s, start_s + int(hours * 3_600)
        self.events: Events = anomalies(self.profile, self.listing, seed, Window(start_s, self.end_s, 300))
        self.feed = Feed(self.listing, self.profile.ticks, self.events)
        self.shipments = list(self.feed.run(self.start_s, self.end_s, 100_000))
        self.batch = TickShipment.concat(self.shipments)

    @property
    def labels(self) -> list[Label]:
        return list(market_labels(self.events, self.listing))

    def rows(self, kind: str, name: str | None = None) -> Ints:
        mask = np.asarray(self.batch.column("kind").to_pylist()) == kind
        if name is not None:
            market, _, symbol = name.partition("/")
            mask &= np.asarray(self.batch.column("market").to_pylist()) == market
            mask &= np.asarray(self.batch.column("symbol").to_pylist()) == symbol
        return np.flatnonzero(mask)

    def of(self, kind: str, name: str | None = None) -> Any:
        """The ticks of a kind as columns by name; times in microseconds."""
        found = self.batch.records.take(self.rows(kind, name))
        columns = {column: found.column(column).to_pylist() for column in found.schema.names if column != "tick_time"}
        times = np.array(found.column("tick_time").cast("int64"))
        return {"tick_time": times} | {column: np.array(values) for column, values in columns.items()}


def between(label: Label, times_us: Ints) -> Any:
    start, end = (round(moment.timestamp() * 1e6) for moment in (label.start, label.end))
    return (times_us > start) & (times_us <= end)
