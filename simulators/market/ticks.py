"""Ticks on their way to being a batch: plain columns, built a kind at a time."""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.layout import Floats, Ints, Mask
from schemas.ticks import TickBatch
from simulators.cargo import Cargo
from simulators.market.listing import Listing
from simulators.market.moments import EPOCH_S

KINDS = ("quote", "trade", "settlement", "demand", "renewable", "forecast")
QUOTE, TRADE, SETTLEMENT, DEMAND, RENEWABLE, FORECAST = range(len(KINDS))
_NO_REVISION = -1


class TickShipment(Cargo, TickBatch):
    """Ticks that are sent together; `sender` is the position of each one's symbol in the listing."""


@dataclass
class Ticks:
    """Ticks of one kind.

    Attributes:
        kind: position in KINDS.
        symbol: int64[n], position in the listing.
        time_us: int64[n] [us since 1970-01-01 UTC].
        due_us: int64[n], when each is published [us since 1970-01-01 UTC].
        revision: of all of them; -1 for none.
        columns: float64[n] by name.
    """

    kind: int
    symbol: Ints
    time_us: Ints
    due_us: Ints
    revision: int = _NO_REVISION
    columns: dict[str, Floats] = field(default_factory=dict)

    def where(self, rows: Mask) -> Self:
        """Return some of the ticks."""
        columns = {name: values[rows] for name, values in self.columns.items()}
        return type(self)(self.kind, self.symbol[rows], self.time_us[rows], self.due_us[rows], self.revision, columns)


def ship(parts: list[Ticks], listing: Listing) -> TickShipment:
    """Return ticks of all kinds as one shipment, ordered by when they are due, then as they are given."""
    sizes = np.cumsum([0, *(len(part.symbol) for part in parts)])
    due = np.concatenate([np.empty(0, np.int64), *(part.due_us for part in parts)])
    order = np.argsort(due, kind="stable")
    symbol = _together(parts, "symbol", order)
    kind = np.repeat(np.array([part.kind for part in parts], dtype=np.int32), np.diff(sizes))[order]
    revision = np.repeat(np.array([part.revision for part in parts], dtype=np.int64), np.diff(sizes))[order]
    columns: dict[str, Any] = {
        "market": _named([name.partition("/")[0] for name in listing.names], symbol),
        "symbol": _named([name.partition("/")[2] for name in listing.names], symbol),
        "currency": _named(_currencies(listing), symbol),
        "tick_time": _together(parts, "time_us", order),
        "kind": _named(list(KINDS), kind),
        "revision": pa.array(revision, mask=revision == _NO_REVISION),
    }
    for name in TickBatch.layout.floats:
        if any(name in part.columns for part in parts):
            values = np.full(sizes[-1], np.nan)
            for part, (start, stop) in zip(parts, pairwise(sizes.tolist()), strict=True):
                if name in part.columns:
                    values[start:stop] = part.columns[name]
            columns[name] = values[order]
    records = TickBatch.from_columns(**columns).records
    return TickShipment(records, due[order] / 1e6 - EPOCH_S, symbol, [])


def _together(parts: list[Ticks], name: str, order: npt.NDArray[np.intp]) -> Ints:
    columns: list[Ints] = [getattr(part, name) for part in parts]
    return np.concatenate([np.empty(0, np.int64), *columns])[order]


def _named(names: list[str], which: npt.NDArray[np.integer]) -> pa.StringArray:
    return pa.DictionaryArray.from_arrays(pa.array(which.astype(np.int32)), pa.array(names, pa.string())).cast(
        pa.string()
    )


def _currencies(listing: Listing) -> list[str]:
    of = {group.market.market: group.market.currency for group in listing.groups}
    return [of.get(name.partition("/")[0], "") for name in listing.names]
