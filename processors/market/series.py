"""What is remembered of each series: a kind of tick of one symbol of one market."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from processors.keyed_state import Columns, KeyedState
from processors.market.anomalies import UNUSUAL_Z
from processors.state import NEVER_US
from schemas.ticks import TickBatch

#: Between market, symbol and kind in a key; texts are printable, so it is in none of them.
SEPARATOR = "\x1f"

COLUMNS: Columns = {
    "last_time_us": ("i8", 1, NEVER_US),
    "last_end_us": ("i8", 1, NEVER_US),
    "last_revision": ("i8", 1, 0),
    "last_price": ("f8", 1, np.nan),
    "variance": ("f8", 1, np.nan),
    "changes": ("i8", 1, 0),
    "unmoved": ("i8", 1, 0),
    "longest_run": ("f8", 1, 0.0),
    "unusual_z": ("f8", 1, UNUSUAL_Z),
    "level": ("f8", 1, 0.0),
    "was_extreme": ("?", 1, 0),
    "sided_mean": ("f8", 1, 0.0),
    "sided_variance": ("f8", 1, 0.0),
    "quotes": ("i8", 1, 0),
    "was_sided": ("?", 1, 0),
    "figure_end_us": ("i8", 1, NEVER_US),
    "overdue_us": ("i8", 1, NEVER_US),
    "jump_base": ("f8", 1, np.nan),
    "slip_base": ("f8", 1, 0.0),
    "slip_power": ("i1", 1, 0),
    "slip_ticks": ("i8", 1, 0),
    "model_unusual_us": ("i8", 1, NEVER_US),
    "model_episode": ("i1", 1, 0),
}


class SeriesState(KeyedState):
    """Columns with one row per series.

    Attributes:
        last_time_us: time of the newest tick [us], NEVER_US before the first.
        last_end_us: end of its interval [us].
        last_revision: highest revision of that time.
        last_price: price of the newest tick with one [currency/unit], NaN before.
        variance: exponentially weighted variance of price changes, NaN before the first.
        changes: price changes seen.
        unmoved: ticks in a row that said exactly what the one before said.
        longest_run: ticks in a row for which the price has stood still before, fading.
        unusual_z: changes beyond so many volatilities are unusual for it.
        level: usual size of its price [currency/unit].
        was_extreme: whether the newest price was near what the market allows, far from the usual.
        sided_mean: usual sidedness of its book; see `processors.market.depth`.
        sided_variance: variance of it.
        quotes: quotes with depth seen.
        was_sided: whether the newest was unusual.
        figure_end_us: end of the newest interval with a figure [us], NEVER_US before any.
        overdue_us: from when on the next figure is overdue [us]; NEVER_US where none is expected.
        jump_base: price before the newest one, where that was a jump [currency/unit]; NaN otherwise.
        slip_base: price before it moved by a power of ten [currency/unit]; see `processors.market.slips`.
        slip_power: of ten, by which it moved.
        slip_ticks: prices in a row that have stayed there, 0 where none has moved so.
        model_unusual_us: time of the newest tick that a model found unusual [us], NEVER_US before any.
        model_episode: 1 or 2 where that was a warning or critical; see `processors.market.opinion`.
    """

    columns = COLUMNS
    version = 3

    last_time_us: npt.NDArray[np.int64]
    last_end_us: npt.NDArray[np.int64]
    last_revision: npt.NDArray[np.int64]
    last_price: npt.NDArray[np.float64]
    variance: npt.NDArray[np.float64]
    changes: npt.NDArray[np.int64]
    unmoved: npt.NDArray[np.int64]
    longest_run: npt.NDArray[np.float64]
    unusual_z: npt.NDArray[np.float64]
    level: npt.NDArray[np.float64]
    was_extreme: npt.NDArray[np.bool_]
    sided_mean: npt.NDArray[np.float64]
    sided_variance: npt.NDArray[np.float64]
    quotes: npt.NDArray[np.int64]
    was_sided: npt.NDArray[np.bool_]
    figure_end_us: npt.NDArray[np.int64]
    overdue_us: npt.NDArray[np.int64]
    jump_base: npt.NDArray[np.float64]
    slip_base: npt.NDArray[np.float64]
    slip_power: npt.NDArray[np.int8]
    slip_ticks: npt.NDArray[np.int64]
    model_unusual_us: npt.NDArray[np.int64]
    model_episode: npt.NDArray[np.int8]


def keys_of(batch: TickBatch) -> pa.DictionaryArray:
    """Return the key of each tick's series, text[n] by first appearance: market, symbol and kind."""
    named = (batch.column("market"), batch.column("symbol"), pc.fill_null(batch.column("kind"), ""))
    columns = [column.dictionary_encode() for column in named]
    code = np.zeros(len(batch), dtype=np.int64)
    for column in columns:
        code = code * max(len(column.dictionary), 1) + column.indices.to_numpy()
    # Texts are joined once per series, not once per tick.
    series = pa.array(code).dictionary_encode()
    which, first = series.indices, _first(series.indices.to_numpy(), len(series.dictionary))
    parts = [column.dictionary.take(column.indices.take(first)) for column in columns]
    return pa.DictionaryArray.from_arrays(which, pc.binary_join_element_wise(*parts, SEPARATOR))


def _first(which: npt.NDArray[np.int32], count: int) -> pa.Array:
    """Return where each of so many numbers stands first."""
    found = np.empty(count, dtype=np.int64)
    found[which[::-1]] = np.arange(len(which))[::-1]
    return pa.array(found)
