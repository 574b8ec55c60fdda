"""AEMO, the Australian market: dispatch and trading prices, regional demand, and output of sun and wind farms.

The operator's tables (MMS) hold lines of several kinds: `C` comment, `I` header, `D` data, and `C,"END OF REPORT"` at
the end; a file without that end is cut short, which is reported. A header names the columns of the data below it, in
whatever order and number: they differ between the years. Plain CSV of prices and demand is read too. SETTLEMENTDATE is
the end of an interval in market time, UTC+10 all year, year first, so that no month can be taken for a day.

A second run of an interval (INTERVENTION 1, or a higher RUNNO) is a revision of it, RUNNO first. Regional demand and
renewable output come as ticks of their own kinds. Trading prices have a symbol of their own (`NSW1.TRADING`): until
five-minute settlement they were means of half an hour, under the times of dispatch prices.
"""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.errors import MissingColumns
from schemas.layout import Ints
from schemas.markets import Market, Markets
from schemas.ticks import TickBatch
from simulators.feeds.feed import Feed, settled, ticks
from simulators.replay.columns import Checker
from simulators.replay.csv_table import CsvTable, Rows
from simulators.replay.lines import blocks, open_file
from simulators.replay.recording import Findings, NotThisFormat

_TIME = r"^(?P<Y>\d{4})/(?P<m>\d{2})/(?P<d>\d{2}) (?P<H>\d{2}):(?P<M>\d{2}):(?P<S>\d{2})$"
#: Years before the year, so a month-first date cannot be taken for one.
_NEEDED = ("SETTLEMENTDATE", "REGIONID")
#: Tables of the operator that say something of a region's interval.
_TABLES = {("DISPATCH", "PRICE"), ("TRADING", "PRICE"), ("DISPATCH", "REGIONSUM")}
_HALF_HOUR_S = 1_800
#: A trading price of before five-minute settlement speaks of half an hour.
_FIVE_MINUTE_SETTLEMENT_US = 1_633_010_400_000_000


def read(path: Path, markets: Markets, findings: Findings) -> Iterator[TickBatch]:
    """Yield the ticks of a file.

    Raises:
        MissingColumns: a plain file lacks a column that is needed, or an operator's table does.
        NotThisFormat: neither a table of the operator nor a plain one.
    """
    market = markets.named("aemo_nem")
    with open_file(path) as file:
        operators = file.read(2) in {b"C,", b"I,"}
    if operators:
        yield from _tables(path, market, findings)
        return
    table = CsvTable.open(path, ",", ())
    region = "REGIONID" if "REGIONID" in table.header else "REGION"
    missing = [name for name in ("SETTLEMENTDATE", region) if name not in table.header]
    if missing:
        raise MissingColumns(missing, list(table.header))
    wanted = [name for name in _USED if name in table.header]
    for rows in table.rows([*wanted, region] if region not in wanted else wanted, findings):
        columns = {**rows.columns, "REGIONID": rows.columns[region]}
        yield from _ticks(Rows(columns, rows.lines), market, findings, trading=False)


#: What sun and wind farms are dispatched to; demand is what these and other scheduled plants cover.
_RENEWABLE = "SEMISCHEDULE_CLEAREDMW"
_USED = ("SETTLEMENTDATE", "REGIONID", "RUNNO", "INTERVENTION", "RRP", "TOTALDEMAND", _RENEWABLE)


def _tables(path: Path, market: Market, findings: Findings) -> Iterator[TickBatch]:
    header: list[str] = []
    kind, ended, last = ("", ""), False, 0
    for block in blocks(path, findings):
        values, lines = list[list[str]](), list[int]()
        text = block.data.decode("utf-8", errors="replace")
        for number, row in enumerate(csv.reader(io.StringIO(text)), block.first_line):
            last = number
            if row[:1] == ["I"]:
                yield from _of_table(kind, header, values, lines, market, findings)
                values, lines, header, kind = [], [], row, (row[1], row[2]) if len(row) > 2 else ("", "")
                if kind in _TABLES and not set(_NEEDED) <= set(header):
                    raise MissingColumns([name for name in _NEEDED if name not in header], header)
            elif row[:1] == ["D"] and kind in _TABLES:
                if len(row) == len(header):
                    values.append(row)
                    lines.append(number)
                else:
                    findings.add(number, f"has {len(row)} values, the header names {len(header)}")
            elif row[:2] == ["C", "END OF REPORT"]:
                ended = True
        yield from _of_table(kind, header, values, lines, market, findings)
    if not header and not findings.count:
        raise NotThisFormat(path, "no line begins with I: this is no table of AEMO")
    if not ended:
        findings.add(last, "the file ends without END OF REPORT: it is cut short")


def _of_table(
    kind: tuple[str, str],
    header: list[str],
    values: list[list[str]],
    lines: list[int],
    market: Market,
    findings: Findings,
) -> Iterator[TickBatch]:
    if not values:
        return
    columns = {name: pa.array([row[header.index(name)] for row in values]) for name in _USED if name in header}
    yield from _ticks(Rows(columns, np.array(lines, dtype=np.int64)), market, findings, trading=kind[0] == "TRADING")


def _ticks(rows: Rows, market: Market, findings: Findings, *, trading: bool) -> Iterator[TickBatch]:
    check = Checker(rows.lines)
    time_us = check.clock_times("SETTLEMENTDATE", rows.columns["SETTLEMENTDATE"], _TIME, ZoneInfo(market.timezone))
    region = check.names("REGIONID", rows.columns["REGIONID"])
    if trading:
        region = pc.binary_join_element_wise(region, pa.scalar("TRADING"), ".")
    revision = _revision(rows, check)
    found = list[TickBatch]()
    if "RRP" in rows.columns:
        price = check.floats("RRP", rows.columns["RRP"])
        half_hours = trading & (time_us <= _FIVE_MINUTE_SETTLEMENT_US)
        length = pa.array(np.where(half_hours, _HALF_HOUR_S, 0), mask=~np.broadcast_to(half_hours, len(time_us)))
        found.append(ticks(market, region, time_us, "settlement", price=price, revision=revision, interval_s=length))
    for name, kind in (("TOTALDEMAND", "demand"), (_RENEWABLE, "renewable")):
        if name in rows.columns:
            quantity = check.floats(name, rows.columns[name])
            found.append(ticks(market, region, time_us, kind, quantity=quantity, revision=revision))
    yield from settled(check, findings, found)


def _revision(rows: Rows, check: Checker) -> Ints:
    """Number the runs of an interval: 0 for the first, more for each further RUNNO, the intervention run after."""
    revision = np.zeros(len(rows.lines), dtype=np.int64)
    for name, weight, first in (("RUNNO", 2, 1), ("INTERVENTION", 1, 0)):
        if name in rows.columns:
            given = check.integers(name, rows.columns[name]).fill_null(first).to_numpy(zero_copy_only=False)
            revision += weight * (np.maximum(given, first) - first)
    return revision


FEED = Feed(
    "aemo", "AEMO: operator's tables (DISPATCHPRICE, TRADINGPRICE, DISPATCHREGIONSUM) or price and demand", read
)
