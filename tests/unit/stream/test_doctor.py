"""What the doctor finds, and what it says to do."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from stream.cli.doctor import doctor
from stream.doctor import engine, machine, services
from stream.doctor.findings import Finding, Level, fail, ok, warn
from stream.processes import Process
from stream.stack.errors import MissingProgramError
from stream.stack.settings import StackSettings


class Scripted(Process):
    def __init__(self, component: str, health: dict[str, Any] | None, *, alive: bool = True) -> None:
        super().__init__(component, 7, "127.0.0.1", 1, Path("note"))
        object.__setattr__(self, "_answers", (health, alive))

    @property
    def alive(self) -> bool:
        return bool(self.__dict__["_answers"][1])

    def health(self) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self.__dict__["_answers"][0]
        return found


def levels(findings: list[Finding]) -> list[tuple[str, Level]]:
    return [(finding.name, finding.level) for finding in findings]


WELL = {"live": True, "ready": True, "waiting_for": {}}


@pytest.mark.parametrize(
    ("process", "level"),
    [
        pytest.param(Scripted("worker", WELL), Level.OK, id="ready"),
        pytest.param(Scripted("worker", {**WELL, "ready": False}), Level.WARN, id="starting"),
        pytest.param(Scripted("worker", {**WELL, "live": False}), Level.FAIL, id="stalled"),
        pytest.param(Scripted("worker", None), Level.FAIL, id="silent"),
        pytest.param(Scripted("worker", None, alive=False), Level.WARN, id="gone"),
    ],
)
def test_a_process_is_judged_by_what_it_says(process: Process, level: Level) -> None:
    assert levels(engine.processes([process, Scripted("bridge", WELL)]))[0] == ("worker 7", level)


def test_a_missing_process_is_no_failure_but_worth_a_word() -> None:
    found = engine.processes([])
    assert levels(found) == [("bridge", Level.WARN), ("worker", Level.WARN)]
    assert "meterstream run bridge" in found[0].remedy


def test_missing_topics_are_made_by_the_engine() -> None:
    found = services._topics({"meters.raw": 8})
    assert found.level is Level.WARN
    assert "alerts" in found.detail


def test_java_matters_only_where_the_local_stack_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> Path:
        raise MissingProgramError("java", "not on PATH", "install it")

    monkeypatch.setattr(machine, "find_java", absent)
    assert machine.java(needed=True).level is Level.FAIL
    assert machine.java(needed=False).level is Level.WARN
    assert machine.java(needed=True).remedy == "install it"


def test_maven_is_not_missed_where_the_jars_are_cached(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine.shutil, "which", lambda _name, **_where: None)
    settings = StackSettings(cache=tmp_path)
    assert machine.maven(settings, needed=True).level is Level.FAIL
    for pom in machine._poms(settings):
        machine.jars_folder(pom, tmp_path).mkdir()
    assert machine.maven(settings, needed=True).level is Level.OK


@pytest.mark.parametrize(("free", "level"), [(10**11, Level.OK), (10**9, Level.WARN), (10**8, Level.FAIL)])
def test_room_on_the_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: int, level: Level) -> None:
    usage = type("Usage", (), {"free": free})
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _path: usage)
    assert machine.disk(tmp_path / "not" / "yet").level is level


@pytest.mark.parametrize(
    ("findings", "code"),
    [([ok("a", "fine")], 0), ([warn("a", "hm", "do")], 0), ([ok("a", "fine"), fail("b", "[no]", "do")], 1)],
    ids=["ok", "warn", "fail"],
)
def test_only_failures_make_the_exit_code(monkeypatch: pytest.MonkeyPatch, findings: list[Finding], code: int) -> None:
    monkeypatch.setattr("stream.cli.doctor.examine", lambda _settings: findings)
    answer, as_json = CliRunner().invoke(doctor), CliRunner().invoke(doctor, ["--json"])
    assert answer.exit_code == as_json.exit_code == code
    assert all(finding.detail in answer.output and finding.remedy in answer.output for finding in findings)
    assert json.loads(as_json.output)["ok"] is (code == 0)
