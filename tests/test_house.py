"""The house keeps its promises: what is pinned is what runs, and what is missing is named with what to do."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
LOCK = (ROOT / "requirements.lock").read_text()


def pins() -> list[Requirement]:
    lines = [line.removesuffix("\\").strip() for line in LOCK.splitlines() if line and not line.startswith((" ", "#"))]
    return [Requirement(line) for line in lines]


def locked() -> dict[str, Requirement]:
    """What is pinned for this Python; another may have another version of the same."""
    return {canonicalize_name(pin.name): pin for pin in pins() if pin.marker is None or pin.marker.evaluate()}


def wanted() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [Requirement(line) for line in (*project["dependencies"], *project["optional-dependencies"]["dev"])]


@pytest.mark.parametrize("requirement", wanted(), ids=lambda requirement: requirement.name)
def test_every_dependency_is_pinned_within_its_bounds(requirement: Requirement) -> None:
    pin = locked()[canonicalize_name(requirement.name)]
    (specifier,) = pin.specifier
    assert specifier.operator == "=="
    assert requirement.specifier.contains(specifier.version)


def test_what_is_pinned_is_what_is_installed() -> None:
    different = {}
    for name, pin in locked().items():
        try:
            found = version(name)
        except PackageNotFoundError:
            found = "nothing"
        if not pin.specifier.contains(found, prereleases=True):
            different[name] = f"{pin.specifier} pinned, {found} installed"
    assert different == {}, "make setup, or make lock after a change of dependencies"


def test_every_pin_has_hashes_and_the_file_names_no_place() -> None:
    assert len(re.findall(r"^\S.*\\$", LOCK, re.MULTILINE)) == len(pins())
    assert "://" not in LOCK
    assert "index-url" not in LOCK


def makefile(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", *words], cwd=cwd, capture_output=True, text=True, check=False)


def test_make_alone_shows_the_list_of_targets() -> None:
    shown = makefile().stdout
    for target in ("setup", "check", "test", "demo", "fmt", "lock", "schemas"):
        assert f"make {target} " in shown


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A checkout that was never set up."""
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    return tmp_path


def stand_in(folder: Path, script: str) -> str:
    program = folder / "python-of-the-test"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return f"PYTHON={program}"


OLD = '[ "$1" = -V ] && echo "Python 3.9.1" && exit 0; case "$2" in *version_info*) exit 1;; esac; exit 0'
NO_VENV = 'case "$2" in *ensurepip*) exit 1;; esac; exit 0'


@pytest.mark.parametrize(
    ("script", "says"),
    [(OLD, "Python 3.9.1, meterstream needs Python 3.11 or newer"), (NO_VENV, "apt install python3-venv")],
    ids=["old", "without venv"],
)
def test_a_python_that_will_not_do_is_named_with_what_to_do(bare: Path, script: str, says: str) -> None:
    done = makefile("setup", stand_in(bare, script), cwd=bare)
    assert done.returncode != 0
    assert says in done.stderr


def test_a_missing_python_is_named_with_what_to_do(bare: Path) -> None:
    done = makefile("setup", "PYTHON=no-such-python", cwd=bare)
    assert done.returncode != 0
    assert "there is no no-such-python: install Python 3.11 or newer" in done.stderr


def test_ci_runs_what_the_readme_says() -> None:
    assert "make test" in (ROOT / ".ci" / "run").read_text()
    assert "make test" in (ROOT / "README.md").read_text()
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
    assert sys.version_info >= (3, 11)


def test_migrations_have_each_its_number() -> None:
    """Two of one number would come in an order that nobody meant."""
    numbers = [int(path.name[:3]) for path in sorted((ROOT / "infra" / "sql").glob("*.sql"))]
    assert numbers == list(range(1, len(numbers) + 1))


def test_no_two_locks_of_the_database_have_one_number() -> None:
    """Upkeep and estimates had one, missing data and places another: each waited for what was none of its business."""
    texts = [path.read_text() for room in ("sinks", "stream") for path in (ROOT / room).rglob("*.py")]
    numbers = [number for text in texts for number in re.findall(r"\b7_382_9\d\d\b", text)]
    assert len(numbers) >= 9
    assert sorted(numbers) == sorted(set(numbers))
