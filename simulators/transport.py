"""What a publisher needs of the thing that carries its messages, and a list that stands in for it in tests."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from schemas.errors import MeterstreamError


class Message(NamedTuple):
    """One message on its way out.

    Attributes:
        topic: where it goes.
        payload: what it holds.
        readings: how many readings that is.
    """

    topic: str
    payload: bytes
    readings: int


class Tally(NamedTuple):
    """How much of something there was, in messages and in the readings that they held."""

    messages: int = 0
    readings: int = 0

    def plus(self, message: Message) -> "Tally":
        """Return the tally with one message more."""
        return Tally(self.messages + 1, self.readings + message.readings)


class Stopped(MeterstreamError):
    """Someone asked to stop while a message waited for room; that message was not sent."""


class Transport(Protocol):
    """Carries messages at least once: what it took stays in its care until the other side has acknowledged it."""

    @property
    def acked(self) -> Tally:
        """What the other side has taken over."""

    @property
    def refused(self) -> Tally:
        """What the other side has answered with a refusal: it is not in its care, and sending again would not help."""

    @property
    def outstanding(self) -> int:
        """Messages taken and not answered yet."""

    def publish(self, message: Message) -> None:
        """Take one message; waits as long as there is no room for it, or nobody to send it to.

        Raises:
            Stopped: a stop was asked for while it waited.
        """

    def wait(self, timeout_s: float) -> None:
        """Serve the connection; returns after this time, or earlier when something happened."""

    def close(self) -> None:
        """End the connection; what is still outstanding is given up."""


@dataclass
class ListTransport:
    """Keeps messages in a list and acknowledges them at once: the test double, with a clock that only it moves.

    Attributes:
        seconds_per_message: how long the imagined broker takes for each message [s].
        messages: what was published, in order.
        clock_s: the imagined time [s]; pass `now` to the publisher.
    """

    seconds_per_message: float = 0.0
    messages: list[Message] = field(default_factory=list)
    clock_s: float = 0.0
    on_publish: Callable[[Message], None] = lambda _message: None

    @property
    def acked(self) -> Tally:
        """Everything."""
        return Tally(len(self.messages), sum(message.readings for message in self.messages))

    @property
    def refused(self) -> Tally:
        """Nothing."""
        return Tally()

    @property
    def outstanding(self) -> int:
        """None."""
        return 0

    def now(self) -> float:
        """Return the imagined time [s]."""
        return self.clock_s

    def publish(self, message: Message) -> None:
        """Keep one message."""
        self.on_publish(message)
        self.messages.append(message)
        self.clock_s += self.seconds_per_message

    def wait(self, timeout_s: float) -> None:
        """Let the imagined time pass."""
        self.clock_s += timeout_s

    def close(self) -> None:
        """Do nothing."""
