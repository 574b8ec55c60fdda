"""Ticks ready to be stored."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.delivery import StoredRows
from schemas.layout import Ints, Mask
from schemas.rejected import Reason
from schemas.ticks import TickBatch


@dataclass(frozen=True)
class TickRows(StoredRows[TickBatch]):
    """Ticks, one value per tick; one of a series, time and revision may come more than once.

    Attributes:
        batch: n ticks.
        series_id: int64[n], database key of market, symbol and kind.
        starts_us: int64[n], start of the interval that it speaks of; its moment, where it has no interval [us].
        ends_us: int64[n], the end of that [us].
        in_order: bool[n], true where a tick is later than every earlier one of its series.
        flag: int8[n], code of a `QualityFlag`.
        score: float32[n], NaN where not scored.
        newest: bool[n], true where a tick is in order, or a higher revision of the newest time.
        partition: int64[n], Kafka partition.
        offset: int64[n], Kafka offset.
        arrived_us: int64[n], arrival in Kafka [us].
    """

    batch: TickBatch
    series_id: Ints
    starts_us: Ints
    ends_us: Ints
    in_order: Mask
    flag: npt.NDArray[np.int8]
    score: npt.NDArray[np.float32]
    newest: Mask
    partition: Ints
    offset: Ints
    arrived_us: Ints

    _ARRAYS = (
        *("series_id", "starts_us", "ends_us", "in_order", "flag", "score", "newest"),
        *("partition", "offset", "arrived_us"),
    )

    @property
    def key_id(self) -> Ints:
        """int64[n], database key of the series."""
        return self.series_id

    @property
    def names(self) -> pa.StringArray:
        """What each row is of, text[n]: market/symbol/kind."""
        kind = pc.fill_null(self.batch.column("kind"), "")
        return pc.binary_join_element_wise(self.batch.column("market"), self.batch.column("symbol"), kind, "/")


#: What is said of a tick that contradicts what is stored.
TICK_CONFLICT = (
    Reason.CONFLICTING_DUPLICATE,
    "a tick of this market, symbol, kind, time and revision is stored already, with other values",
)
