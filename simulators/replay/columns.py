"""Columns of text to columns of numbers and times; rows that do not fit are named by their line."""

import re
from datetime import datetime, tzinfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.layout import INSTANT, Floats, Ints, Mask
from schemas.readings import MAX_TEXT
from simulators.replay.recording import Findings
from simulators.replay.zones import to_utc

_NUMBER = r"^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$"
# RFC 3339, with a blank for the T as databases write it, and no leap second.
_RFC_3339 = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})$"
_YEARS = (1900, 2200)
_SHOWN = 60


class Checker:
    """Converts the columns of some rows and remembers which rows failed, and why.

    Args:
        lines: int64[n], the line that each row came from.
    """

    def __init__(self, lines: Ints) -> None:
        self._lines = lines
        self._details: dict[int, str] = {}

    @property
    def good(self) -> Mask:
        """Rows without a fault, bool[n]."""
        mask = np.ones(len(self._lines), dtype=bool)
        mask[list(self._details)] = False
        return mask

    def report(self, findings: Findings) -> Mask:
        """Note every failed row, in the order of the file; return the good ones."""
        for row in sorted(self._details):
            findings.add(int(self._lines[row]), self._details[row])
        return self.good

    def refuse(self, bad: Mask, column: str, text: pa.Array, why: str) -> None:
        """Mark rows as failed; the first fault of a row is the one that is told."""
        for row in np.flatnonzero(bad).tolist():
            self._details.setdefault(row, f"{column} {why}: {_shown(text[row].as_py())}")

    def floats(self, column: str, text: pa.Array, absent: tuple[str, ...] = ("",)) -> Floats:
        """Return numbers as float64[n], NaN where the file says that there is none.

        Args:
            column: its name, for the report.
            text: the column.
            absent: what stands for a missing value.
        """
        trimmed = pc.utf8_trim_whitespace(text)
        given = pc.if_else(pc.is_in(trimmed, pa.array(absent, pa.string())), None, trimmed)
        try:
            numbers = given.cast(pa.float64())
        except pa.ArrowInvalid:
            fits = pc.match_substring_regex(given, _NUMBER)
            numbers = pc.if_else(fits, given, None).cast(pa.float64())
        values: Floats = numbers.to_numpy(zero_copy_only=False)
        there = pc.is_valid(given).to_numpy(zero_copy_only=False)
        self.refuse(there & ~np.isfinite(values), column, text, "is not a number")
        return values

    def integers(self, column: str, text: pa.Array) -> pa.Array:
        """Return whole numbers, null where empty."""
        fits = pc.match_substring_regex(text, r"^[+-]?\d{1,18}$")
        there = pc.not_equal(pc.binary_length(text), 0)
        self.refuse(_mask(pc.and_not(there, fits)), column, text, "is not a whole number")
        return pc.if_else(fits, text, None).cast(pa.int64())

    def labels(self, column: str, text: pa.Array) -> pa.Array:
        """Return short texts, null where empty."""
        self.refuse(_mask(pc.greater(pc.utf8_length(text), MAX_TEXT)), column, text, f"is longer than {MAX_TEXT}")
        self.refuse(
            _mask(pc.invert(pc.utf8_is_printable(text))), column, text, "holds characters that cannot be printed"
        )
        return pc.if_else(pc.equal(pc.binary_length(text), 0), None, text)

    def names(self, column: str, text: pa.Array) -> pa.Array:
        """Return what rows belong to: short texts that are there."""
        self.refuse(_mask(pc.equal(pc.binary_length(text), 0)), column, text, "is empty")
        return pc.fill_null(self.labels(column, text), "")

    def instants(self, column: str, text: pa.Array) -> Ints:
        """Return RFC 3339 times with offset as int64[n] [us since 1970-01-01 UTC]."""
        capital = pc.utf8_upper(text)
        try:
            fits = pc.match_substring_regex(capital, _RFC_3339)
            times = pc.if_else(fits, capital, None).cast(INSTANT)
        except pa.ArrowInvalid:
            # A date that does not exist; which one, only trying each can tell.
            times = pa.array([_instant(value) for value in capital.to_pylist()], INSTANT)
        self.refuse(_mask(pc.is_null(times)), column, text, "is not a time with offset, as 2026-01-31T23:45:00+01:00")
        values: Ints = pc.fill_null(times.cast(pa.int64()), 0).to_numpy(zero_copy_only=False)
        return values

    def clock_times(self, column: str, text: pa.Array, pattern: str, zone: tzinfo) -> Ints:
        """Return local clock times as int64[n] [us since 1970-01-01 UTC].

        Args:
            column: its name, for the report.
            text: the column.
            pattern: its shape, with groups Y, m, d, H, M and S.
            zone: the clock's time zone.
        """
        parts = pc.extract_regex(text, pattern)
        numbers = {name: _whole(pc.struct_field(parts, name)) for name in re.findall(r"\?P<(\w)>", pattern)}
        days, possible = _days(numbers["Y"], numbers["m"], numbers["d"])
        possible &= (numbers["H"] < 24) & (numbers["M"] < 60) & (numbers["S"] < 60)
        seconds = days * 86_400 + numbers["H"] * 3_600 + numbers["M"] * 60 + numbers["S"]
        local_us = np.where(possible, seconds, 0) * 1_000_000
        self.refuse(~possible, column, text, "is not a date and time")
        times = to_utc(local_us, zone)
        self.refuse(possible & times.twice, column, text, f"comes twice in {zone}, when clocks are set back")
        self.refuse(possible & times.never, column, text, f"does not exist in {zone}, where clocks are set forward")
        return times.time_us


def _mask(values: pa.Array) -> Mask:
    found: Mask = values.to_numpy(zero_copy_only=False)
    return found


def _instant(text: str) -> datetime | None:
    if not re.match(_RFC_3339, text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def _whole(text: pa.Array) -> Ints:
    values: Ints = pc.fill_null(text, "0").cast(pa.int64()).to_numpy(zero_copy_only=False)
    return values


def _days(year: Ints, month: Ints, day: Ints) -> tuple[Ints, Mask]:
    """Return days since 1970-01-01, and which dates exist (no 31st of June, no month 13)."""
    months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    dates = months.astype("datetime64[D]") + (day - 1)
    possible = (year >= _YEARS[0]) & (year < _YEARS[1]) & (month >= 1) & (month <= 12) & (day >= 1)
    possible &= dates.astype("datetime64[M]") == months
    return dates.astype(np.int64), possible
