"""The truth about a run: one label per fault, for a Parquet file, for the topic `simulator.labels`, for the score."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from schemas.layout import INSTANT
from schemas.topics import TopicSpec
from simulators.faults import CATALOGUE, CLASSES, Element, FaultClass
from simulators.garbage import digest, garbage_bytes
from simulators.grid import Grid
from simulators.local_time import DAY_S, EPOCH_DAY
from simulators.registry import element_names, other_transformer
from simulators.schedule import Event, Events

SIMULATOR_LABELS = TopicSpec("simulator.labels", key="label_id", retention_s=30 * 86_400)

_LETTERS = {Element.METER: "M", Element.TRANSFORMER: "T", Element.FEEDER: "F"}


class Label(BaseModel):
    """One fault that was put into a run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    label_id: str = Field(description="the same fault of the same run always has the same id")
    fault: FaultClass
    element_kind: Element
    element: str = Field(description="name of the meter, transformer or feeder that it happened to")
    start: AwareDatetime = Field(description="readings with a later time show it")
    end: AwareDatetime = Field(description="readings up to this time show it")
    meters: list[str] = Field(description="every meter that it touched")
    size: float = Field(description="how large, in `unit`")
    unit: str
    detail: str | None = Field(
        default=None,
        description="what else there is to know, such as the transformer named or a digest of garbage",
    )


SCHEMA = pa.schema(
    [
        ("label_id", pa.string()),
        ("fault", pa.string()),
        ("element_kind", pa.string()),
        ("element", pa.string()),
        ("start", INSTANT),
        ("end", INSTANT),
        ("meters", pa.list_(pa.string())),
        ("size", pa.float64()),
        ("unit", pa.string()),
        ("detail", pa.string()),
    ]
)


def labels(faults: Events, grid: Grid) -> Iterator[Label]:
    """Return the label of each fault, ordered by start."""
    names = {letter: element_names(letter, count).to_pylist() for letter, count in _counts(grid).items()}
    for event in faults:
        fault = CLASSES[event.fault]
        spec = CATALOGUE[fault]
        meters = [f"M{meter:08d}" for meter in range(event.first, event.last)]
        element = meters[0] if spec.element is Element.METER else names[_LETTERS[spec.element]][event.element]
        yield Label(
            label_id=f"{fault}-{element}-{moment(event.start_s):%Y%m%dT%H%M%S}",
            fault=fault,
            element_kind=spec.element,
            element=element,
            start=moment(event.start_s),
            end=moment(event.end_s),
            meters=meters,
            size=round(event.size, 6),
            unit=spec.unit,
            detail=_detail(fault, event, grid, names),
        )


def moment(seconds: int) -> datetime:
    """Return the time that lies so many seconds after the simulation's epoch."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=EPOCH_DAY * DAY_S + seconds)


def write_labels(path: Path, truth: list[Label]) -> None:
    """Write labels to a Parquet file, an empty one when nothing went wrong."""
    rows = [label.model_dump(mode="python") for label in truth]
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), path)


def read_labels(path: Path) -> list[Label]:
    """Read labels from a Parquet file.

    Raises:
        ValueError: what the file holds are no labels.
    """
    return [Label.model_validate(row) for row in pq.read_table(path, schema=SCHEMA).to_pylist()]


def _counts(grid: Grid) -> dict[str, int]:
    return {"T": len(grid.transformer_kva), "F": len(grid.feeder_substation)}


def _detail(fault: FaultClass, event: Event, grid: Grid, names: dict[str, list[str]]) -> str | None:
    if fault is FaultClass.WRONG_TRANSFORMER:
        return names["T"][other_transformer(grid, event.element, event.bits)]
    if fault is FaultClass.GARBAGE:
        return digest(garbage_bytes(event.bits, round(event.size)))
    if fault is FaultClass.UNIT_CHANGE:
        return "dV" if event.size < 100 else "Wh"
    return None
