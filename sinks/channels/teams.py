"""Microsoft Teams by a workflow's webhook: an adaptive card.

Guarantee: at least once; Teams knows no key, so that a repeat after a crash is a second card.
"""

from typing import Any

from schemas.alerts import Severity
from sinks.channels.channel import Notice
from sinks.channels.http import Http

_COLOURS = {Severity.INFO: "accent", Severity.WARNING: "warning", Severity.CRITICAL: "attention"}


class Teams:
    """A channel of Teams.

    Args:
        url: of the workflow; it is a secret.
    """

    keyed = False
    follows = False

    def __init__(self, url: str) -> None:
        self._url = url
        self._http = Http("teams")

    async def send(self, notice: Notice) -> None:
        """Post a card; see `Channel.send`."""
        await self._http.call("POST", self._url, card_of(notice))

    async def close(self) -> None:
        """Let go of connections."""
        await self._http.close()


def card_of(notice: Notice) -> dict[str, Any]:
    """Return the message as Teams has it; runs of rich text are never read as markdown, as facts would be."""
    colour = "good" if notice.over else _COLOURS[notice.alert.severity]
    body: list[dict[str, Any]] = [_line({"text": notice.title, "weight": "bolder", "size": "medium", "color": colour})]
    body += [_line({"text": f"{name}: ", "weight": "bolder"}, {"text": text}) for name, text in notice.facts.items()]
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
    }
    if notice.alert.panel:
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Panel", "url": notice.alert.panel}]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _line(*runs: dict[str, str]) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", **run} for run in runs]}
