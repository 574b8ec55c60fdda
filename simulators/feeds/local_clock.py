"""Markets whose files hold local clock times: Nord Pool (hours) and TenneT (minutes of the balance delta).

In the hour that the clock shows twice, the order of the file tells which is meant: until the clock goes back it is
summer time. A time that does not exist is reported.
"""

from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from processors.market_time import clock_of
from schemas.layout import Ints
from schemas.markets import Market, Markets
from schemas.ticks import TickBatch
from simulators.feeds.feed import Feed, settled, ticks
from simulators.replay.columns import Checker
from simulators.replay.csv_table import CsvTable
from simulators.replay.recording import Findings

_NORDPOOL = ("Date", "Price", "Grid load forecast", "Wind power forecast")
_TENNET = ("timeInterval_start", "max_upw_regulation_price", "min_downw_regulation_price", "mid_price")
_SECONDS = r"^(?P<Y>\d{4})-(?P<m>\d{2})-(?P<d>\d{2})[ T](?P<H>\d{2}):(?P<M>\d{2}):(?P<S>\d{2})$"
_UTC = ZoneInfo("UTC")


def read_nordpool(path: Path, markets: Markets, findings: Findings) -> Iterator[TickBatch]:
    """Yield system prices, and the forecasts of load and wind, of a file by the hour.

    The file has no hour twice and none missing, which no local clock does: its times are read as CET all year.

    Raises:
        MissingColumns: a column is not there; blanks around names do not count.
    """
    market = markets.named("nordpool")
    table = CsvTable.open(path, ",", _NORDPOOL)
    for rows in table.rows(_NORDPOOL, findings):
        check = Checker(rows.lines)
        time_us = check.clock_times("Date", rows.columns["Date"], _SECONDS, ZoneInfo("Etc/GMT-1"))
        values = {name: check.floats(name, rows.columns[name]) for name in _NORDPOOL[1:]}
        hour = np.full(len(time_us), 3_600)
        batches = [
            ticks(market, "SYS", time_us, "settlement", price=values["Price"], interval_s=hour),
            ticks(market, "SYS", time_us, "forecast", quantity=values["Grid load forecast"], interval_s=hour),
            ticks(market, "SYS.WIND", time_us, "forecast", quantity=values["Wind power forecast"], interval_s=hour),
        ]
        yield from settled(check, findings, batches)


def read_tennet(path: Path, markets: Markets, findings: Findings) -> Iterator[TickBatch]:
    """Yield quotes of the Dutch balance delta: downward regulation is the bid, upward the ask; either may be missing.

    Raises:
        MissingColumns: a column is not there.
    """
    market = markets.named("tennet_nl")
    table = CsvTable.open(path, ",", _TENNET)
    for rows in table.rows(_TENNET, findings):
        check = Checker(rows.lines)
        clock = pc.binary_join_element_wise(rows.columns["timeInterval_start"], pa.scalar("00"), ":")
        time_us = _in_order(check, clock, market)
        up, down, mid = (check.floats(name, rows.columns[name]) for name in _TENNET[1:])
        # The two sides are prices of activations, not of one book: a missing one is null, and both may cross.
        yield from settled(
            check, findings, [ticks(market, market.symbols[0], time_us, "quote", price=mid, bid=down, ask=up)]
        )


def _in_order(check: Checker, clock: pa.Array, market: Market) -> Ints:
    """Return instants of clock times; in the hour that comes twice, the file's order says which is meant."""
    local = check.clock_times("the time", clock, _SECONDS, _UTC)
    zone = clock_of(market.timezone)
    stretch = np.searchsorted(zone.starts_us + zone.offsets_us, local, side="right") - 1
    # As late as the clock can be read; where the file has not come back yet, the same time an hour before.
    late = local - zone.offsets_us[np.maximum(stretch, 0)]
    early = local - zone.offsets_us[np.maximum(stretch - 1, 0)]
    twice = (early < late) & (zone.local_us(early) == local)
    back = np.maximum.accumulate(np.r_[False, np.diff(local) < 0]) if len(local) else np.zeros(0, dtype=bool)
    times = np.where(twice & ~back, early, late)
    check.refuse(zone.local_us(times) != local, "the time", clock, f"does not exist in {market.timezone}")
    return times


NORDPOOL = Feed("nordpool", "Nord Pool: system price by the hour, forecasts of load and wind", read_nordpool)
TENNET = Feed("tennet", "TenneT: minute prices of the Dutch balance delta", read_tennet)
