"""OMIE, the Iberian market: marginal prices by hour, and the offer and demand curves of hours.

The exchange's own text: Latin-1 (some copies are UTF-8), `;` between values, decimal commas with points for thousands,
a title line with the delivery day and the unit. Prices of before 2009-07 are in cent/kWh; all become EUR/MWh. Hours are
numbered from local midnight, 23 or 25 of them where clocks change, so that no hour is ambiguous. Files of intraday
sessions may begin with hours of the day before.
"""

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np

from processors.market.clearing import Orders, Rule
from processors.market_time import day_start
from schemas.errors import MissingColumns
from schemas.layout import Floats, Mask
from schemas.markets import Market, Markets
from schemas.ticks import TickBatch
from simulators.feeds.feed import Feed, ticks
from simulators.feeds.ladders import Ladder
from simulators.replay.lines import open_file
from simulators.replay.recording import Findings, NotThisFormat

_HOUR_US = 3_600_000_000
_EPOCH = date(1970, 1, 1)
#: First delivery day cleared together with the rest of Europe: SWE-NWE price coupling, go-live of 2014-05-13.
_EUPHEMIA = date(2014, 5, 14)
#: A price line's beginning -> symbol; before Portugal joined there was one system.
_PRICES = (
    ("precio marginal en el sistema esp", "ES"),
    ("precio marginal en el sistema portugu", "PT"),
    ("precio marginal (", "ES"),
)
_DAY = re.compile(r";(\d{2})/(\d{2})/(\d{4});")
_SESSION = re.compile(r"sesi.+?(\d+)\s*;", re.IGNORECASE)
_NUMBER = re.compile(r"^-?(\d{1,3}(\.\d{3})+|\d+)(,\d+)?$")
#: EUR/MWh per cent/kWh.
_PER_CENT = 10.0


def read(path: Path, markets: Markets, findings: Findings) -> Iterator[TickBatch]:
    """Yield the ticks of a file of marginal prices.

    Raises:
        NotThisFormat: no title with a day, or no line of hours.
    """
    market = markets.named("omie")
    lines = _lines(path)
    day, unit = _title(path, lines)
    session = _SESSION.search(lines[0])
    hours, at = _hours(path, lines)
    start = day_start(market, np.array([(day - _EPOCH).days]))[0] + (hours - 1) * _HOUR_US
    found = list[TickBatch]()
    for number, line in enumerate(lines[at + 1 :], at + 2):
        label, *cells = line.split(";")
        symbol = next((name for begins, name in _PRICES if label.lower().startswith(begins)), None)
        if symbol is None:
            continue
        if len(cells) < len(hours):
            findings.add(number, f"has {len(cells)} values for {len(hours)} hours: it is cut short")
        price = _numbers(cells[: len(hours)], number, findings)
        given = ~np.isnan(price)
        name = f"{symbol}.ID{session[1]}" if session else symbol
        found.append(_priced(market, name, start[: len(price)][given], price[given] * unit))
    if not found:
        findings.add(len(lines), "no line of marginal prices: the file is cut short")
    yield from (batch for batch in found if len(batch))


def read_curves(path: Path, markets: Markets, findings: Findings) -> list[Ladder]:
    """Read the curves of each hour of a file, in EUR/MWh and MWh, in the order of the hours.

    Raises:
        NotThisFormat: no title with a day, or no step of any curve.
        MissingColumns: the header is another one.
    """
    market = markets.named("omie")
    lines = _lines(path)
    day, unit = _title(path, lines)
    at = next((k for k, line in enumerate(lines) if line.lower().startswith("hora;")), None)
    if at is None:
        raise MissingColumns(["Hora"], lines[1:3])
    rows = [(number, line.split(";")) for number, line in enumerate(lines[at + 1 :], at + 2) if line.strip(";")]
    whole = [(number, cells) for number, cells in rows if len(cells) >= 8]
    for number, cells in rows:
        if len(cells) < 8:
            findings.add(number, f"has {len(cells)} values: it is cut short")
    if not whole:
        raise NotThisFormat(path, "no step of any curve")
    hour, quantity, price = (_column(whole, place, findings) for place in (0, 5, 6))
    side, state = (np.array([cells[place] for _, cells in whole]) for place in (4, 7))
    known = ~(np.isnan(hour) | np.isnan(quantity) | np.isnan(price)) & (quantity > 0)
    midnight = int(day_start(market, np.array([(day - _EPOCH).days]))[0])

    def ladder(number: float) -> Ladder:
        def orders(which: str, kind: str) -> Orders:
            mask: Mask = known & (hour == number) & (side == which) & (state == kind)
            return Orders(price[mask] * unit, quantity[mask])

        start = midnight + (int(number) - 1) * _HOUR_US
        rule = Rule.LOWEST if day < _EUPHEMIA else Rule.MIDPOINT
        return Ladder(start, orders("C", "O"), orders("V", "O"), rule, orders("C", "C"), orders("V", "C"))

    return [ladder(number) for number in np.unique(hour[known]).tolist()]


def _lines(path: Path) -> list[str]:
    with open_file(path) as file:
        data = file.read()
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return text.splitlines()


def _title(path: Path, lines: list[str]) -> tuple[date, float]:
    """Return the delivery day, day first as the whole file is, and the factor that makes EUR/MWh of its unit."""
    found = _DAY.search(lines[0]) if lines else None
    if found is None:
        raise NotThisFormat(path, "its first line names no delivery day")
    try:
        day = date(int(found[3]), int(found[2]), int(found[1]))
    except ValueError:
        raise NotThisFormat(path, f"{found[0].strip(';')} is no day, day first") from None
    # Curves name no unit: it changed with the prices', on 2009-07-01.
    cents = "cent/kwh" in lines[0].lower() or ("eur/mwh" not in lines[0].lower() and day < date(2009, 7, 1))
    return day, _PER_CENT if cents else 1.0


def _hours(path: Path, lines: list[str]) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], int]:
    """Return the hours of the header, those of the day before below 1, and its line."""
    for at, line in enumerate(lines[:6]):
        cells = [cell.strip() for cell in line.split(";")[1:]]
        named = [int(cell) for cell in cells if cell.isdigit()]
        if line.startswith(";") and named:
            hours = np.array(named, dtype=np.int64)
            first = int(np.flatnonzero(hours == 1)[0]) if 1 in named else 0
            hours[:first] -= 24
            return hours, at
    raise NotThisFormat(path, "no line of hours")


def _numbers(cells: list[str], number: int, findings: Findings) -> Floats:
    values = np.full(len(cells), np.nan)
    for place, cell in enumerate(cells):
        text = cell.strip()
        if _NUMBER.match(text):
            values[place] = float(text.replace(".", "").replace(",", "."))
        elif text:
            findings.add(number, f"value {place + 1} is not a number with a decimal comma: {text[:40]!r}")
    return values


def _column(rows: list[tuple[int, list[str]]], place: int, findings: Findings) -> Floats:
    return np.array([_numbers([cells[place]], number, findings)[0] for number, cells in rows])


def _priced(
    market: Market, symbol: str, time_us: np.ndarray[tuple[int], np.dtype[np.int64]], price: Floats
) -> TickBatch:
    return ticks(market, symbol, time_us, "settlement", price=price, interval_s=np.full(len(price), 3_600))


FEED = Feed("omie", "OMIE: marginal prices of the day-ahead and intraday markets (PMD, PrecioMD, PrecioIntra)", read)
