"""Markets whose files number their periods: USEP of Singapore (half hours), IEX of India (blocks of 15 minutes).

A period number cannot be ambiguous: period 1 begins at local midnight. Dates are read as the market writes them, day
first; a file whose days run month first is refused rather than read with its months and days changed over.
"""

from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from processors.market_time import day_start, intervals_in_day
from schemas.layout import Ints
from schemas.markets import Market, Markets
from schemas.ticks import TickBatch
from simulators.feeds.feed import Feed, settled, ticks
from simulators.replay.columns import Checker
from simulators.replay.csv_table import CsvTable, Rows
from simulators.replay.recording import Findings

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAY_US = 86_400_000_000
_USEP = ("DATE", "PERIOD", "USEP ($/MWh)", "DEMAND (MW)")
_IEX = ("DeliveryDate", "Token_NO", "Area_code", "Area_Price", "All_India.Cleared_Volume", "All_India.Clearing_Price")
_DAY_FIRST = r"^(?P<d>\d{2})[ /](?P<m>\d{2})[ /](?P<Y>\d{4}) (?P<H>\d{2}):(?P<M>\d{2}):(?P<S>\d{2})$"


def read_usep(path: Path, markets: Markets, findings: Findings) -> Iterator[TickBatch]:
    """Yield prices and demand of Singapore.

    Raises:
        MissingColumns: a column is not there.
    """
    market = markets.named("usep_singapore")
    table = CsvTable.open(path, ",", _USEP)
    for rows in table.rows(_USEP, findings):
        check = Checker(rows.lines)
        dates = rows.columns["DATE"]
        for number, name in enumerate(_MONTHS, 1):
            dates = pc.replace_substring(dates, f" {name} ", f" {number:02d} ")
        time_us = _period(check, rows, market, dates, "PERIOD")
        price = check.floats("USEP ($/MWh)", _plain(rows.columns["USEP ($/MWh)"]))
        demand = check.floats("DEMAND (MW)", _plain(rows.columns["DEMAND (MW)"]))
        yield from settled(
            check,
            findings,
            [
                ticks(market, market.symbols[0], time_us, "settlement", price=price),
                ticks(market, market.symbols[0], time_us, "demand", quantity=demand),
            ],
        )


def read_iex(path: Path, markets: Markets, findings: Findings) -> Iterator[TickBatch]:
    """Yield prices of India by bid area, and the national one with the volume that was cleared.

    Raises:
        MissingColumns: a column is not there.
    """
    market = markets.named("iex_india")
    name = "RTM" if "RTM" in path.name else "DAM"
    table = CsvTable.open(path, ",", _IEX)
    for rows in table.rows(_IEX, findings):
        check = Checker(rows.lines)
        time_us = _period(check, rows, market, rows.columns["DeliveryDate"], "Token_NO")
        area = check.names("Area_code", rows.columns["Area_code"])
        price = check.floats("Area_Price", _plain(rows.columns["Area_Price"]))
        whole = check.floats("All_India.Clearing_Price", _plain(rows.columns["All_India.Clearing_Price"]))
        volume = check.floats("All_India.Cleared_Volume", _plain(rows.columns["All_India.Cleared_Volume"]))
        areas = ticks(market, pc.binary_join_element_wise(area, name, "."), time_us, "settlement", price=price)
        india = ticks(market, f"INDIA.{name}", time_us, "settlement", price=whole, quantity=volume)
        # The national figures stand beside each area of a block; one of them is enough.
        first = np.r_[True, np.diff(time_us) != 0] if len(time_us) else np.zeros(0, dtype=bool)
        good = check.report(findings)
        yield from (batch for batch in (areas.where(good), india.where(good & first)) if len(batch))


def _period(check: Checker, rows: Rows, market: Market, dates: pa.Array, column: str) -> Ints:
    """Return when each period begins, or its end where the market labels ends [us since 1970-01-01 UTC]."""
    clock = pc.binary_join_element_wise(dates, pa.scalar("00:00:00"), " ")
    midnight = check.clock_times("the date", clock, _DAY_FIRST, ZoneInfo("UTC"))
    day = midnight // _DAY_US
    period = check.integers(column, rows.columns[column]).fill_null(0).to_numpy(zero_copy_only=False)
    check.refuse(
        (period < 1) | (period > intervals_in_day(market, day)), column, rows.columns[column], "is no period of its day"
    )
    length_us = market.interval_s * 1_000_000
    ordinal = period if market.label == "end" else period - 1
    time_us: Ints = day_start(market, day) + ordinal * length_us
    return time_us


def _plain(text: pa.Array) -> pa.Array:
    """Return numbers without the commas that set thousands apart; one before decimals stays, and is refused."""
    return pc.if_else(
        pc.match_substring_regex(text, r"^-?\d{1,3}(,\d{3})+(\.\d+)?$"), pc.replace_substring(text, ",", ""), text
    )


USEP = Feed("usep", "USEP: half-hourly price and demand of Singapore", read_usep)
IEX = Feed("iex", "IEX: prices of India by bid area, real-time or day-ahead", read_iex)
