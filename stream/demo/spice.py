"""What makes a tick of the fleet worth watching: anomalies, sags, gaps, repeats, stragglers and nonsense, by seed."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from schemas.json_writer import write_rows
from schemas.layout import Floats, Mask, Positions
from schemas.readings import ReadingBatch
from simulators.messages import topic_level
from simulators.transport import Message

#: An anomaly draws this many times the meter's mean on top, far beyond what an evening's cooking does.
_TIMES_MEAN = 12.0
_ANOMALIES, _SAGS, _SILENT, _WILD = 3, 6, 1, 1
_SAG_V, _WILD_V = 206.0, 400.0
#: Share of a tick's readings that are sent twice, and that come later than those of the next two ticks.
_REPEATED, _LATE = 0.01, 0.01


@dataclass(frozen=True)
class Tick:
    """One interval of the fleet, as it is to be sent.

    Attributes:
        batch: n readings, meter by meter, changed where something is to be seen.
        anomalous: positions of injected anomalies.
        repeated: positions of readings to be sent twice.
        late: bool[n], readings to be held back.
        nonsense: messages that cannot be read.
    """

    batch: ReadingBatch
    anomalous: Positions
    repeated: Positions
    late: Mask
    nonsense: list[Message]


def season(batch: ReadingBatch, mean_kwh: Floats, seed: int, tick: int) -> Tick:
    """Make one interval of the fleet worth watching.

    Args:
        batch: one reading per meter.
        mean_kwh: float64[n], what each meter uses in an interval on average [kWh].
        seed: of the whole demo.
        tick: which interval.
    """
    draw = np.random.default_rng([seed, tick])
    n = len(batch)
    chosen = draw.permutation(n)
    counts = [min(count, n // 8) for count in (_ANOMALIES, _SAGS, _SILENT, _WILD)]
    anomalous, sagging, silent, wild = np.split(chosen, np.cumsum(counts))[:4]
    changed = spiked(batch, anomalous, mean_kwh)
    voltage = changed.floats("voltage").copy()
    voltage[sagging], voltage[wild] = _SAG_V, _WILD_V
    changed = silenced(replaced(changed, voltage=voltage), silent)
    late = draw.random(n) < _LATE
    late[anomalous] = False
    # A copy that overtook its original would tell the wrong time from sending to alert.
    repeated = (draw.random(n) < _REPEATED) & ~late
    repeated[anomalous] = False
    return Tick(changed, anomalous, np.flatnonzero(repeated), late, nonsense(batch.slice(n - 1, 1), tick))


def spiked(batch: ReadingBatch, rows: Positions, mean_kwh: Floats) -> ReadingBatch:
    """Return the batch with far too much energy in some rows.

    Args:
        batch: n readings.
        rows: which.
        mean_kwh: float64[n], what the meters use in an interval on average [kWh].
    """
    energy, demand = batch.floats("consumption_kwh").copy(), batch.floats("demand_kw").copy()
    intervals_per_hour = 4
    extra = np.round(_TIMES_MEAN * np.maximum(mean_kwh[rows], 0.02), 3)
    energy[rows] = np.round(np.nan_to_num(energy[rows]) + extra, 3)
    demand[rows] = np.round(energy[rows] * intervals_per_hour, 3)
    return replaced(batch, consumption_kwh=energy, demand_kw=demand)


def silenced(batch: ReadingBatch, rows: Positions) -> ReadingBatch:
    """Return the batch with nothing measured in some rows."""
    columns = {name: batch.floats(name).copy() for name in batch.layout.floats}
    for values in columns.values():
        values[rows] = np.nan
    return replaced(batch, **columns)


def nonsense(example: ReadingBatch, tick: int) -> list[Message]:
    """Return messages that the bridge has to refuse, each one for another reason and no two the same."""
    meter = example.meter_number[0].as_py()
    topic = f"meters/{topic_level(meter)}/reading"
    good: dict[str, Any] = orjson.loads(write_rows(example)[0])
    without_meter = {name: value for name, value in good.items() if name != "meter_number"}
    without_offset = {**good, "reading_time": good["reading_time"].removesuffix("Z")}
    wrong_type = {**good, "voltage": f"about {220 + tick % 20}"}
    payloads = [
        b"\x02METER RESTART " + str(tick).encode(),
        *map(orjson.dumps, (without_meter, without_offset, wrong_type)),
    ]
    return [Message(topic, payload, 1) for payload in payloads]


def named(batch: ReadingBatch, prefix: str) -> ReadingBatch:
    """Return the batch with a prefix in front of each meter number."""
    if not prefix:
        return batch
    return replaced(batch, meter_number=pc.binary_join_element_wise(pa.scalar(prefix), batch.meter_number, ""))


def replaced(batch: ReadingBatch, **columns: Any) -> ReadingBatch:
    """Return the batch with other values in some columns."""
    return ReadingBatch.from_columns(**{name: batch.column(name) for name in batch.layout.schema.names} | columns)
