"""elec2, the electricity set of the stream-learning literature: New South Wales and Victoria by the half hour, 1996-98.

The file holds no dates: they are counted from 1996-05-07, where the literature has it begin, a new day wherever the
time of day starts over; that makes 944 days, one more than the literature says. Prices and demands are scaled to 0..1,
so that they are of no currency: who replays it defines a market `elec2` for them, as in `tests/real_markets.toml`.

Source: Harries, "Splice-2 comparative evaluation: electricity pricing", UNSW technical report 9905 (1999).
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from processors.market_time import day_start
from schemas.markets import Markets
from schemas.ticks import TickBatch
from simulators.feeds.feed import Feed, settled, ticks
from simulators.replay.columns import Checker
from simulators.replay.csv_table import CsvTable
from simulators.replay.recording import Findings

_COLUMNS = ("period", "nswprice", "nswdemand", "vicprice", "vicdemand")
#: Half hours of a day, of which the first is at 0 and the last at 1.
_PERIODS = 48
#: 1996-05-07 [days since 1970-01-01].
_FIRST_DAY = 9_623


def read(path: Path, markets: Markets, findings: Findings) -> Iterator[TickBatch]:
    """Yield prices and demands of both states.

    Raises:
        MissingColumns: a column is not there.
        ConfigurationError: no market `elec2` is defined.
    """
    market = markets.named("elec2")
    day, last = _FIRST_DAY, -1
    for rows in CsvTable.open(path, ",", _COLUMNS).rows(_COLUMNS, findings):
        check = Checker(rows.lines)
        values = {name: check.floats(name, rows.columns[name]) for name in _COLUMNS}
        period = np.nan_to_num(np.rint(values["period"] * (_PERIODS - 1)), nan=-1).astype(np.int64)
        check.refuse((period < 0) | (period >= _PERIODS), "period", rows.columns["period"], "is no time of day, 0 to 1")
        days = day + np.cumsum(np.diff(period, prepend=last) <= 0)
        if len(period):
            day, last = int(days[-1]), int(period[-1])
        ordinal = period + 1 if market.label == "end" else period
        time_us = day_start(market, days) + ordinal * market.interval_s * 1_000_000
        yield from settled(
            check,
            findings,
            [
                batch
                for state in ("nsw", "vic")
                for batch in (
                    ticks(market, state.upper(), time_us, "settlement", price=values[f"{state}price"]),
                    ticks(market, state.upper(), time_us, "demand", quantity=values[f"{state}demand"]),
                )
            ],
        )


FEED = Feed("elec2", "elec2: scaled prices and demands of two Australian states, for a market of your own", read)
