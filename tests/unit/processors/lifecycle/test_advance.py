"""Many signs at once come to what the same signs come to one after the other."""

from hypothesis import given
from hypothesis import strategies as st

from processors.lifecycle.advance import Turn, take_all
from processors.lifecycle.changes import Key, key_of
from processors.lifecycle.place import Place
from schemas.alert_events import AlertState
from schemas.alerts import Alert
from tests.alerting import RULES, sign

PLACES = {"meter/M1": Place("NSW", "S1", "F1", "T1")}


@given(
    st.lists(st.tuples(st.integers(0, 300), st.sampled_from(["meter/M1", "meter/M2"])), max_size=30, unique=True),
    st.integers(0, 30),
)
def test_where_signs_are_cut_changes_nothing(said: list[tuple[int, str]], cut: int) -> None:
    signs = [sign(minute, element) for minute, element in said]
    whole, parts = Turn(), Turn()
    take_all(whole, signs, {}, PLACES, RULES)
    newest = dict[Key, AlertState]()

    def take(some: list[Alert]) -> None:
        take_all(parts, some, newest, PLACES, RULES)
        newest.update({key_of(one): next(s for s in parts.changed if s.element == one.element) for one in some})

    take(signs[:cut])
    take(signs[cut:])
    assert whole.news == parts.news


def test_an_alert_knows_where_its_element_stands() -> None:
    turn = Turn()
    take_all(turn, [sign(), sign(0, "meter/M2")], {}, PLACES, RULES)
    known, unknown = turn.changed
    assert (known.transformer, known.region) == ("T1", "NSW")
    assert (unknown.transformer, unknown.region) == (None, None)
