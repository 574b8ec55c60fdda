"""What a channel is given and how it fails."""

from dataclasses import dataclass
from typing import Protocol

from schemas.alert_events import AlertEvent, AlertState, Change
from schemas.errors import MeterstreamError, ServiceUnavailable


class ChannelAway(ServiceUnavailable):
    """A channel does not take a notice now; trying again is right.

    Args:
        cause: what happened, without addresses: those of webhooks are secrets.
        retry_after_s: how long it asks to be left alone [s].
    """

    def __init__(self, cause: str, retry_after_s: float = 0.0) -> None:
        super().__init__("channel", cause)
        self.retry_after_s = retry_after_s


class ChannelRefused(MeterstreamError):
    """A channel will never take this notice as it is."""


@dataclass(frozen=True)
class Notice:
    """What is to be told.

    Attributes:
        event: one change of one alert; of a digest, the most severe.
        count: how many changes it stands for.
        others: messages of some of the others, of a digest.
    """

    event: AlertEvent
    count: int = 1
    others: tuple[str, ...] = ()

    @property
    def alert(self) -> AlertState:
        """Where the alert stands."""
        return self.event.data.alert

    @property
    def over(self) -> bool:
        """Whether it tells of an end."""
        return self.event.data.change in {Change.CLEARED, Change.RESOLVED}

    @property
    def key(self) -> str:
        """What all notices of one alert have in common; a digest stands for itself."""
        return self.alert.alert_id if self.count == 1 else f"digest-{self.event.id}"

    @property
    def id(self) -> str:
        """What this notice alone has: the same when it is sent again."""
        return self.event.id if self.count == 1 else self.key

    @property
    def title(self) -> str:
        """One line."""
        if self.count > 1:
            return f"{self.count:,} alerts, the most severe: {self.alert.message}"
        return f"{self.event.data.change.upper()} {self.alert.severity}: {self.alert.message}"

    @property
    def facts(self) -> dict[str, str]:
        """What there is to say, by name, in the order in which a person wants to know it."""
        alert = self.alert
        where = [f"{name} {getattr(alert, name)}" for name in ("transformer", "feeder", "substation", "region")]
        said = {
            "What": alert.message,
            "Where": ", ".join([alert.element, *(text for text in where if not text.endswith(" None"))]),
            "Since": f"{alert.first_seen:%Y-%m-%d %H:%M:%S} UTC",
            "Until": f"{alert.ended_at:%Y-%m-%d %H:%M:%S} UTC" if alert.ended_at else "",
            "Severity": alert.severity.value,
            "How sure": f"{alert.score:.2f}",
            "Measured": f"{alert.measured:g} {alert.unit}, expected {alert.expected:g} {alert.unit}",
            "Customers": f"{alert.customers:,}",
            "Do": alert.action,
            "Panel": alert.panel or "",
            "Alert": alert.alert_id,
            "Also": "\n".join(self.others),
        }
        return {name: text for name, text in said.items() if text}


class Channel(Protocol):
    """One way to reach somebody.

    Attributes:
        keyed: a repeat of a notice is recognised by it, so that each has its effect once.
        follows: it keeps an alert's own state, and wants to know of acknowledgements.
    """

    keyed: bool
    follows: bool

    async def send(self, notice: Notice) -> None:
        """Deliver; returns when the other side has taken it.

        Raises:
            ChannelAway: try again later.
            ChannelRefused: trying again will not help.
        """

    async def close(self) -> None:
        """Let go of connections."""
