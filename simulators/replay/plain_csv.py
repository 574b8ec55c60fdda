"""Plain CSV with our own field names: what to convert other data to.

A header line with names of Reading fields in any order, comma between values, `.` as the decimal sign, empty for null:

    meter_number,reading_time,consumption_kwh,voltage
    M-1,2026-01-01T00:00:00Z,0.125,231.4
    M-1,2026-01-01T00:15:00+01:00,,230.9

`reading_time` is RFC 3339 with its offset from UTC. Without a `meter_number` column the number is given by `--meter`.
A column of another name is refused, as it is more often a misspelt field than one too many, unless
`--ignore-unknown` says otherwise. A row that the engine would reject is a problem of its line here and is not sent.
"""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from schemas.errors import ConfigurationError
from schemas.readings import ReadingBatch
from simulators.replay.columns import Checker
from simulators.replay.csv_table import CsvTable, Rows, count_rows
from simulators.replay.recording import Findings, Format, NotThisFormat, Options

_LAYOUT = ReadingBatch.layout


def read(path: Path, options: Options, findings: Findings) -> Iterator[ReadingBatch]:
    """Yield the readings of a file.

    Raises:
        ConfigurationError: meter numbers are in the file and were given too.
        NotThisFormat: unknown columns.
    """
    table = CsvTable.open(path, ",", ["reading_time"] if options.meter else ["meter_number", "reading_time"])
    if options.meter and "meter_number" in table.header:
        raise ConfigurationError(f"{path.name} has a column meter_number; leave the meter number out")
    known = [name for name in table.header if name in _LAYOUT.schema.names]
    unknown = [name for name in table.header if name not in known]
    if unknown and not options.ignore_unknown:
        raise NotThisFormat(path, f"unknown columns {unknown}; known ones are {_LAYOUT.schema.names}")
    for rows in table.rows(known, findings):
        yield _readings(rows, options, findings)


def _readings(rows: Rows, options: Options, findings: Findings) -> ReadingBatch:
    check = Checker(rows.lines)
    columns: dict[str, object] = {}
    if options.meter:
        columns["meter_number"] = pa.repeat(options.meter, len(rows.lines))
    for name, text in rows.columns.items():
        if name in _LAYOUT.identity:
            columns[name] = check.names(name, text)
        elif name == _LAYOUT.time:
            columns[name] = check.instants(name, text)
        elif name in _LAYOUT.floats:
            columns[name] = check.floats(name, text)
        elif name in _LAYOUT.integers:
            columns[name] = check.integers(name, text)
        else:
            columns[name] = check.labels(name, text)
    return ReadingBatch.from_columns(**columns).where(check.report(findings))


FORMAT = Format(
    name="plain_csv",
    summary="header of Reading field names, RFC 3339 times: any data converted to it",
    read=read,
    in_order=False,
    count=count_rows,
)
