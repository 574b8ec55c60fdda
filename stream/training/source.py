"""Readings to train on: from a file or from a simulated fleet, in the order of time; see also `stored`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import holidays
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from schemas import arrow_codec
from schemas.errors import ConfigurationError
from schemas.layout import Ints
from schemas.readings import ReadingBatch
from simulators.fleet import Fleet
from simulators.grid import Grid
from simulators.registry import registry
from simulators.replay.recorded import open_recorded

#: Rows of a file that are worked on at once.
_ROWS = 100_000


@dataclass(frozen=True)
class Source:
    """Readings, and how many there are.

    Attributes:
        name: where they come from, for the manifest.
        batches: ordered by time.
        total: how many readings.
        classes: class of each meter, where it is known.
    """

    name: str
    batches: Iterator[ReadingBatch]
    total: int
    classes: Mapping[str, str] = field(default_factory=dict)


def from_file(path: Path, format_name: str | None) -> Source:
    """Open a file of readings.

    Args:
        path: a Parquet file with our column names, or one of a format that can be replayed.
        format_name: of the latter; None for Parquet, or `plain_csv` where the name ends in .csv or .csv.gz.

    Raises:
        MeterstreamError: it cannot be read as that.
    """
    if format_name is None and path.suffix == ".parquet":
        whole = _parquet(path)
        return Source(path.name, _slices(whole), len(whole))
    recorded = open_recorded(path, format_name or "plain_csv")
    return Source(path.name, recorded.batches, recorded.total)


def from_fleet(meters: int, seed: int, start: datetime, days: int, interval_s: int) -> Source:
    """Simulate a fleet in which nothing goes wrong."""
    steps = days * 86_400 // interval_s
    grid = Grid.build(meters, seed)
    fleet = Fleet(grid, seed)
    name = f"simulation: {meters} meters, seed {seed}, {days} days from {start:%Y-%m-%d}"
    known = registry(grid)
    classes = dict(zip(known["meter_number"].to_pylist(), known["class"].to_pylist(), strict=True))
    return Source(name, fleet.readings(start, steps, interval_s), meters * steps, classes)


def holidays_of(country: str | None, start_year: int, end_year: int) -> Ints:
    """Return the public holidays of a country, int64[h], rising [days since 1970-01-01]; none without a country.

    Raises:
        ConfigurationError: no country of that code is known.
    """
    if country is None:
        return np.empty(0, dtype=np.int64)
    try:
        found = holidays.country_holidays(country, years=range(start_year, end_year + 1))
    except NotImplementedError:
        raise ConfigurationError(f"no holidays are known of {country!r}: use an ISO 3166 code such as AU") from None
    return np.array(sorted((day - datetime(1970, 1, 1).date()).days for day in found), dtype=np.int64)  # noqa: DTZ001


def _parquet(path: Path) -> ReadingBatch:
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise ConfigurationError(f"{path.name} is no Parquet file that can be read: {error}") from None
    whole = readings_of(table, path.name)
    return whole.take(np.argsort(whole.time_us, kind="stable"))


def readings_of(table: pa.Table, name: str) -> ReadingBatch:
    """Return the rows of a table with our column names, in any order and of any castable type, as readings.

    Raises:
        ConfigurationError: some of them are none.
    """
    payloads = [_as_stream(records) for records in table.to_batches(_ROWS)]
    records, _, faults = arrow_codec.read(payloads, ReadingBatch.layout)
    if faults:
        raise ConfigurationError(f"{name}: {len(faults)} rows cannot be read; the first: {faults[0].detail}")
    return ReadingBatch(records)


def _as_stream(records: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, records.schema) as stream:
        stream.write_batch(records)
    return bytes(sink.getvalue())


def _slices(whole: ReadingBatch) -> Iterator[ReadingBatch]:
    for start in range(0, len(whole), _ROWS):
        yield whole.slice(start, _ROWS)
