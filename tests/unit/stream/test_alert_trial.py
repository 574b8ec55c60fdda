"""A test of a channel tells it of a beginning and an end that say they are tests, and what came of it is said."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from stream.cli import main
from tests.post_office import Fault, office_in_a_thread


def routes(folder: Path, url: str) -> Path:
    file = folder / "routes.toml"
    file.write_text(f'[channel.pager]\nsort = "pagerduty"\nkey = {{ env = "PAGER_KEY" }}\nurl = "{url}/pagerduty"\n')
    return file


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGER_KEY", "routing-key")


def tried(monkeypatch: pytest.MonkeyPatch, file: Path, channel: str) -> tuple[int, str]:
    monkeypatch.setenv("METERSTREAM_ALERTS__ROUTES_FILE", str(file))
    answer = CliRunner().invoke(main, ["alerts", "test", channel])
    return answer.exit_code, answer.output


@pytest.mark.usefixtures("key")
def test_a_channel_that_works_is_told_of_a_test_and_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with office_in_a_thread() as office:
        said = tried(monkeypatch, routes(tmp_path, office.url), "pager")
    assert said == (0, "pager has taken a test notice and its end\n")
    opened, closed = office.taken["pagerduty"]
    assert (opened["event_action"], closed["event_action"]) == ("trigger", "resolve")
    assert opened["dedup_key"] == closed["dedup_key"]
    assert "this is a test of the channel; nothing is wrong" in opened["payload"]["summary"]


@pytest.mark.usefixtures("key")
@pytest.mark.parametrize(("status", "says"), [(500, "HTTP 500"), (400, "HTTP 400")])
def test_what_a_channel_answers_is_said(
    status: int, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with office_in_a_thread() as office:
        office.faults.append(Fault(status))
        code, output = tried(monkeypatch, routes(tmp_path, office.url), "pager")
    assert code == 1
    assert says in output


def test_a_channel_that_is_not_there_is_named_with_those_that_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, output = tried(monkeypatch, routes(tmp_path, "http://127.0.0.1:1"), "chat")
    assert code != 0
    assert "there is no channel chat; there are pager" in output
