"""NEM12 and NEM13, the meter data files of the Australian market: intervals by the day, and accumulating registers.

Each register of a connection is a meter of its own, `NMI-SUFFIX`, since each has its own qualities. What becomes of it:

- suffixes A to F are energy: B, A and C fed in (`export_kwh`), E, D and F drawn (`consumption_kwh`); J to L and P to R
  are reactive energy (`reactive_kvarh`); V is `voltage`. Units are scaled to ours. A value of another unit is left out,
  with a note;
- `reading_time` is the end of the interval; the market's clock is UTC+10 all year (`--zone` says otherwise);
- `source_quality` is quality and method, then the reason's code and text after colons (`S14:79:Power Outage`);
- `device` is the meter's serial number; a value that is null (quality N) becomes a reading without a measure;
- of NEM13, `register_kwh` is the current standing and `consumption_kwh` the quantity since the one before.

A line that does not fit is a problem of that line; other lines are still read. A file that breaks the order of records
(no header, records after the end) is read as far as its lines make sense, and each break is told.
"""

from collections.abc import Iterator
from datetime import timedelta, timezone
from pathlib import Path

import numpy as np

from schemas.errors import ConfigurationError
from schemas.readings import MAX_TEXT, ReadingBatch
from simulators.replay.lines import blocks, count_lines
from simulators.replay.nem12_records import DAY_S, Day, Nem12Parser
from simulators.replay.recording import Findings, Format, Options
from simulators.replay.zones import to_utc

ZONE = timezone(timedelta(hours=10))
#: Days that are put together into one batch.
_DAYS_PER_BATCH = 500
#: Unit in capitals -> what one is in our unit (kWh, kvarh, V, kW, A), and which of ours it is.
_UNITS = {
    "WH": (1e3, "energy"), "KWH": (1.0, "energy"), "MWH": (1e-3, "energy"),
    "VARH": (1e3, "reactive_kvarh"), "KVARH": (1.0, "reactive_kvarh"), "MVARH": (1e-3, "reactive_kvarh"),
    "W": (1e3, "demand_kw"), "KW": (1.0, "demand_kw"), "V": (1.0, "voltage"), "KV": (1e-3, "voltage"),
    "A": (1.0, "current_amps"), "": (1.0, "voltage"),
}  # fmt: skip
_FED_IN = "ABC"


def read(path: Path, options: Options, findings: Findings) -> Iterator[ReadingBatch]:
    """Yield the readings of a file.

    Raises:
        ConfigurationError: a meter number was given, but the file has its own.
    """
    if options.meter:
        raise ConfigurationError("nem12 names its meters itself; leave the meter number out")
    parser = Nem12Parser(findings)
    last, days = 1, list[Day]()
    for block in blocks(path, findings):
        lines = list(enumerate(block.data.decode("utf-8-sig", "replace").splitlines(), block.first_line))
        last = lines[-1][0] if lines else last
        for day in parser.read(lines):
            days.append(day)
            if len(days) >= _DAYS_PER_BATCH:
                yield from _readings(days, options, findings)
                days = []
    days += parser.finish(last)
    yield from _readings(days, options, findings)


def _readings(days: list[Day], options: Options, findings: Findings) -> Iterator[ReadingBatch]:
    parts = list[ReadingBatch]()
    for day in days:
        measure = _measure(day)
        if measure is None:
            note = f"line {day.line}: values in {day.stream.unit!r} are left out, no measure has that unit"
            if note not in findings.notes:
                findings.notes.append(note)
            continue
        name, per_unit = measure
        count = len(day.values)
        ends_s = day.start_day * DAY_S + day.offset_s + day.stream.interval_s * np.arange(1, count + 1)
        if not day.stream.interval_s:
            ends_s = ends_s[:1]
        columns: dict[str, object] = {name: day.values / per_unit}
        if not np.isnan(day.register):
            columns["register_kwh"] = [day.register / per_unit]
        parts.append(
            ReadingBatch.from_columns(
                meter_number=[f"{day.stream.nmi}-{day.stream.register}"] * count,
                reading_time=to_utc(ends_s * 1_000_000, options.zone or ZONE).time_us,
                source_quality=[text[:MAX_TEXT] for text in day.quality],
                device=[day.stream.serial or None] * count,
                **columns,
            )
        )
    if parts:
        yield ReadingBatch.concat(parts)


def _measure(day: Day) -> tuple[str, float] | None:
    known = _UNITS.get(day.stream.unit.upper())
    if known is None or (not day.stream.unit and not day.stream.register.startswith("V")):
        return None
    per_unit, name = known
    if name == "energy":
        name = "export_kwh" if day.stream.register[:1].upper() in _FED_IN else "consumption_kwh"
    return name, per_unit


def _count(path: Path) -> int:
    return 48 * count_lines(path, start=b"300,") + count_lines(path, start=b"250,")


FORMAT = Format(
    name="nem12",
    summary="NEM12 and NEM13 of the Australian market: each register of an NMI is a meter",
    read=read,
    in_order=False,
    count=_count,
)
