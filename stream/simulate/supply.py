"""What a publishing process needs of the thing that it publishes: a fleet, or markets."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from simulators.cargo import Cargo
from simulators.publisher import Publisher
from simulators.transport import Transport


class Run(Protocol):
    """A plan, as far as every process has to know it."""

    @property
    def start_s(self) -> int:
        """When it starts, seconds since the simulation's epoch."""

    @property
    def end_s(self) -> int:
        """When it ends, seconds since the simulation's epoch."""

    @property
    def speedup(self) -> float:
        """Seconds of the simulation per second."""

    @property
    def fingerprint(self) -> bool:
        """Whether the fingerprint of all that is sent is taken."""

    @property
    def rehearsal(self) -> bool:
        """Whether everything is generated and nothing sent."""

    @property
    def direct(self) -> bool:
        """Whether it goes straight into Kafka."""


class Supply(Protocol):
    """One process's part of what is sent."""

    def warm(self) -> None:
        """Do what takes long the first time, before the schedule starts."""

    def cargo(self) -> Iterator[Cargo]:
        """Generate everything, in the order in which it is due."""

    def fingerprint(self, cargo: Any) -> int:
        """Return the fingerprint of some of it."""

    def publisher(self, transport: Transport, how: "How") -> Publisher:
        """Return what turns it into messages."""


@dataclass(frozen=True)
class How:
    """How a supply is published.

    Attributes:
        settings: of any `Publisher`: its pace, whom it asks and tells.
        partitions: of the topic, where it goes straight into Kafka.
    """

    settings: dict[str, Any]
    partitions: int


#: Opens the supply of one part of a plan; a function of a module, so that it reaches other processes.
Open = Callable[[Any, int], Supply]
