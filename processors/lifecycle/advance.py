"""Many changes at once: the signs of a turn, in their order, and where every alert stands after each."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from processors.lifecycle import changes
from processors.lifecycle.changes import Key
from processors.lifecycle.place import NOWHERE, Place
from processors.lifecycle.rules import AlertRules
from processors.lifecycle.silences import Silence, covered
from schemas.alert_events import AlertNews, AlertState
from schemas.alerts import Alert


class Turn:
    """What a turn of the desk comes to.

    Attributes:
        news: every change, in the order in which they were made.
    """

    def __init__(self) -> None:
        self._now: dict[str, AlertState] = {}
        self.news: list[AlertNews] = []

    def note(self, news: AlertNews | None) -> None:
        """Add a change; None is none."""
        if news is not None:
            self._now[news.alert.alert_id] = news.alert
            self.news.append(news)

    def current(self, state: AlertState) -> AlertState:
        """Return where an alert stands after all that; the state given where nothing has changed it."""
        return self._now.get(state.alert_id, state)

    @property
    def changed(self) -> list[AlertState]:
        """Where the alerts that have changed stand, each once."""
        return [self._now[alert_id] for alert_id in dict.fromkeys(news.alert.alert_id for news in self.news)]


def take_all(
    turn: Turn, signs: Iterable[Alert], newest: Mapping[Key, AlertState], places: Mapping[str, Place], rules: AlertRules
) -> None:
    """Let signs change alerts.

    Args:
        turn: takes the changes.
        signs: in the order in which they are to be taken.
        newest: the newest alert of each key, where there is one.
        places: where elements stand, by name.
        rules: what decides.
    """
    latest = dict(newest)
    for sign in signs:
        key = changes.key_of(sign)
        news = changes.take(sign, latest.get(key), rules, places.get(sign.element, NOWHERE))
        turn.note(news)
        latest[key] = news.alert


def silence_all(turn: Turn, states: Iterable[AlertState], silences: Iterable[Silence], now: datetime) -> None:
    """Note which alerts are covered by a silence now, and which no longer are."""
    active = [silence for silence in silences if silence.in_force(now)]
    for state in states:
        by = covered(state, active)
        if state.standing and (by is not None) != state.silenced:
            said = {"by": by.by, "note": by.reason} if by is not None else {}
            turn.note(changes.hush(state, silenced=by is not None, **said))
