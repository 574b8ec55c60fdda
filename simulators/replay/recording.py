"""What every file format shares: its description, its options, and the record of what could not be read."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path
from typing import NamedTuple

from schemas.errors import ConfigurationError, MeterstreamError
from schemas.readings import MAX_METER_NUMBER, ReadingBatch

#: Problems kept with their text; a file of the wrong kind has one per line, and nobody reads a million.
MOST_KEPT = 1_000


class UnknownFormat(MeterstreamError):
    """There is no file format of that name."""

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(f"unknown format {name!r}; known ones are {', '.join(known)}")
        self.name = name
        self.known = known


class NotThisFormat(MeterstreamError):
    """A file is not of the format that it was said to be."""

    def __init__(self, path: Path, detail: str) -> None:
        super().__init__(f"{path.name}: {detail}")
        self.path = path


class Problem(NamedTuple):
    """One line, or one telegram of several lines, that could not be read.

    Attributes:
        line: where it is, or begins; the first line of the file is 1.
        detail: what is wrong with it.
    """

    line: int
    detail: str


@dataclass
class Findings:
    """What was found while reading a file.

    Attributes:
        count: how many problems there were.
        problems: the first of them, in the order of the file.
        notes: what was left out on purpose.
    """

    count: int = 0
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, line: int, detail: str) -> None:
        """Note a problem."""
        self.count += 1
        if len(self.problems) < MOST_KEPT:
            self.problems.append(Problem(line, detail))


@dataclass(frozen=True)
class Options:
    """What the caller may say about a file.

    Attributes:
        meter: meter number, for formats that do not name their meters.
        zone: time zone of local times, where the file does not say it; None: the format's own.
        mapping: file that says what the columns are, for formats that need one.
        ignore_unknown: leave out columns that are not known instead of refusing the file.
    """

    meter: str | None = None
    zone: tzinfo | None = None
    ignore_unknown: bool = False
    mapping: Path | None = None

    def __post_init__(self) -> None:
        name = self.meter
        if name is not None and not (0 < len(name) <= MAX_METER_NUMBER and name.isprintable()):
            raise ConfigurationError(
                f"a meter number is 1 to {MAX_METER_NUMBER} printable characters, this is {name!r}"
            )


#: Opens a file and yields its readings in batches; problems go to the findings, lines are never silently dropped.
Reader = Callable[[Path, Options, Findings], Iterator[ReadingBatch]]


class Format(NamedTuple):
    """One file format.

    Attributes:
        name: as in `--format`.
        summary: one line for `--help`.
        read: its reader.
        in_order: files are in the order of their event times, so that they can be streamed.
        count: number of readings in a file, or an estimate of it.
    """

    name: str
    summary: str
    read: Reader
    in_order: bool
    count: Callable[[Path], int]
