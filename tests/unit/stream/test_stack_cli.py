"""`meterstream stack` without any server."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from stream.cli import main


@pytest.mark.parametrize("command", ["up", "down", "status"])
def test_every_command_shows_an_example(command: str) -> None:
    result = CliRunner().invoke(main, ["stack", command, "--help"])

    assert result.exit_code == 0
    assert "Example: meterstream stack" in result.output


def test_status_of_a_stack_that_is_down_fails_and_says_how_to_start_it(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["stack", "status", "--dir", str(tmp_path)])

    assert result.exit_code == 1
    assert "meterstream stack up" in result.output


def test_status_is_one_json_object(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["stack", "status", "--json"], env={"METERSTREAM_LOCAL_DIR": str(tmp_path)})

    assert result.exit_code == 1
    assert json.loads(result.output)["healthy"] is False


def test_up_without_java_names_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)

    result = CliRunner().invoke(main, ["stack", "up", "--dir", str(tmp_path / "stack")])

    assert result.exit_code == 1
    assert "Error: java: not on PATH" in result.output
    assert "openjdk-17-jre-headless" in result.output


def test_down_of_nothing_is_fine(tmp_path: Path) -> None:
    assert CliRunner().invoke(main, ["stack", "down", "--dir", str(tmp_path)]).exit_code == 0


def test_a_setting_that_does_not_fit_is_named(tmp_path: Path) -> None:
    environment = {"METERSTREAM_STACK_MQTT": "rabbit"}

    result = CliRunner().invoke(main, ["stack", "up", "--dir", str(tmp_path / "stack")], env=environment)

    assert result.exit_code == 1
    assert "Error: METERSTREAM_STACK_MQTT: Input should be 'auto', 'mosquitto' or 'hivemq'" in result.output


def test_a_directory_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    result = CliRunner().invoke(main, ["stack", "up", "--dir", str(tmp_path / "file" / "stack")])

    assert result.exit_code == 1
    assert f"{tmp_path}/file" in result.output
