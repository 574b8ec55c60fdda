"""The documents say what is there: tables, codes, commands, files and links."""

import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from schemas.delivery import Progress, Stored
from schemas.quality import QualityFlag
from schemas.rejected import Reason
from stream.cli import main
from tests import documents

ROOT = documents.ROOT
DOCUMENTS = (
    "README.md",
    "ARCHITECTURE.md",
    "NOMENCLATURE.md",
    "CONTRIBUTING.md",
    "MODELS.md",
    "MARKETS.md",
    "RELIABILITY.md",
    "BENCHMARKS.md",
    "TUNING.md",
    "SIMULATOR.md",
    "STORAGE.md",
    "VEE.md",
    "ALERTS.md",
    "PANELS.md",
    "RUNBOOK.md",
    "CHANGELOG.md",
)
ROOMS = ("schemas", "processors", "models", "sinks", "simulators", "stream", "panels", "infra", "tests")


def text(name: str) -> str:
    return (ROOT / name).read_text()


def fenced(name: str) -> list[str]:
    """Command lines of a document, comments left out."""
    blocks = re.findall(r"```sh\n(.*?)```", text(name), re.DOTALL)
    return [line.partition(" #")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]


def commands() -> list[tuple[str, str]]:
    return [(name, line) for name in DOCUMENTS for line in fenced(name)]


def test_the_tables_of_names_are_current() -> None:
    assert documents.updated(text("NOMENCLATURE.md")) == text("NOMENCLATURE.md"), "run `make schemas`"


def test_every_reason_and_every_flag_is_explained_once() -> None:
    codes = re.findall(r"^\| `(\w+)` \| ", text("NOMENCLATURE.md"), re.MULTILINE)
    for code in (*Reason, *QualityFlag):
        assert codes.count(code) == 1, code


def test_the_books_are_kept_as_the_documents_say() -> None:
    assert "`readings` = `stored` + `duplicates` + `rejected`" in text("NOMENCLATURE.md")
    assert {"readings", "rejected"} <= set(Progress.__dataclass_fields__)
    assert Stored.account.__doc__


@pytest.mark.parametrize(("name", "line"), commands(), ids=lambda value: value[:40])
def test_commands_in_the_documents_exist(name: str, line: str) -> None:
    words = line.removeprefix(".venv/bin/").split()
    if words[0] == "make":
        assert re.search(rf"^{words[1]}:", text("Makefile"), re.MULTILINE)
        return
    assert words[0] == "meterstream", line
    path = []
    group: click.Command | None = main
    for word in words[1:]:
        found = group.get_command(click.Context(group), word) if isinstance(group, click.Group) else None
        if found is None:
            break
        path.append(word)
        group = found
    assert path, line
    options = [word.partition("=")[0] for word in words if word.startswith("--")]
    shown = CliRunner().invoke(main, [*path, "--help"])
    assert shown.exit_code == 0
    for option in options:
        assert option in shown.output, f"{name}: {line}"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_files_and_links_in_the_documents_exist(name: str) -> None:
    linked = [target for target in re.findall(r"\]\(([^)#]+)\)", text(name)) if "://" not in target]
    quoted = [
        found
        for found in re.findall(r"`([\w./]+)`", text(name))
        if found.partition("/")[0] in ROOMS and "/" in found and "<" not in found
    ]
    for found in (*linked, *quoted):
        assert (ROOT / found).exists(), f"{name}: {found}"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_name_no_machine_and_stay_readable(name: str) -> None:
    for line in text(name).splitlines():
        assert not re.search(r"/(home|root|work|tmp|Users)/", line), line
        assert len(line) <= 125 or line.startswith("|"), line


def test_the_documents_are_at_the_root() -> None:
    assert {path.name for path in Path(ROOT).glob("*.md")} == set(DOCUMENTS)
