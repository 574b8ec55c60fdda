"""Slack by an incoming webhook.

Guarantee: at least once; Slack knows no key, so that a repeat after a crash is a second message.
"""

from typing import Any

from schemas.alerts import Severity
from sinks.channels.channel import Notice
from sinks.channels.http import Http

_MARKS = {Severity.INFO: ":information_source:", Severity.WARNING: ":warning:", Severity.CRITICAL: ":rotating_light:"}
#: Longest text of a section, and longest plain text, that Slack takes.
_SECTION, _HEADER = 2_900, 150


class Slack:
    """A channel of Slack.

    Args:
        url: of the webhook; it is a secret.
    """

    keyed = False
    follows = False

    def __init__(self, url: str) -> None:
        self._url = url
        self._http = Http("slack")

    async def send(self, notice: Notice) -> None:
        """Post a message; see `Channel.send`."""
        await self._http.call("POST", self._url, message_of(notice))

    async def close(self) -> None:
        """Let go of connections."""
        await self._http.close()


def message_of(notice: Notice) -> dict[str, Any]:
    """Return the message as Slack has it: a header that is never markup, and escaped facts."""
    mark = ":white_check_mark:" if notice.over else _MARKS[notice.alert.severity]
    facts = "\n".join(f"*{name}*: {escaped(text)}" for name, text in notice.facts.items())
    return {
        "text": f"{mark} {escaped(notice.title)}"[:_SECTION],
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": notice.title[:_HEADER], "emoji": False}},
            {"type": "section", "text": {"type": "mrkdwn", "text": facts[:_SECTION], "verbatim": True}},
        ],
    }


def escaped(text: str) -> str:
    """Return a text in which nothing is markup, a mention or a link.

    Slack reads &, < and > as control characters; what else marks text up is kept apart by a zero-width space.
    """
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for mark in "*_~`":
        text = text.replace(mark, f"{mark}\u200b")
    return text
