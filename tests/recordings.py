"""Real recordings, and what their files add up to: read here line by line, with nothing of the engine."""

import gzip
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path

#: How the plant's file is mapped.
STEEL_MAPPING = """
[meter]
name = "STEEL"
[time]
columns = ["date"]
format = "%d/%m/%Y %H:%M"
zone = "Asia/Seoul"
[fields.consumption_kwh]
column = "Usage_kWh"
"""

#: Meter, start of the hour or day as the file's clock shows it -> energy [uWh].
Energy = dict[tuple[str, str], int]


@dataclass(frozen=True)
class Recording:
    """A file, and how its lines are read here.

    Attributes:
        path: below the shared data.
        form: its format, as `meterstream replay` is told.
        delimiter: between values.
        meter: number of the one meter, or None where the first column names it.
        clock: form of the file's times, joined by a blank.
        columns: positions of the time's columns, and of the measure.
        share: a value times this is kWh.
        zone: by which the file's clock goes.
    """

    path: str
    form: str
    delimiter: str
    meter: str | None
    clock: str
    columns: tuple[int, ...]
    share: Fraction
    zone: str


RECORDINGS = {
    "uci_household": Recording(
        "uci_household/household_power_consumption_2006-12-16_2007-01-14.csv.gz", "uci_household",
        ";", "UCI-1", "%d/%m/%Y %H:%M:%S", (0, 1, 2), Fraction(1, 60), "Europe/Paris",
    ),
    "sgsc_meters": Recording(
        "sgsc_meters/smart_meter10.csv.gz", "sgsc_meters",
        ",", None, "%Y-%m-%d %H:%M:%S", (1, 2), Fraction(1), "Australia/Brisbane",
    ),
    "steel_industry": Recording(
        "steel_industry/Steel_industry_data.csv.gz", "mapped_csv",
        ",", "STEEL", "%d/%m/%Y %H:%M", (0, 1), Fraction(1), "Asia/Seoul",
    ),
}  # fmt: skip


def rows(recording: Recording, file: Path) -> Iterator[tuple[str, datetime, Fraction | None]]:
    """Yield meter, local time and energy [kWh] of each line."""
    *clock, measure = recording.columns
    with gzip.open(file, "rt") as lines:
        next(lines)
        for line in lines:
            cells = line.rstrip("\n").split(recording.delimiter)
            at = datetime.strptime(" ".join(cells[column] for column in clock), recording.clock)  # noqa: DTZ007 - local
            value = None if cells[measure] in {"?", "NA"} else Fraction(cells[measure]) * recording.share
            yield recording.meter or cells[0], at, value


def added_up(found: list[tuple[str, datetime, Fraction | None]], form: str) -> Energy:
    """Sum up by local time; a reading is stored to the micro-watt-hour."""
    sums: Energy = defaultdict(int)
    for meter, at, value in found:
        if value is not None:
            sums[meter, at.strftime(form)] += round(value * 10**9)
    return dict(sums)


def together(found: Energy) -> Energy:
    """The same of all meters in one; of hours and days without any energy nothing is said."""
    sums: Energy = defaultdict(int)
    for (_, start), uwh in found.items():
        sums["", start] += uwh
    return {key: uwh for key, uwh in sums.items() if uwh}
