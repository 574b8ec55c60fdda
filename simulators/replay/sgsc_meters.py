"""Smart Grid Smart City household meters, New South Wales: energy by the half hour.

Columns `customer_id`, `reading_datetime` and `general_supply_kwh` [kWh in the half hour]; `NA` is null. The customer's
number is the meter number. The file has one meter after the other.

The clock's zone is not stated and has no daylight-saving seam, so a fixed UTC+10 is assumed.
"""

from collections.abc import Iterator
from datetime import timedelta, timezone
from pathlib import Path

from schemas.errors import ConfigurationError
from schemas.readings import ReadingBatch
from simulators.replay.columns import Checker
from simulators.replay.csv_table import CsvTable, Rows, count_rows
from simulators.replay.recording import Findings, Format, Options

ZONE = timezone(timedelta(hours=10))

_COLUMNS = ("customer_id", "reading_datetime", "general_supply_kwh")
_CLOCK = r"^(?P<Y>\d{4})-(?P<m>\d{2})-(?P<d>\d{2})[ T](?P<H>\d{2}):(?P<M>\d{2}):(?P<S>\d{2})$"
_ABSENT = ("NA",)


def read(path: Path, options: Options, findings: Findings) -> Iterator[ReadingBatch]:
    """Yield the readings of a file.

    Raises:
        ConfigurationError: a meter number was given, but the file has its own.
    """
    if options.meter:
        raise ConfigurationError("sgsc_meters names its meters itself; leave the meter number out")
    table = CsvTable.open(path, ",", _COLUMNS)
    for rows in table.rows(_COLUMNS, findings):
        yield _readings(rows, options, findings)


def _readings(rows: Rows, options: Options, findings: Findings) -> ReadingBatch:
    check = Checker(rows.lines)
    meters = check.names("customer_id", rows.columns["customer_id"])
    times = check.clock_times("reading_datetime", rows.columns["reading_datetime"], _CLOCK, options.zone or ZONE)
    energy = check.floats("general_supply_kwh", rows.columns["general_supply_kwh"], _ABSENT)
    batch = ReadingBatch.from_columns(meter_number=meters, reading_time=times, consumption_kwh=energy)
    return batch.where(check.report(findings))


FORMAT = Format(
    name="sgsc_meters",
    summary="Smart Grid Smart City: household meters, half-hourly energy",
    read=read,
    in_order=False,
    count=count_rows,
)
