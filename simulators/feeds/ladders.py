"""Bids and asks of one auction each, as an exchange publishes them or as a plain CSV file has them.

The CSV file has the columns `side` (`bid` or `ask`), `price` and `quantity`; optional are `time` (RFC 3339; one auction
per time), `whole` (1: served wholly or not at all) and `renewable` (1: an ask of sun, wind or water).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from processors.market.clearing import Orders, Rule
from schemas.layout import Floats, Ints, Mask
from simulators.replay.columns import Checker
from simulators.replay.csv_table import CsvTable, Rows
from simulators.replay.recording import Findings, NotThisFormat

_NEEDED = ("side", "price", "quantity")
_OPTIONAL = ("time", "whole", "renewable")
_SIDES = ("bid", "ask")


@dataclass(frozen=True)
class Ladder:
    """The bids and asks of one auction.

    Attributes:
        time_us: start of the interval that was traded [us since 1970-01-01 UTC]; None where the file does not say.
        bids: what was wanted [currency/unit, unit].
        asks: what was offered.
        rule: which of several clearing prices its market published.
        matched_bids: bids that the exchange matched; None where the file does not say.
        matched_asks: the same of what was offered.
        renewable: bool[n], asks of renewable output; None where the file does not say.
    """

    time_us: int | None
    bids: Orders
    asks: Orders
    rule: Rule = Rule.MIDPOINT
    matched_bids: Orders | None = None
    matched_asks: Orders | None = None
    renewable: Mask | None = None


def read_ladders(path: Path, findings: Findings) -> list[Ladder]:
    """Read a CSV file of bids and asks, its auctions in the order of their times.

    Raises:
        MissingColumns: a needed column is not there.
        NotThisFormat: no bid or ask could be read.
    """
    table = CsvTable.open(path, ",", _NEEDED)
    optional = [name for name in _OPTIONAL if name in table.header]
    parts = [_read(rows, findings) for rows in table.rows([*_NEEDED, *optional], findings)]
    if not sum(len(part.price) for part in parts):
        raise NotThisFormat(path, "no bid and no ask could be read from it")
    orders = _Parsed(*(np.concatenate(columns) for columns in zip(*(part.columns for part in parts), strict=True)))
    timed, named = "time" in optional, "renewable" in optional
    return [_ladder(orders, orders.time_us == at, timed=timed, named=named) for at in np.unique(orders.time_us)]


@dataclass(frozen=True)
class _Parsed:
    """Orders of both sides and all auctions, one value per order."""

    time_us: Ints
    bid: Mask
    price: Floats
    quantity: Floats
    whole: Mask
    renewable: Mask

    @property
    def columns(self) -> tuple[Ints | Floats | Mask, ...]:
        return self.time_us, self.bid, self.price, self.quantity, self.whole, self.renewable


def _read(rows: Rows, findings: Findings) -> _Parsed:
    check, columns = Checker(rows.lines), rows.columns
    side = pc.utf8_lower(pc.utf8_trim_whitespace(columns["side"]))
    known = pc.is_in(side, pa.array(_SIDES)).to_numpy(zero_copy_only=False)
    check.refuse(~known, "side", columns["side"], f"is neither {_SIDES[0]} nor {_SIDES[1]}")
    price, quantity = (check.floats(name, columns[name]) for name in ("price", "quantity"))
    check.refuse(np.isnan(price), "price", columns["price"], "is missing")
    check.refuse(~(quantity > 0), "quantity", columns["quantity"], "is not above 0")
    count = len(rows.lines)
    time_us = check.instants("time", columns["time"]) if "time" in columns else np.zeros(count, dtype=np.int64)
    whole, renewable = (_yes(name, columns, check, count) for name in ("whole", "renewable"))
    good = check.report(findings)
    bid = pc.equal(side, _SIDES[0]).to_numpy(zero_copy_only=False)
    return _Parsed(time_us[good], bid[good], price[good], quantity[good], whole[good], renewable[good])


def _yes(name: str, columns: dict[str, pa.Array], check: Checker, count: int) -> Mask:
    """Return where a column of 0 and 1 says 1; an empty value, and a column that is not there, says 0."""
    if name not in columns:
        return np.zeros(count, dtype=bool)
    values = check.integers(name, columns[name]).fill_null(0).to_numpy(zero_copy_only=False)
    check.refuse((values != 0) & (values != 1), name, columns[name], "is neither 0 nor 1")
    return np.asarray(values == 1)


def _ladder(orders: _Parsed, here: Mask, *, timed: bool, named: bool) -> Ladder:
    bids, asks = here & orders.bid, here & ~orders.bid
    at = int(orders.time_us[here][0]) if timed else None
    wanted, offered = (Orders(orders.price[of], orders.quantity[of], orders.whole[of]) for of in (bids, asks))
    return Ladder(at, wanted, offered, renewable=orders.renewable[asks] if named else None)
