"""What the registry says of each meter; not always what is true."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.layout import Ints
from simulators.customers import KINDS
from simulators.faults import FaultClass
from simulators.grid import Grid
from simulators.planning import DEVICES, Numbers
from simulators.randomness import draw, salt, uniform
from simulators.regions import REGIONS
from simulators.schedule import Events

_OTHER = salt("other transformer")
#: What meters of one phase are connected to, and those of three.
_PHASES = ("L1", "L2", "L3", "L1L2L3")
EPOCH = datetime(2010, 1, 1, tzinfo=UTC)


def element_names(letter: str, count: int) -> pa.StringArray:
    """Return the names of all elements of a kind: T000000, T000001 and so on."""
    width = {"S": 4, "F": 5, "T": 6}[letter]
    return pa.array([f"{letter}{number:0{width}d}" for number in range(count)])


def named_transformers(grid: Grid, faults: Events) -> Ints:
    """Return the transformer that the registry names for each meter, int64[m]: mostly the right one."""
    named = grid.meter_transformer.astype(np.int64)
    for event in faults.of(FaultClass.WRONG_TRANSFORMER):
        named[event.element] = other_transformer(grid, event.element, event.bits)
    return named


def other_transformer(grid: Grid, meter: int, bits: int) -> int:
    """Return a wrong transformer for a meter: of its own feeder where that has another one."""
    right = int(grid.meter_transformer[meter])
    feeder = int(grid.transformer_feeder[right])
    first, last = int(grid.feeder_start[feeder]), int(grid.feeder_start[feeder + 1])
    if last - first == 1:
        first, last = 0, len(grid.transformer_kva)
    if last - first == 1:
        return right
    part = float(uniform(draw(np.array([bits], dtype=np.uint64), _OTHER, 0))[0])
    return first + (right - first + 1 + int(part * (last - first - 1))) % (last - first)


def registry(grid: Grid, faults: Events | None = None, valid_from: datetime = EPOCH) -> pa.RecordBatch:
    """Return the registry: one row per meter, as `meters.registry` holds them.

    Args:
        grid: the truth.
        faults: of which those of the registry are written down.
        valid_from: since when the entries hold.
    """
    faults = Events.none() if faults is None else faults
    transformer: Numbers = named_transformers(grid, faults).astype(np.int32)
    sectors, kinds = [kind.sector.value for kind in KINDS], [kind.name for kind in KINDS]
    columns = {
        "meter_number": pa.array(grid.meter_numbers.astype("U9")),
        **_places(grid, transformer),
        "class": _chosen(sectors, grid.kind),
        "kind": _chosen(kinds, grid.kind),
        "device": _chosen(DEVICES, grid.device),
        "status": pa.repeat("active", grid.meters),
        "phases": pa.array(grid.phases.astype(np.int64)),
        "phase": _chosen(_PHASES, np.where(grid.phases == 3, 3, grid.keys % np.uint64(3)).astype(np.int64)),
        "transformer_kva": pa.array(grid.transformer_kva[transformer]),
        "valid_from": pa.repeat(valid_from.isoformat(), grid.meters),
    }
    return pa.RecordBatch.from_pydict(columns)


def transformer_registry(grid: Grid, valid_from: datetime = EPOCH) -> pa.RecordBatch:
    """Return the entries of the meters at the transformers themselves; their class is `transformer`."""
    count = len(grid.transformer_kva)
    transformer = np.arange(count, dtype=np.int32)
    columns = {
        "meter_number": pa.array(grid.transformer_meter_numbers.astype("U9")),
        **_places(grid, transformer),
        "class": pa.repeat("transformer", count),
        "kind": pa.repeat("transformer", count),
        "device": pa.repeat("transformer", count),
        "status": pa.repeat("active", count),
        "phases": pa.repeat(pa.scalar(3, pa.int64()), count),
        "phase": pa.repeat(_PHASES[3], count),
        "transformer_kva": pa.array(grid.transformer_kva),
        "valid_from": pa.repeat(valid_from.isoformat(), count),
    }
    return pa.RecordBatch.from_pydict(columns)


def registry_rows(entries: pa.RecordBatch) -> tuple[list[bytes], list[bytes]]:
    """Return keys and JSON objects, one per meter, written a column at a time."""
    parts: list[pa.Array | pa.Scalar] = []
    for name in entries.schema.names:
        column = entries.column(name)
        quote = '"' if pa.types.is_string(column.type) else ""
        lead = f',"{name}":{quote}' if parts else f'{{"{name}":{quote}'
        parts += [pa.scalar(lead), column.cast(pa.string()), pa.scalar(quote)]
    text = pc.binary_join_element_wise(*parts, pa.scalar("}"), pa.scalar(""))
    return entries.column("meter_number").cast(pa.binary()).to_pylist(), text.cast(pa.binary()).to_pylist()


def _places(grid: Grid, transformer: Numbers) -> dict[str, pa.Array]:
    """Return the names of everything above transformers, a row for each."""
    feeder = grid.transformer_feeder[transformer]
    substation = grid.feeder_substation[feeder]
    return {
        "transformer": _chosen(element_names("T", len(grid.transformer_kva)), transformer),
        "feeder": _chosen(element_names("F", len(grid.feeder_substation)), feeder),
        "substation": _chosen(element_names("S", len(grid.substation_region)), substation),
        "region": _chosen([region.name for region in REGIONS], grid.substation_region[substation]),
    }


def _chosen(names: "list[str] | tuple[str, ...] | pa.StringArray", codes: np.typing.NDArray[np.integer]) -> pa.Array:
    words = names if isinstance(names, pa.Array) else pa.array(names)
    return words.take(pa.array(codes))
