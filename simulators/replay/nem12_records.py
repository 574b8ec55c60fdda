"""NEM12 and NEM13 records: what each line says, and whether it may stand where it stands.

Source: AEMO, Meter Data File Format Specification NEM12 and NEM13.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from schemas.layout import Floats
from schemas.quality import nem12_code
from simulators.replay.recording import Findings

DAY_S = 86_400
_DATE = re.compile(r"(?P<Y>\d{4})(?P<m>\d\d)(?P<d>\d\d)(?:\d{6})?")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_LETTER = re.compile(r"[A-Za-z]\d{0,2}")
_ACTUAL = "A"


@dataclass(frozen=True)
class Stream:
    """One register of one connection, from a 200 or a 250 record.

    Attributes:
        nmi: the connection.
        register: such as E1 (drawn), B1 (fed in), Q1 (reactive).
        serial: number of the meter.
        unit: as in the file.
        interval_s: length of intervals [s]; 0 for registers.
    """

    nmi: str
    register: str
    serial: str
    unit: str
    interval_s: int


@dataclass
class Day:
    """The values of one 300 record, or the one of a 250 record.

    Attributes:
        line: where it stands.
        stream: whose they are.
        start_day: local day [days since 1970-01-01].
        values: float64[k], in the unit of the stream; NaN where null.
        quality: per value: letter and method, and after a colon the reason.
        register: the register's standing at the end, for 250 records.
        offset_s: of the first value's end from local midnight [s].
    """

    line: int
    stream: Stream
    start_day: int
    values: Floats
    quality: list[str]
    register: float = np.nan
    offset_s: int = 0


@dataclass
class Nem12Parser:
    """Reads lines in their order; what does not fit becomes a problem of its line, and what depends on it is left out.

    Attributes:
        findings: gets the problems.
        begun: a header has been seen.
    """

    findings: Findings
    begun: bool = False
    ended: bool = False
    kind: str = ""
    _stream: Stream | None = None
    _day: Day | None = None
    _covered: int = 0
    _varies: bool = False
    _seen: bool = False
    _refused: bool = False
    _told: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._handlers = {
            "100": self._header,
            "200": self._details,
            "250": self._register,
            "300": self._intervals,
            "400": self._events,
            "500": self._nothing,
            "550": self._nothing,
            "900": self._end,
        }

    def read(self, lines: Iterable[tuple[int, str]]) -> Iterator[Day]:
        """Yield the days that are complete; call `finish` afterwards."""
        for number, line in lines:
            fields = [item.strip().strip('"') for item in line.rstrip("\r\n").split(",")]
            kind = fields[0]
            if not any(fields):
                continue
            if kind != "400":
                yield from self._close()
            handler = self._handlers.get(kind)
            if handler is None:
                self._once(number, f"kind {kind}", f"{kind[:20]!r} is no record of this format; known are 100 to 900")
            elif kind != "100" and (not self.begun or self.ended):
                self._headless(number, kind)
                handler(number, fields)
            else:
                handler(number, fields)

    def finish(self, last_line: int) -> Iterator[Day]:
        """Yield what is left, and say what the file lacks."""
        yield from self._close()
        if not self.begun:
            self._once(1, "header", "the file does not begin with a 100 record")
        if not self.ended:
            self.findings.add(max(last_line, 1), "the file ends without a 900 record: it may have been cut off")

    def _headless(self, number: int, kind: str) -> None:
        if self.ended:
            self._once(number, "after the end", f"a {kind} record follows the 900 record that ends the file")
        else:
            self._once(number, "header", f"a {kind} record comes before any 100 record")

    def _header(self, number: int, fields: list[str]) -> None:
        self.begun, self.ended, self._stream = True, False, None
        self.kind = fields[1].upper() if len(fields) > 1 else ""
        if self.kind not in {"NEM12", "NEM13"}:
            self.findings.add(number, f"the header names version {self.kind!r}; NEM12 or NEM13 is needed")

    def _details(self, number: int, fields: list[str]) -> None:
        self._stream = None
        fields += [""] * (9 - len(fields))
        minutes = int(fields[8]) if fields[8].isdecimal() else 0
        if not fields[1] or not fields[4]:
            self.findings.add(number, "the 200 record names no NMI or no register suffix; its intervals are left out")
        elif minutes == 0 or 1_440 % minutes:
            self.findings.add(
                number, f"interval length {fields[8]!r} does not divide a day; its intervals are left out"
            )
        else:
            self._stream = Stream(fields[1], fields[4], fields[6], fields[7], minutes * 60)

    def _intervals(self, number: int, fields: list[str]) -> None:
        stream = self._stream
        self._refused = True
        if stream is None:
            self._once(number, "orphan", "a 300 record without a usable 200 record before it")
            return
        count = DAY_S // stream.interval_s
        day = _day(fields[1]) if len(fields) > 1 else None
        if day is None:
            self.findings.add(number, f"{fields[1] if len(fields) > 1 else ''!r} is no date of the form YYYYMMDD")
            return
        expected = 2 + count
        # The quality stands behind the values; where it does not, whatever looks like one tells how many there are.
        candidates = [expected, *range(2, len(fields))]
        letters = next((place for place in candidates if _LETTER.fullmatch(_at(fields, place))), 0)
        found = (letters or len(fields)) - 2
        if found != count:
            what = f"this 300 record has {found} values, interval length {stream.interval_s // 60} min needs {count}"
            self.findings.add(number, what if letters else what + " and a quality after them")
            return
        values = self._numbers(number, fields[2 : 2 + count])
        quality = self._quality(number, fields[letters], _at(fields, letters + 1), _at(fields, letters + 2))
        if values is not None and quality is not None:
            self._day = Day(number, stream, day, values, [quality] * count)
            self._varies, self._covered, self._refused = fields[letters].upper() == "V", 0, False

    def _events(self, number: int, fields: list[str]) -> None:
        day = self._day
        if day is None:
            if not self._refused:
                self.findings.add(number, "a 400 record without a 300 record before it")
            return
        count = len(day.values)
        first, last = (int(item) if item.isdecimal() else 0 for item in [*fields[1:3], "", ""][:2])
        if not 1 <= first <= last <= count:
            self.findings.add(number, f"intervals {_at(fields, 1)} to {_at(fields, 2)} are not within 1 to {count}")
        elif first != self._covered + 1:
            self.findings.add(number, f"interval {first} does not follow on interval {self._covered}")
        else:
            quality = self._quality(number, _at(fields, 3), _at(fields, 4), _at(fields, 5))
            if quality is not None:
                day.quality[first - 1 : last] = [quality] * (last - first + 1)
                self._covered = last
                return
        self._day, self._refused = None, True

    def _register(self, number: int, fields: list[str]) -> None:
        fields += [""] * (22 - len(fields))
        stream = Stream(fields[1], fields[4], fields[6], fields[19], 0)
        moment, day = fields[14], _day(fields[14][:8])
        values = self._numbers(number, [fields[18]])
        standing = self._numbers(number, [fields[13]])
        quality = self._quality(number, fields[15] or _ACTUAL, fields[16], fields[17])
        if day is None or not re.fullmatch(r"\d{8}(\d{6})?", moment):
            self.findings.add(number, f"{moment!r} is no time of the form YYYYMMDDhhmmss")
        elif not (fields[1] and fields[4]):
            self.findings.add(number, "the 250 record names no NMI or no register suffix")
        elif values is not None and standing is not None and quality is not None:
            clock = moment[8:] or "000000"
            offset_s = int(clock[:2]) * 3_600 + int(clock[2:4]) * 60 + int(clock[4:])
            self._day = Day(number, stream, day, values, [quality], float(standing[0]), offset_s)
            self._varies = False

    def _nothing(self, number: int, fields: list[str]) -> None:
        """500 and 550 records tell about the reading itself: there is nothing to store of them."""

    def _end(self, number: int, _fields: list[str]) -> None:
        self.ended, self._stream = True, None
        if not self.findings.count and not self._seen:
            self.findings.add(number, "the file holds no values: there is no 200 or 250 record in it")

    def _close(self) -> Iterator[Day]:
        day, self._day = self._day, None
        if day is None:
            return
        self._seen = True
        if self._varies and self._covered < len(day.values):
            covered = f"intervals 1 to {self._covered}" if self._covered else "no interval"
            self.findings.add(
                day.line, f"quality V needs 400 records for all {len(day.values)} intervals, they cover {covered}"
            )
        else:
            yield day

    def _numbers(self, number: int, texts: list[str]) -> Floats | None:
        # What Python calls a number is more than what a file may: 1_000, nan and inf are none.
        if not all(_NUMBER.fullmatch(text) for text in texts if text):
            bad = next(place for place, text in enumerate(texts, 1) if text and not _NUMBER.fullmatch(text))
            self.findings.add(number, f"value {bad}: {texts[bad - 1]!r} is not a number")
            return None
        return np.array([float(text) if text else np.nan for text in texts])

    def _quality(self, number: int, method: str, reason: str, description: str) -> str | None:
        try:
            nem12_code(method)
        except ValueError as error:
            self.findings.add(number, str(error))
            return None
        return f"{method.upper()}:{reason}:{description}".rstrip(":")

    def _once(self, number: int, about: str, detail: str) -> None:
        if about not in self._told:
            self._told.add(about)
            self.findings.add(number, detail)


def _at(fields: list[str], place: int) -> str:
    return fields[place] if place < len(fields) else ""


def _day(text: str) -> int | None:
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    try:
        return int(np.datetime64(f"{match['Y']}-{match['m']}-{match['d']}", "D").astype(np.int64))
    except ValueError:
        return None
