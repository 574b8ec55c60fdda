"""A fleet as a supply: its readings, its fingerprint, and how it is published."""

from collections.abc import Iterator
from dataclasses import dataclass

from simulators.dispatch import Dispatch, Dispatcher
from simulators.fingerprint import fingerprint
from simulators.local_time import DAY_S
from simulators.messages import PER_MESSAGE, Mode
from simulators.publisher import Publisher
from simulators.shipment import FleetPublisher, Shipment
from simulators.transport import Transport
from stream.simulate.kafka import KafkaPublisher, partitions_of
from stream.simulate.plan import FleetMode, Plan
from stream.simulate.supply import How


@dataclass
class FleetSupply:
    """One process's meters.

    Attributes:
        plan: the whole run.
        dispatcher: of this part.
    """

    plan: Plan
    dispatcher: Dispatcher

    def warm(self) -> None:
        """Work out the first day."""
        self.dispatcher.fleet.day(self.plan.start_s // DAY_S)

    def cargo(self) -> Iterator[Shipment]:
        """Generate all readings."""
        plan = self.plan
        for sent in self.dispatcher.run(plan.start_s, plan.end_s, plan.rows_at_once):
            yield Shipment.of(sent)

    def fingerprint(self, cargo: Shipment) -> int:
        """Return the fingerprint of some readings and garbage."""
        return fingerprint(Dispatch(cargo, cargo.due_s, cargo.sender, cargo.garbage))

    def publisher(self, transport: Transport, how: How) -> Publisher:
        """Return what turns shipments into messages."""
        grid = self.dispatcher.fleet.grid
        if self.plan.direct:
            return KafkaPublisher(transport, grid=grid, partition=partitions_of(grid, how.partitions), **how.settings)
        mode = Mode.SINGLE if self.plan.mode is FleetMode.SINGLE else Mode.CONCENTRATOR
        return FleetPublisher(transport, mode=mode, per_message=PER_MESSAGE, grid=grid, **how.settings)


def open_fleet(plan: Plan, part: int) -> FleetSupply:
    """Build the fleet of one process."""
    return FleetSupply(plan, plan.dispatcher(part))
