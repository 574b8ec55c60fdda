import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from simulators.transport import ListTransport, Message
from stream.cli import main

HEADER = "meter_number,reading_time,consumption_kwh\n"


class Carrier(ListTransport):
    """Stands in for the MQTT connection of the command; the newest one is kept."""

    newest: "Carrier"

    def __init__(self, *_place: Any, **_ways: Any) -> None:
        super().__init__()
        Carrier.newest = self


@pytest.fixture(autouse=True)
def no_broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("stream.cli.replay.MqttTransport", Carrier)
    monkeypatch.setenv("METERSTREAM_MQTT_URL", "mqtt://nowhere")
    before = signal.getsignal(signal.SIGINT)
    yield
    assert signal.getsignal(signal.SIGINT) is before


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "readings.csv"
    path.write_text(HEADER + "".join(f"M-1,2026-01-01T00:{minute:02}:00Z,{minute}\n" for minute in range(10)))
    return path


def replay(file: Path, *options: str, form: str = "plain_csv") -> Result:
    return CliRunner().invoke(main, ["replay", str(file), "--format", form, *options])


def sent() -> list[float]:
    return [json.loads(message.payload)["consumption_kwh"] for message in Carrier.newest.messages]


def test_a_file_is_published_and_summed_up(file: Path) -> None:
    result = replay(file)
    assert result.exit_code == 0
    assert "10 readings in 10 messages, 10 acknowledged, 0 refused, 0 problems" in result.stdout
    assert sent() == list(range(10))


def test_json_is_one_object_on_standard_output(file: Path) -> None:
    summary = json.loads(replay(file, "--json", "--mode", "concentrator", "--batch", "4").stdout)
    assert summary["readings"] == summary["acked"] == 10
    assert summary["messages"] == 3
    assert summary["problems"] == 0


def test_broken_lines_are_shown_and_fail_the_command_unless_it_keeps_going(file: Path) -> None:
    file.write_text(file.read_text() + "M-1,yesterday,1\n")
    result = replay(file)
    assert result.exit_code == 1
    assert "line 12: reading_time is not a time" in result.stderr
    assert replay(file, "--keep-going").exit_code == 0
    assert json.loads(replay(file, "--json").stdout)["problem_lines"][0]["line"] == 12


def test_shuffling_sends_the_same_readings_in_another_order(file: Path) -> None:
    assert replay(file, "--shuffle", "1").exit_code == 0
    shuffled = sent()
    assert shuffled != sorted(shuffled) == list(range(10))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            ["--format", "nope"],
            "known ones are dsmr_p1, green_button, mapped_csv, nem12, plain_csv, sgsc_meters, uci_household",
        ),
        (["--format", "uci_household"], "readings.csv as uci_household: missing columns ['Date'"),
        (["--zone", "Mars"], "unknown time zone 'Mars'"),
        (["--speedup", "0"], "neither a number above 0 nor 'max'"),
        (["--speedup", "2", "--shuffle", "1"], "--shuffle has no schedule"),
        (["--batch", "100000"], "is not in the range"),
    ],
    ids=lambda value: value[1] if isinstance(value, list) else "",
)
def test_a_wrong_choice_is_explained_before_anything_is_sent(file: Path, options: list[str], words: str) -> None:
    result = replay(file, *options)
    assert result.exit_code in {1, 2}
    assert words in " ".join(result.stderr.split())


def test_an_interrupt_ends_politely_with_the_summary(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(carrier: Carrier, message: Message) -> None:
        carrier.messages.append(message)
        if len(carrier.messages) == 4:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Carrier, "publish", interrupt)
    result = replay(file, "--json")
    assert result.exit_code == 130
    summary = json.loads(result.stdout)
    assert (summary["readings"], summary["acked"], summary["stopped"]) == (4, 4, True)


def test_help_shows_an_example_and_the_formats() -> None:
    text = CliRunner().invoke(main, ["replay", "--help"]).stdout
    assert "Example: meterstream replay" in text
    assert "uci_household" in text
