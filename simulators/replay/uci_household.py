"""UCI "Individual household electric power consumption": one French house, one reading a minute.

`;` between values, dates day first (16/12/2006, 1/1/2007), local clock time. What becomes of the columns:

- Global_active_power [kW, mean of the minute] is `demand_kw`, and divided by 60 `consumption_kwh`: the sum of energy
  times 60 gives the file's kW back to its last digit;
- Global_reactive_power [kvar] divided by 60 is `reactive_kvarh`; Voltage is `voltage`; Global_intensity `current_amps`;
- `power_factor` stays null: the file could only derive it, and a derived value would make a plausibility rule circular;
- the sub-meters are left out.

A value of `?` is null. A row of nothing but `?` is still a reading, of a minute for which the meter had no values: all
its measures are null, and the engine stores it with the quality flag `missing`.

The file does not say its time zone. Europe/Paris is assumed; the hour that the clock shows twice in October cannot be
told apart and is reported. A whole year without such an hour is had by `--zone +01:00`.
"""

from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from schemas.readings import ReadingBatch
from simulators.replay.columns import Checker
from simulators.replay.csv_table import CsvTable, Rows, count_rows
from simulators.replay.recording import Findings, Format, Options

METER = "UCI-1"
ZONE = "Europe/Paris"

_COLUMNS = ("Date", "Time", "Global_active_power", "Global_reactive_power", "Voltage", "Global_intensity")
_CLOCK = r"^(?P<d>\d{1,2})/(?P<m>\d{1,2})/(?P<Y>\d{4}) (?P<H>\d{1,2}):(?P<M>\d{2}):(?P<S>\d{2})$"
_ABSENT = ("?",)
_MINUTES_PER_HOUR = 60.0


def read(path: Path, options: Options, findings: Findings) -> Iterator[ReadingBatch]:
    """Yield the readings of a file."""
    table = CsvTable.open(path, ";", _COLUMNS)
    for rows in table.rows(_COLUMNS, findings):
        yield _readings(rows, options, findings)


def _readings(rows: Rows, options: Options, findings: Findings) -> ReadingBatch:
    check = Checker(rows.lines)
    clock = pc.binary_join_element_wise(rows.columns["Date"], rows.columns["Time"], " ")
    times = check.clock_times("Date and Time", clock, _CLOCK, options.zone or ZoneInfo(ZONE))
    values = {name: check.floats(name, rows.columns[name], _ABSENT) for name in _COLUMNS[2:]}
    batch = ReadingBatch.from_columns(
        meter_number=pa.repeat(options.meter or METER, len(times)),
        reading_time=times,
        consumption_kwh=values["Global_active_power"] / _MINUTES_PER_HOUR,
        demand_kw=values["Global_active_power"],
        voltage=values["Voltage"],
        current_amps=values["Global_intensity"],
        reactive_kvarh=values["Global_reactive_power"] / _MINUTES_PER_HOUR,
    )
    return batch.where(check.report(findings))


FORMAT = Format(
    name="uci_household",
    summary="UCI individual household: one house, one minute, P, Q, V and I",
    read=read,
    in_order=True,
    count=count_rows,
)
