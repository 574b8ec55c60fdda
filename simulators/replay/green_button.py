"""Green Button: ESPI data of a customer (NAESB REQ.21) in an Atom feed, as utilities give it for download.

Interval readings of usage points. What becomes of it:

- the meter is `USAGEPOINT-METERREADING`, the last parts of the addresses in the feed, unless `--meter` names it;
- units are those of the reading type: Wh drawn (flow direction 1) is `consumption_kwh`, fed in (19) `export_kwh`, varh
  is `reactive_kvarh`, W is `demand_kw`, V is `voltage`; its power-of-ten multiplier is applied;
- `reading_time` is the end of the interval: `start` and `duration` are seconds of UTC;
- ESPI's `ReadingQuality` becomes the NEM12 quality that says the same: 7 (edited) F, 8 (reference day) S14, 9 (linear)
  S17, 11 (derived) S12, 12 (projected) E; 10 (questionable) stays a word, the others are actual values.

The XML is read once, without document types or entities; where it breaks off, what came before still counts.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.parsers import expat

import numpy as np

from schemas.readings import ReadingBatch
from simulators.replay.lines import count_lines, open_file
from simulators.replay.recording import Findings, Format, NotThisFormat, Options

_CHUNK_BYTES = 1 << 20
_QUALITIES = {"7": "F", "8": "S14", "9": "S17", "10": "questionable", "11": "S12", "12": "E"}
#: ESPI unit of measure -> our measure, and how many make one of ours.
_UNITS = {
    "72": ("consumption_kwh", 1e3),
    "73": ("reactive_kvarh", 1e3),
    "38": ("demand_kw", 1e3),
    "29": ("voltage", 1.0),
}
_FED_IN = "19"
#: Deeper than any feed; a file of brackets ends here.
_DEEPEST = 64


@dataclass
class _Entry:
    """What one entry of the feed says."""

    links: dict[str, list[str]] = field(default_factory=dict)
    kind: str = ""
    facts: dict[str, str] = field(default_factory=dict)
    readings: list[tuple[int, dict[str, str]]] = field(default_factory=list)


class _Feed:
    """Collects entries while expat reads."""

    def __init__(self, path: Path, findings: Findings) -> None:
        self.entries: list[_Entry] = []
        self._path, self._findings = path, findings
        self._stack: list[str] = []
        self._entry = _Entry()
        self._reading: dict[str, str] | None = None
        self._line, self._text = 0, ""
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.StartDoctypeDeclHandler = self._doctype

    def read(self) -> None:
        """Read the file to its end, or to where it breaks."""
        try:
            with open_file(self._path) as file:
                while chunk := file.read(_CHUNK_BYTES):
                    self._parser.Parse(chunk, False)
                self._parser.Parse(b"", True)
        except expat.ExpatError as error:
            self._findings.add(error.lineno, f"the XML breaks off here: {expat.errors.messages[error.code]}")
        except EOFError:
            self._findings.add(self._parser.CurrentLineNumber, "the compressed file ends early here")
        if self._entry.kind:
            self.entries.append(self._entry)

    def _doctype(self, *_: Any) -> None:
        raise NotThisFormat(self._path, "it declares a document type, which no Green Button file does")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        tag = name.rpartition(" ")[2]
        self._stack.append(tag)
        if len(self._stack) > _DEEPEST:
            raise NotThisFormat(self._path, f"its elements lie more than {_DEEPEST} deep")
        if len(self._stack) == 1 and tag not in {"feed", "entry"}:
            raise NotThisFormat(self._path, f"it begins with <{tag}>; a Green Button file is an Atom <feed>")
        if tag == "entry":
            self._entry = _Entry()
        elif tag == "link":
            self._entry.links.setdefault(attributes.get("rel", ""), []).append(attributes.get("href", ""))
        elif tag in {"UsagePoint", "MeterReading", "ReadingType", "IntervalBlock"} and not self._entry.kind:
            self._entry.kind = tag
        elif tag == "IntervalReading":
            self._reading, self._line = {}, self._parser.CurrentLineNumber
        self._text = ""

    def _characters(self, text: str) -> None:
        self._text += text

    def _end(self, _name: str) -> None:
        tag = self._stack.pop()
        if tag == "IntervalReading" and self._reading is not None:
            self._entry.readings.append((self._line, self._reading))
            self._reading = None
        elif self._reading is not None:
            self._reading[tag] = self._text.strip()
        elif tag == "entry":
            self.entries.append(self._entry)
            self._entry = _Entry()
        elif self._entry.kind == "ReadingType":
            self._entry.facts.setdefault(tag, self._text.strip())
        self._text = ""


def read(path: Path, options: Options, findings: Findings) -> Iterator[ReadingBatch]:
    """Yield the readings of a file.

    Raises:
        NotThisFormat: it is no Atom feed.
    """
    feed = _Feed(path, findings)
    feed.read()
    types = {_own(entry): entry.facts for entry in feed.entries if entry.kind == "ReadingType"}
    kinds = {
        _own(entry): next((types[href] for href in entry.links.get("related", []) if href in types), None)
        for entry in feed.entries
        if entry.kind == "MeterReading"
    }
    for entry in feed.entries:
        if entry.readings:
            yield from _readings(entry, kinds, options, findings)


def _own(entry: _Entry) -> str:
    return next(iter(entry.links.get("self", [])), "")


def _readings(
    entry: _Entry, kinds: dict[str, dict[str, str] | None], options: Options, findings: Findings
) -> Iterator[ReadingBatch]:
    address = _own(entry).partition("/IntervalBlock")[0]
    facts = kinds.get(address)
    line = entry.readings[0][0]
    if facts is None:
        findings.add(line, f"no reading type says what the values of {address or 'this block'} are; they are left out")
        return
    known = _UNITS.get(facts.get("uom", ""))
    if known is None:
        findings.notes.append(f"line {line}: values of unit {facts.get('uom')!r} are left out, no measure has it")
        return
    name, per_unit = known
    if name == "consumption_kwh" and facts.get("flowDirection") == _FED_IN:
        name = "export_kwh"
    try:
        per_unit /= 10.0 ** int(facts.get("powerOfTenMultiplier") or 0)
    except ValueError:
        findings.add(line, f"multiplier {facts.get('powerOfTenMultiplier')!r} is no whole number; values are left out")
        return
    good = [row for row in (_numbers(at, reading, findings) for at, reading in entry.readings) if row is not None]
    if good:
        ends, values, qualities = zip(*good, strict=True)
        parts = [part for part in address.split("/") if part]
        meter = (
            options.meter or "-".join(parts[place] for place in (-3, -1) if len(parts) >= -place) or "GREEN-BUTTON-1"
        )
        yield ReadingBatch.from_columns(
            meter_number=[meter] * len(good),
            reading_time=np.array(ends, dtype=np.int64) * 1_000_000,
            source_quality=list(qualities),
            **{name: np.array(values) / per_unit},
        )


def _numbers(line: int, reading: dict[str, str], findings: Findings) -> tuple[int, float, str | None] | None:
    try:
        end = int(reading["start"]) + int(reading["duration"])
        value = int(reading["value"])
    except KeyError as error:
        findings.add(line, f"this interval reading lacks its {error.args[0]}")
    except ValueError:
        findings.add(line, "start, duration and value of an interval reading are whole numbers")
    else:
        if 0 <= end < 1 << 40:
            return end, float(value), _QUALITIES.get(reading.get("quality", ""))
        findings.add(line, f"this interval reading ends at second {end}, which is no time")
    return None


FORMAT = Format(
    name="green_button",
    summary="Green Button (ESPI) XML: interval readings of usage points",
    read=read,
    in_order=False,
    count=lambda path: count_lines(path, start=b"<IntervalReading>") or 2_000,
)
