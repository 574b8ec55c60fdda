"""Log lines are JSON, keep secrets, and speak of an outage once."""

import json
import logging
import threading
from collections.abc import Iterator

import pytest
import structlog

from stream import logs
from stream.backoff import Backoff
from stream.outage import Outage


@pytest.fixture(autouse=True)
def restore() -> Iterator[None]:
    root, hook = logging.getLogger(), threading.excepthook
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    threading.excepthook = hook
    structlog.reset_defaults()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    captured = capsys.readouterr()
    assert captured.out == ""
    return [json.loads(line) for line in captured.err.splitlines()]


def test_lines_below_the_level_are_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("warning")
    structlog.get_logger("x").info("quiet")
    structlog.get_logger("x").warning("loud", rows=3)
    (line,) = lines(capsys)
    assert (line["event"], line["level"], line["rows"]) == ("loud", "warning", 3)


def test_a_librarys_lines_are_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("warning")
    logging.getLogger("paho").warning("lost %s", "mqtt://u:secret@host")
    (line,) = lines(capsys)
    assert line["event"] == "lost mqtt://u:***@host"


def test_secrets_are_struck_out(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info")
    structlog.get_logger("x").info("start", url="postgresql://me:pa55@db/x", mqtt_password="hush", api_token="t")  # noqa: S106 (a test)
    (line,) = lines(capsys)
    assert (line["url"], line["mqtt_password"], line["api_token"]) == ("postgresql://me:***@db/x", "***", "***")


def test_the_death_of_a_thread_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("warning")
    thread = threading.Thread(target={}.pop, args=("absent",), name="batcher")
    thread.start()
    thread.join()
    (line,) = lines(capsys)
    assert (line["event"], line["thread"]) == ("thread_died", "batcher")
    assert "KeyError" in str(line["exception"])


def test_an_outage_is_told_when_it_begins_and_when_it_ends(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("warning")
    outage = Outage("kafka")
    outage.end()
    for _ in range(5):
        outage.begin("refused")
        outage.begin("timed out")
    assert outage.cause == "timed out"
    outage.end()
    outage.end()
    told = [(line["event"], line.get("cause")) for line in lines(capsys)]
    assert told == [("unavailable", "refused"), ("unavailable", "timed out"), ("available_again", None)]


def test_waits_double_up_to_the_ceiling_and_begin_anew() -> None:
    backoff = Backoff(first_s=1.0, ceiling_s=8.0)
    waits = [backoff.next_s() for _ in range(6)]
    assert all(limit / 2 <= wait <= limit for wait, limit in zip(waits, [1, 2, 4, 8, 8, 8], strict=True))
    backoff.reset()
    assert backoff.next_s() <= 1.0
