"""The table `estimation` of a rule set: what it may say, and where it is wrong."""

import pytest

from processors.vee.catalogue import BY_ID
from processors.vee.estimation import NEM12, Estimation, Method
from processors.vee.rule_set import parse
from schemas.errors import ConfigurationError
from schemas.quality import nem12_code
from tests.vee import RULES


def estimation(text: str) -> Estimation:
    return parse(f"version = 1\n[estimation]\n{text}").estimation


def test_the_engine_s_own_rule_set_says_what_holds_without_it() -> None:
    assert RULES.estimation == Estimation()


def test_a_class_changes_what_it_names_and_keeps_the_rest() -> None:
    found = estimation('days = 4\n[estimation.class.solar]\nmethods = ["profile"]\nmost_h = { profile = 10 }')
    assert found.of("solar").methods == (Method.PROFILE,)
    assert found.of("solar").most_h[Method.PROFILE] == 10.0
    assert found.of("solar").days == 4
    assert found.of("residential").methods[0] is Method.OUTAGE
    assert found.of(None) == found.usual


def test_failures_that_are_estimated_are_a_mask_of_rules() -> None:
    assert estimation('replaces = ["spike"]').replaced == 1 << BY_ID["spike"].bit


def test_every_method_has_a_quality_of_nem12() -> None:
    assert set(NEM12) == set(Method) - {Method.NONE}
    assert all(nem12_code(text) for text in NEM12.values())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hours = 3", "estimation: unknown field 'hours'"),
        ('methods = ["guess"]', "estimation.methods: no method 'guess'; there are outage, linear"),
        ("most_h = { guess = 3 }", "estimation.most_h: no method 'guess'"),
        ("most_h = { linear = -1 }", "estimation.most_h.linear: a number from 0 on is needed, this is -1"),
        ('replaces = ["spikes"]', "estimation.replaces: no rule 'spikes'"),
        ("least_days = 0", "estimation: least_days is at least 1"),
        ("days = 1", "estimation: least_days is at least 1, and days not below it"),
        ("scale = 1", "estimation.scale: true or false is needed, this is 1"),
        ("[estimation.class.castle]", "estimation.class.castle: no such class"),
        ("class = 3", "estimation.class: a table is needed"),
    ],
)
def test_what_it_cannot_say_is_named_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        estimation(text)
    assert str(error.value).startswith(message)
