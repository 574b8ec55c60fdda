"""The checks of payloads see mistakes: what passes them is not what nobody looked at."""

import copy
from typing import Any

import pytest

from sinks.channels.pagerduty import event_of
from sinks.channels.servicenow import ticket_of
from sinks.channels.slack import message_of
from sinks.channels.teams import card_of
from tests.unit.sinks.test_channels import began
from tests.vendors import problem_of

SOUND: dict[str, Any] = {
    "pagerduty": event_of(began(), "routing-key"),
    "slack": message_of(began()),
    "teams": card_of(began()),
    "servicenow": ticket_of(began(), "grid", "Solution provided"),
}


@pytest.mark.parametrize("service", SOUND)
def test_what_we_send_is_taken(service: str) -> None:
    assert problem_of(service, SOUND[service]) is None


@pytest.mark.parametrize(
    ("service", "path", "value"),
    [
        ("pagerduty", ("payload", "severity"), "fatal"),
        ("pagerduty", ("payload", "timestamp"), "yesterday"),
        ("pagerduty", ("payload", "summary"), "x" * 1_025),
        ("pagerduty", ("colour",), "red"),
        ("slack", ("blocks", 0, "text", "text"), "x" * 151),
        ("slack", ("blocks", 1, "text", "text"), "x" * 3_001),
        ("slack", ("blocks", 1, "colour"), "red"),
        ("slack", ("blocks", 1, "type"), "card"),
        ("teams", ("attachments", 0, "content", "body", 0, "inlines", 0, "weight"), "heavy"),
        ("teams", ("attachments", 0, "content", "body", 0, "colour"), "red"),
        ("teams", ("attachments", 0, "content", "body", 0, "inlines", 0, "text"), "x" * 30_000),
        ("servicenow", ("urgency",), "high"),
        ("servicenow", ("short_description",), "x" * 161),
        ("servicenow", ("state",), "6"),
    ],
)
def test_a_mistake_is_seen(service: str, path: tuple[Any, ...], value: Any) -> None:
    wrong = copy.deepcopy(SOUND[service])
    at = wrong
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    assert problem_of(service, wrong) is not None
