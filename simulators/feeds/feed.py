"""What every reader of a published market file shares."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from schemas.layout import Ints
from schemas.markets import Market, Markets
from schemas.ticks import TickBatch
from simulators.replay.columns import Checker
from simulators.replay.recording import Findings

#: Opens a file and yields its ticks in batches; problems go to the findings, lines are never silently dropped.
Reader = Callable[[Path, Markets, Findings], Iterator[TickBatch]]


class Feed(NamedTuple):
    """One published format.

    Attributes:
        name: as in `--format`.
        summary: one line for `--help`.
        read: its reader.
    """

    name: str
    summary: str
    read: Reader


def ticks(market: Market, symbol: pa.Array | str, time_us: Ints, kind: str, **columns: object) -> TickBatch:
    """Build ticks of one market and kind; their currency is the market's where they have a price."""
    n = len(time_us)
    priced = "price" in columns or "bid" in columns
    return TickBatch.from_columns(
        market=pa.repeat(market.market, n),
        symbol=pa.repeat(symbol, n) if isinstance(symbol, str) else symbol,
        tick_time=time_us,
        kind=pa.repeat(kind, n),
        currency=pa.repeat(market.currency, n) if priced else None,
        **columns,
    )


def settled(check: Checker, findings: Findings, batches: list[TickBatch]) -> Iterator[TickBatch]:
    """Yield batches of the same rows without those that could not be read, in the order of time.

    A row without any figure stays: it says that there was an interval and nothing was published for it.
    """
    good = check.report(findings)
    whole = TickBatch.concat([batch.where(good) for batch in batches])
    if len(whole):
        yield whole.take(np.argsort(whole.time_us, kind="stable"))
