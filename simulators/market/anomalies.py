"""The schedule of anomalies of a run of markets, what they do to prices, and their labels."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import numpy as np

from processors.market_time import intervals, is_trading
from schemas.layout import Ints, Mask
from schemas.markets import Market
from simulators.faults import CATALOGUE, CLASSES, NUMBER, FaultClass
from simulators.labels import Label, moment
from simulators.market.listing import Group, Listing
from simulators.market.moments import EPOCH_S, unix_us
from simulators.market.path import NODE_S, Path, within_limits
from simulators.profile import MarketProfile
from simulators.randomness import fraction, lane, salt, smooth
from simulators.schedule import Event, Events, Window, by_count, by_rate, one_at_a_time

#: Anomalies that move the price itself: settlement shows them too.
_PRICE = (FaultClass.PRICE_SPIKE, FaultClass.DECOUPLED)
_WANDER = salt("market", "decoupled")
_WANDER_S = 3_600.0


def anomalies(profile: MarketProfile, listing: Listing, seed: int, window: Window) -> Events:
    """Draw all anomalies of a run, ordered by start; at most one at a time on any symbol, none while it is closed."""
    parts = [_drawn(profile, fault, listing, seed, window) for fault in CLASSES if fault in profile.faults]
    events = one_at_a_time(Events.concat(parts)) if parts else Events.none()
    return events.where(np.lexsort((events.element, events.fault, events.start_s)))


def _drawn(profile: MarketProfile, fault: FaultClass, listing: Listing, seed: int, window: Window) -> Events:
    settings = profile.faults[fault]
    element, start, bits = by_rate(settings.rate, fault, listing.keys, window)
    more, begin, others = by_count(settings.count, fault, len(listing.keys), seed, window)
    element, start = np.concatenate([element, more]), np.concatenate([start, begin])
    bits = np.concatenate([bits, others])
    unit = {FaultClass.FAT_FINGER: profile.ticks.trade_s, FaultClass.SPOOFED_DEPTH: profile.ticks.quote_s}.get(
        fault, NODE_S
    )
    # Trades and quotes are counted from 1970, and so are these edges.
    start = (start + EPOCH_S) // unit * unit - EPOCH_S
    minutes, size = profile.minutes(fault), profile.size(fault)
    wanted = 60 * (minutes[0] + (minutes[1] - minutes[0]) * fraction(lane(bits, 0)))
    units = 1 if fault is FaultClass.FAT_FINGER else np.maximum(1, np.rint(wanted / unit).astype(np.int64))
    end = np.minimum(start + units * unit, window.end_s)
    drawn = size[0] + (size[1] - size[0]) * fraction(lane(bits, 1))
    number = np.full(len(element), NUMBER[fault], dtype=np.int8)
    events = Events(number, element, element, element + 1, start, end, drawn, bits)
    return events.where((start >= window.start_s) & (end > start) & _open(listing, element, start, end))


def _open(listing: Listing, element: Ints, start_s: Ints, end_s: Ints) -> Mask:
    """Say which anomalies fall into trading hours from their start to their end."""
    found = np.zeros(len(element), dtype=bool)
    for group in listing.groups:
        rows = np.flatnonzero((element >= group.first) & (element < group.first + len(group.symbols)))
        edges = [(moments[rows] + EPOCH_S) * 1_000_000 for moments in (start_s, end_s)]
        found[rows] = is_trading(group.market, edges[0]) & is_trading(group.market, edges[1] - 1)
    return found


def bend(group: Group, events: Events, whole: Path) -> None:
    """Put what moves a price into a path, in place.

    Args:
        group: whose path.
        events: anomalies of its symbols.
        whole: its path.
    """
    for event in events.of(*_PRICE):
        first, last = ((edge + EPOCH_S) // NODE_S for edge in (event.start_s, event.end_s))
        rows = slice(max(first - whole.first, 0), max(last - whole.first, 0))
        here, usual = whole.price[rows, event.element - group.first], group.traits.level
        if CLASSES[event.fault] is FaultClass.PRICE_SPIKE:
            bent = here + event.size * usual
        else:
            # Away from the market within half an hour, and about there on its own.
            nodes = np.arange(first, first + len(here)) + (rows.start - (first - whole.first))
            away = np.minimum((nodes - first + 1) * NODE_S / 1_800, 1.0)
            own = smooth(np.array([event.bits], dtype=np.uint64), _WANDER, nodes * NODE_S / _WANDER_S)[:, 0]
            side = 1.0 if event.bits & 1 else -1.0
            bent = here * (1 - away) + away * usual * (1 + side * event.size + 0.3 * event.size * own)
        whole.price[rows, event.element - group.first] = within_limits(group.market, bent)


def market_labels(events: Events, listing: Listing) -> Iterator[Label]:
    """Return the label of each anomaly, ordered by start; its element is `market/symbol`."""
    markets = [group.market for group in listing.groups for _ in group.symbols]
    for event in events:
        fault, name = CLASSES[event.fault], listing.names[event.element]
        market = markets[event.element]
        start_us, end_us = _shown(market, fault, event)
        yield Label(
            label_id=f"{fault}-{name}-{moment(event.start_s):%Y%m%dT%H%M%S}",
            fault=fault,
            element_kind=CATALOGUE[fault].element,
            element=name,
            start=_label_time(market, start_us),
            end=_label_time(market, end_us),
            meters=[],
            size=round(event.size, 6),
            unit=CATALOGUE[fault].unit,
            detail=_side(event) if fault is FaultClass.SPOOFED_DEPTH else None,
        )


def _label_time(market: Market, time_us: int) -> datetime:
    """Return an edge of a label: where ticks bear their interval's start, that time belongs to what begins there."""
    edge = moment(time_us // 1_000_000 - EPOCH_S)
    return edge - timedelta(microseconds=1) if market.label == "start" else edge


def bid_side(event: Event) -> bool:
    """Say whether a spoofed depth stands on the bid side; otherwise it is on the ask side."""
    return bool(event.bits >> 32 & 1)


def _side(event: Event) -> str:
    return "bid" if bid_side(event) else "ask"


def _shown(market: Market, fault: FaultClass, event: Event) -> tuple[int, int]:
    """Return from when to when ticks bear an anomaly [us since 1970]: where settlement shows it, whole intervals."""
    start, end = unix_us(event.start_s), unix_us(event.end_s)
    if fault not in (*_PRICE, FaultClass.STALE_FEED):
        return start, end
    around = intervals(market, np.array([start, end - 1]), label="start")
    return int(around.start_us[0]), int(around.end_us[1])
