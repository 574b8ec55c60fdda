"""The feed: all that the symbols of a run say, in the order of its publication, a stretch of time after the other."""

from collections.abc import Iterator
from dataclasses import dataclass

from processors.market_time import is_trading
from schemas.markets import DAY_S
from simulators.faults import FaultClass
from simulators.market.anomalies import bend
from simulators.market.book import quotes, trades
from simulators.market.listing import Group, Listing
from simulators.market.moments import unix_us
from simulators.market.path import NODE_US, path
from simulators.market.settlements import RERUN_AFTER_S, edges, settlements
from simulators.market.ticks import QUOTE, TRADE, Ticks, TickShipment, ship
from simulators.profile import TickRates
from simulators.schedule import Event, Events

_HOUR_S = 3_600
_HOUR_US = _HOUR_S * 1_000_000
#: A day of 25 hours, and what a mean looks ahead.
_LONGEST_DAY_US, _AHEAD_US = 25 * _HOUR_US, 2 * _HOUR_US


@dataclass(frozen=True)
class Feed:
    """Ticks of some symbols, each a function of seed, symbol and time alone.

    Attributes:
        listing: which symbols.
        rates: how much they say.
        events: what goes wrong.
        jitter_s: what belongs to an interval is published within this time after its edge [s].
        burst: everything waits for the edge of its five minutes and is published at once.
    """

    listing: Listing
    rates: TickRates
    events: Events
    jitter_s: float = 30.0
    burst: bool = False

    def run(self, start_s: int, end_s: int, batch_rows: int) -> Iterator[TickShipment]:
        """Generate what is published in (start, end], in order.

        Args:
            start_s: seconds since the simulation's epoch, a multiple of 300.
            end_s: the same.
            batch_rows: about how many ticks to work on at once.
        """
        symbols = sum(len(group.symbols) for group in self.listing.groups)
        hourly = sum(_HOUR_S / length for length in (self.rates.quote_s, self.rates.trade_s) if length) + 4 * 12
        stride_s = max(1, int(batch_rows / max(symbols * hourly, 1))) * _HOUR_S
        for begin in range(start_s, end_s, stride_s):
            yield self.stretch(begin, min(begin + stride_s, end_s), start_s)

    def stretch(self, begin_s: int, end_s: int, start_s: int) -> TickShipment:
        """Generate what is published in (begin, end] of a run that starts at some time."""
        window = unix_us(begin_s), unix_us(end_s)
        parts = [part for group in self.listing.groups for part in self._group(group, *window, unix_us(start_s))]
        return ship([part for part in parts if len(part.symbol)], self.listing)

    def _group(self, group: Group, begin_us: int, end_us: int, start_us: int) -> Iterator[Ticks]:
        mine = self.events.touching(slice(group.first, group.first + len(group.symbols)))
        daily = group.market.interval_s == DAY_S
        # Second runs are published long after their interval, forecasts at its beginning.
        late_us = int((RERUN_AFTER_S[1] + self.jitter_s) * 1_000_000) + 1
        ahead_us = _LONGEST_DAY_US if daily else _AHEAD_US
        back_us = late_us + ahead_us
        first, last = (begin_us - back_us) // NODE_US, (end_us + ahead_us) // NODE_US + 2
        whole = path(group, first, last - first)
        bend(group, mine, whole)
        at = edges(group, max(begin_us - late_us, start_us), end_us + ahead_us)
        found = settlements(group, at, whole, self.jitter_s, self.rates.revisions) if len(at.end_us) else []
        for make, slot_s in ((quotes, self.rates.quote_s), (trades, self.rates.trade_s)):
            if slot_s:
                slots = begin_us // (slot_s * 1_000_000), -(-end_us // (slot_s * 1_000_000))
                found.append(make(group, *slots, slot_s, whole, mine))
        for made in found:
            open_only = made.kind in {QUOTE, TRADE}
            ticks = made.where(is_trading(group.market, made.time_us)) if open_only else made
            for event in mine.of(FaultClass.STALE_FEED):
                self._freeze(group, event, ticks)
            if self.burst:
                ticks.due_us = -(-ticks.due_us // NODE_US) * NODE_US
            inside = (ticks.due_us > begin_us) & (ticks.due_us <= end_us)
            yield ticks if inside.all() else ticks.where(inside)

    def _freeze(self, group: Group, event: Event, ticks: Ticks) -> None:
        """Let what a stale feed says be what it said last, in place."""
        rows = (ticks.symbol == event.element) & (ticks.due_us > unix_us(event.start_s))
        rows &= ticks.due_us <= unix_us(event.end_s)
        last = self._said(group, event, ticks.kind) if rows.any() else None
        if last is not None:
            for name, values in ticks.columns.items():
                values[rows] = last[name]

    def _said(self, group: Group, event: Event, kind: int) -> dict[str, float] | None:
        """Return the values of the last tick of a kind before an event; None where there is none to repeat."""
        until_us = unix_us(event.start_s)
        first = (until_us - _AHEAD_US) // NODE_US
        whole = path(group, first, until_us // NODE_US + 2 - first)
        none = Events.none()
        bend(group, self.events.touching(slice(group.first, group.first + len(group.symbols))), whole)
        found: list[Ticks] = []
        for its, make, slot_s in ((QUOTE, quotes, self.rates.quote_s), (TRADE, trades, self.rates.trade_s)):
            if kind == its:
                slot = max(until_us // (slot_s * 1_000_000) - 1, (until_us - _HOUR_US) // (slot_s * 1_000_000) + 1)
                found.append(make(group, slot, slot + 1, slot_s, whole, none))
        if not found and group.market.interval_s < DAY_S:
            at = edges(group, until_us - _HOUR_US - 1, until_us).last()
            found = [ticks for ticks in settlements(group, at, whole, 0.0, 0.0) if ticks.kind == kind]
        if not found:
            return None
        row = event.element - group.first
        return {name: float(values[row]) for name, values in found[0].columns.items()}
