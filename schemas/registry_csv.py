"""The registry as CSV: a header of field names, one line per meter and place."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pydantic import ValidationError

from schemas.meter_class import TRANSFORMER_METERS
from schemas.registry import RegistryEntry

#: Column -> field of an entry, in the order of a written file.
COLUMNS = {
    info.alias or name: name for name, info in RegistryEntry.model_fields.items()
}  # fmt: skip
#: What an element stands under, from the meter upwards.
_PARENTS = (("transformer", "feeder"), ("feeder", "substation"), ("substation", "region"))


@dataclass(frozen=True)
class Problem:
    """Something that is wrong with a file.

    Attributes:
        line: where, counted from 1, which is the header.
        detail: what.
    """

    line: int
    detail: str


@dataclass
class RegistryFile:
    """What a file says.

    Attributes:
        entries: those that could be read, the older places of a meter before its newer ones.
        problems: what is wrong.
        unplaced: meters without a transformer, which is allowed.
    """

    entries: list[RegistryEntry] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def unplaced(self) -> int:
        """Meters without a transformer, which is allowed."""
        return sum(entry.transformer is None for entry in self.entries)


def read(lines: Iterable[str]) -> RegistryFile:
    """Read a file and hold it against itself: no meter twice at one time, no element under two others.

    Args:
        lines: of the file, with or without their ends.

    Returns: entries and problems; a file with any problem should not be used.
    """
    found = RegistryFile()
    rows = csv.reader(lines, strict=True)
    header = [name.strip().removeprefix("\ufeff") for name in next(rows, [])]
    unknown = sorted(set(header) - set(COLUMNS))
    if "meter_number" not in header or unknown or len(set(header)) < len(header):
        fault = f"unknown columns {unknown}" if unknown else "meter_number is missing or a column comes twice"
        found.problems.append(Problem(1, f"{fault}; columns are {', '.join(COLUMNS)}"))
        return found
    placed = list[tuple[int, RegistryEntry]]()
    try:
        for row in rows:
            if any(row):
                placed += _entry(rows.line_num, header, row, found.problems)
    except csv.Error as error:
        found.problems.append(Problem(rows.line_num, str(error)))
    found.problems += [*_repeated(placed), *_contradictions(placed), *_transformers(placed)]
    found.problems.sort(key=lambda problem: problem.line)
    # Python sorts stably: what does not say since when keeps its place, before what does.
    ordered = sorted(placed, key=lambda item: item[1].valid_from.timestamp() if item[1].valid_from else float("-inf"))
    found.entries = [entry for _, entry in ordered]
    return found


def write(entries: Iterable[RegistryEntry]) -> Iterator[str]:
    """Yield a header and one line per entry, with line ends; what is not known is empty."""
    lines = list[str]()
    writer = csv.writer(_Lines(lines), lineterminator="\n")
    writer.writerow(COLUMNS)
    for entry in entries:
        values = entry.model_dump(mode="json")
        writer.writerow("" if values[name] is None else values[name] for name in COLUMNS.values())
        yield from lines
        lines.clear()
    yield from lines


class _Lines:
    """A file that is a list."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines

    def write(self, line: str) -> None:
        self._lines.append(line)


def _entry(line: int, header: list[str], row: list[str], problems: list[Problem]) -> list[tuple[int, RegistryEntry]]:
    if len(row) != len(header):
        problems.append(Problem(line, f"{len(row)} values where the header has {len(header)} names"))
        return []
    values = {name: value.strip() for name, value in zip(header, row, strict=True) if value.strip()}
    try:
        return [(line, RegistryEntry.model_validate(values))]
    except ValidationError as error:
        problems += [Problem(line, f"{'.'.join(map(str, item['loc']))}: {item['msg']}") for item in error.errors()]
        return []


def _repeated(placed: list[tuple[int, RegistryEntry]]) -> Iterator[Problem]:
    first = dict[tuple[str, object], int]()
    for line, entry in placed:
        known = first.setdefault((entry.meter_number, entry.valid_from), line)
        if known != line:
            yield Problem(line, f"meter {entry.meter_number} is in line {known} already, with the same valid_from")


def _transformers(placed: list[tuple[int, RegistryEntry]]) -> Iterator[Problem]:
    """Yield what cannot be of transformers: two ratings at one time, or a meter of none of them."""
    rated = dict[tuple[str, object], tuple[float, int]]()
    for line, entry in placed:
        if entry.customer_class == TRANSFORMER_METERS and entry.transformer is None:
            yield Problem(line, f"meter {entry.meter_number} is that of a transformer, and none is named")
        if entry.transformer_kva is None:
            continue
        if entry.transformer is None:
            yield Problem(line, f"a rating of {entry.transformer_kva:g} kVA, and no transformer is named")
            continue
        key = entry.transformer, entry.valid_from
        before, at = rated.setdefault(key, (entry.transformer_kva, line))
        if before != entry.transformer_kva:
            has = f"{entry.transformer_kva:g} kVA; in line {at} it has {before:g} kVA"
            yield Problem(line, f"transformer {entry.transformer} has {has}")


def _contradictions(placed: list[tuple[int, RegistryEntry]]) -> Iterator[Problem]:
    for child, parent in _PARENTS:
        known = dict[str, tuple[str, int]]()
        for line, entry in placed:
            name, above = getattr(entry, child), getattr(entry, parent)
            if name is None or above is None:
                continue
            before, at = known.setdefault(name, (above, line))
            if before != above:
                yield Problem(line, f"{child} {name} is under {parent} {above}; in line {at} it is under {before}")
