"""Any delimited file with a header line, by a mapping file (TOML) that says what its columns are.

    delimiter = ";"                      # , where it is not said
    absent = ["", "?", "NA"]             # what stands for a missing value
    interval_s = 1800                    # only needed with stamp = "start"

    [meter]
    column = "LCLid"                     # or: name = "HOUSE-1"; prefix = "LCL-" stands before it

    [time]
    columns = ["Date", "Time"]           # joined by a blank
    format = "%d/%m/%Y %H:%M"            # or "rfc3339"
    zone = "Europe/London"               # of the clock; not for rfc3339
    stamp = "end"                        # the time is the end of the interval, or its start

    [fields.consumption_kwh]             # any measure, text or whole number of a reading
    column = "Usage_Wh"
    scale = 0.001                        # 1 where it is not said

Unknown fields of the mapping are errors that name them. A line that does not fit is a problem of that line.
"""

import re
import tomllib
from collections.abc import Iterator
from datetime import tzinfo
from pathlib import Path
from typing import Annotated, Literal, Self

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError, model_validator

from schemas.errors import ConfigurationError
from schemas.layout import Ints
from schemas.readings import ReadingBatch
from simulators.replay.columns import Checker
from simulators.replay.csv_table import CsvTable, Rows, count_rows
from simulators.replay.recording import Findings, Format, Options
from simulators.replay.zones import parse_zone

_LAYOUT = ReadingBatch.layout
_TOKENS = {"%Y": r"(?P<Y>\d{4})", "%m": r"(?P<m>\d{1,2})", "%d": r"(?P<d>\d{1,2})", "%H": r"(?P<H>\d{1,2})",
           "%M": r"(?P<M>\d{1,2})", "%S": r"(?P<S>\d{1,2})"}  # fmt: skip
_RFC_3339 = "rfc3339"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MeterMapping(_Part):
    """Where the meter number comes from."""

    column: str | None = None
    name: str | None = None
    prefix: str = ""


class TimeMapping(_Part):
    """Where the time comes from, and what it means."""

    columns: Annotated[list[str], Field(min_length=1)]
    format: str
    zone: str = "UTC"
    stamp: Literal["start", "end"] = "end"

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.format != _RFC_3339:
            missing = [token for token in ("%Y", "%m", "%d") if token not in self.format]
            unknown = [token for token in re.findall(r"%.", self.format) if token not in _TOKENS]
            if missing or unknown:
                raise ValueError(f"format: {self.format!r} lacks {missing} or has the unknown {unknown}")
        return self


class FieldMapping(_Part):
    """One field of a reading."""

    column: str
    scale: float = Field(default=1.0, allow_inf_nan=False)


class Mapping(_Part):
    """A mapping file."""

    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    absent: list[str] = [""]
    interval_s: PositiveInt | None = None
    meter: MeterMapping = MeterMapping()
    time: TimeMapping
    fields: dict[str, FieldMapping]

    @model_validator(mode="after")
    def _known(self) -> Self:
        known = [*_LAYOUT.floats, *_LAYOUT.integers, *(name for name in _LAYOUT.texts if name not in _LAYOUT.identity)]
        unknown = [name for name in self.fields if name not in known]
        if unknown:
            raise ValueError(f"fields.{unknown[0]}: a reading has no such field; it has {', '.join(known)}")
        if self.time.stamp == "start" and self.interval_s is None:
            raise ValueError('interval_s: needed where stamp = "start"')
        return self


def load_mapping(path: Path) -> Mapping:
    """Read a mapping file.

    Raises:
        ConfigurationError: it cannot be read, or what it says cannot be; the message says where.
    """
    try:
        return Mapping.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"the mapping {path.name} cannot be read: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"the mapping {path.name}: {where}: {first['msg']}") from None


def read(path: Path, options: Options, findings: Findings) -> Iterator[ReadingBatch]:
    """Yield the readings of a file.

    Raises:
        ConfigurationError: there is no mapping, or nothing names the meters.
        MissingColumns: the mapping names a column that the file has not.
    """
    if options.mapping is None:
        raise ConfigurationError("mapped_csv needs a mapping file that says what the columns are: --mapping FILE")
    mapping = load_mapping(options.mapping)
    if not (options.meter or mapping.meter.column or mapping.meter.name):
        raise ConfigurationError(f"nothing names the meter: give --meter, or [meter] in {options.mapping.name}")
    wanted = [*mapping.time.columns, *(item.column for item in mapping.fields.values())]
    if mapping.meter.column and not options.meter:
        wanted.append(mapping.meter.column)
    table = CsvTable.open(path, mapping.delimiter, wanted)
    for rows in table.rows(list(dict.fromkeys(wanted)), findings):
        yield _readings(rows, mapping, options, findings)


def _readings(rows: Rows, mapping: Mapping, options: Options, findings: Findings) -> ReadingBatch:
    check = Checker(rows.lines)
    columns: dict[str, object] = {
        "meter_number": _meters(rows, mapping, options, check),
        "reading_time": _times(rows, mapping.time, options.zone, check) + _shift_us(mapping),
    }
    for name, item in mapping.fields.items():
        text = rows.columns[item.column]
        if name in _LAYOUT.floats:
            columns[name] = check.floats(item.column, text, tuple(mapping.absent)) * item.scale
        elif name in _LAYOUT.integers:
            columns[name] = check.integers(item.column, text)
        else:
            columns[name] = check.labels(item.column, text)
    return ReadingBatch.from_columns(**columns).where(check.report(findings))


def _meters(rows: Rows, mapping: Mapping, options: Options, check: Checker) -> pa.Array:
    name, column = options.meter or mapping.meter.name, mapping.meter.column
    if options.meter or column is None:
        return pa.repeat(name, len(rows.lines))
    plain = check.names(column, pc.utf8_trim_whitespace(rows.columns[column]))
    return pc.binary_join_element_wise(mapping.meter.prefix, plain, "")


def _times(rows: Rows, time: TimeMapping, zone: tzinfo | None, check: Checker) -> Ints:
    name = " ".join(time.columns)
    parts = [pc.utf8_trim_whitespace(rows.columns[column]) for column in time.columns]
    text = parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, " ")
    if time.format == _RFC_3339:
        return check.instants(name, text)
    pattern = re.escape(time.format).replace(r"\%", "%").replace("%%", "%")
    rest = ""
    for token, missing in (("%H", " 00"), ("%M", ":00"), ("%S", ":00")):
        if token not in time.format:
            pattern, rest = pattern + missing[0] + token, rest + missing
    for token, expression in _TOKENS.items():
        pattern = pattern.replace(token, expression)
    complete = pc.binary_join_element_wise(text, rest, "") if rest else text
    return check.clock_times(name, complete, f"^{pattern}$", zone or parse_zone(time.zone))


def _shift_us(mapping: Mapping) -> int:
    return (mapping.interval_s or 0) * 1_000_000 if mapping.time.stamp == "start" else 0


FORMAT = Format(
    name="mapped_csv",
    summary="any delimited file, by a mapping file that says what its columns are (--mapping)",
    read=read,
    in_order=False,
    count=count_rows,
)
