"""What alerts look like in a terminal: all is said, and nothing in a name is taken for markup."""

from dataclasses import replace
from datetime import timedelta
from io import StringIO

import pytest
from click.testing import CliRunner
from rich.console import Console, RenderableType

from processors.lifecycle.changes import acknowledge, take
from processors.lifecycle.silences import Silence
from schemas.alert_events import AlertEvent
from schemas.alerts import AlertKind, Severity
from stream.alert_feed import Wanted
from stream.cli import main
from stream.cli.alerts_board import draw
from stream.cli.alerts_text import details, event_line, lasted, silence_line, state_line
from tests.alerting import NOON, RULES, opened, sign

HOSTILE = "meter/[bold]M[/bold]"
ALERT = opened(element=HOSTILE, severity=Severity.CRITICAL)


def printed(shown: RenderableType) -> str:
    console = Console(file=StringIO(), width=140, height=20)
    console.print(shown)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_a_name_is_shown_as_it_is() -> None:
    event = AlertEvent.of(take(sign(element=HOSTILE), None, RULES), NOON)
    for shown in (state_line(ALERT), event_line(event), details(ALERT, [event]), draw({"1": ALERT}, Wanted(), 9)):
        assert "[bold]M[/bold] had 200.0 V" in printed(shown)


def test_details_say_who_took_it_on_and_what_to_do() -> None:
    news = acknowledge(ALERT, "ada", NOON, "on my way")
    said = printed(details(news.alert, [AlertEvent.of(news, NOON)]))
    for part in ("measured", "200 V, expected 230 V", "taken on   by ada", "Look at the load", '"on my way"', "0.90"):
        assert part in said


def test_the_board_shows_the_most_severe_first_and_counts_what_it_hides() -> None:
    states = {str(n): opened(n, f"meter/M{n}", severity=Severity.WARNING) for n in range(5)} | {"x": ALERT}
    said = printed(draw(states, Wanted(), 3))
    assert "1 critical  5 warning  0 info" in said
    assert "3 more" in said
    assert said.index("1 critical") < said.index("[bold]M[/bold]") < said.index("meter M4")


def test_the_board_heeds_filters() -> None:
    assert "0 critical  0 warning" in printed(draw({"x": ALERT}, Wanted(kind=AlertKind.FLATLINE), 9))


def test_a_silence_says_what_is_silent_and_when() -> None:
    once = Silence("feeder/F1", AlertKind.FLATLINE, NOON, NOON + timedelta(hours=4), "ada", "x", silence_id=3)
    assert silence_line(once) == "3: flatline of feeder/F1 is silent from 2026-01-31 12:00 to 2026-01-31 16:00 UTC"
    weekly = replace(once, kind=None, every_days=7, timezone="Europe/Madrid", until=NOON + timedelta(days=365))
    assert silence_line(weekly) == (
        "3: feeder/F1 is silent from 2026-01-31 13:00 to 2026-01-31 17:00 Europe/Madrid, every 7 days until "
        "2027-01-31 13:00"
    )


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7_200, "2 h"), (1e6, "12 d")]
)
def test_how_long_it_lasts_is_said_for_people(seconds: float, words: str) -> None:
    assert lasted(seconds) == words


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("silence", "M1", "--for", "1h", "--reason", "x"), "'M1' is no element such as meter/M1"),
        (("silence", "meter/M1", "--for", "soon", "--reason", "x"), "'soon' is no duration"),
        (("silence", "meter/M1", "--for", "1h", "--every", "90m", "--reason", "x"), "it takes whole days"),
        (("silence", "meter/M1", "--for", "2d", "--every", "1d", "--reason", "x"), "longer than until it returns"),
        (("silence", "meter/M1", "--for", "1h", "--timezone", "Mars", "--reason", "x"), "there is no time zone Mars"),
        (("unsilence", "the first"), "'the first' is not a valid integer"),
        (("list", "--severity", "loud"), "'loud' is not one of 'info', 'warning', 'critical'"),
        (("list", "--kind", "noise"), "'noise' is not one of 'high_consumption'"),
        (("ack",), "Missing argument 'ID'"),
    ],
)
def test_what_is_asked_for_wrongly_is_named(words: tuple[str, ...], says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METERSTREAM_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/x")
    answer = CliRunner().invoke(main, ["alerts", *words])
    assert answer.exit_code == 2
    assert says in answer.output
