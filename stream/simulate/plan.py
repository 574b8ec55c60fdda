"""What a simulation run will be, decided before any of it happens; every process works from the same plan."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from schemas.errors import ConfigurationError
from simulators.cohorts import MIXED, cohorts, longest_interval_s
from simulators.dispatch import Dispatcher, Timing
from simulators.fleet import Fleet
from simulators.grid import Grid
from simulators.labels import moment
from simulators.local_time import DAY_S, day_of
from simulators.profile import Profile
from simulators.schedule import Events, Window, schedule
from simulators.span import check_interval
from simulators.transformers import TransformerMeters

#: Readings worked on at once by all processes together; each holds about 150 bytes of them.
_ROWS_AT_ONCE = 400_000


class FleetMode(StrEnum):
    """Where readings go."""

    SINGLE = "mqtt-single"
    CONCENTRATOR = "mqtt-concentrator"
    KAFKA = "kafka"


class Timed:
    """A run that starts and ends, as datetimes."""

    start_s: int
    end_s: int

    @property
    def start(self) -> datetime:
        """When it starts."""
        return moment(self.start_s)

    @property
    def end(self) -> datetime:
        """When it ends."""
        return moment(self.end_s)


@dataclass(frozen=True)
class Plan(Timed):
    """One run of a simulated fleet.

    Attributes:
        meters: how many.
        seed: of everything.
        interval_s: between readings [s]; None for a mixture of 5, 15 and 30 minutes.
        start_s: seconds since the simulation's epoch, on the grid of the longest interval.
        end_s: the same.
        speedup: seconds of the simulation per second; infinite for as fast as it is acknowledged.
        jitter_s: readings leave within so many seconds after their interval; 0 is all at its edge [s].
        mode: where they go.
        publishers: processes that share the meters.
        profile: what goes wrong.
        feeders: how many feed the meters; None for as many as practice has.
        transformer_meters: whether the transformers have meters of their own, which send as well.
        fingerprint: whether to take the fingerprint of all that is sent.
        rehearsal: whether everything is generated and nothing sent.
    """

    meters: int
    seed: int
    interval_s: int | None
    start_s: int
    end_s: int
    speedup: float
    jitter_s: float
    mode: FleetMode
    publishers: int
    profile: Profile
    feeders: int | None = None
    transformer_meters: bool = False
    fingerprint: bool = False
    rehearsal: bool = False

    @property
    def direct(self) -> bool:
        """Whether readings go straight into Kafka."""
        return self.mode is FleetMode.KAFKA

    def grid(self) -> Grid:
        """Lay out the grid.

        Raises:
            ConfigurationError: more meters than there are meter numbers, or none; more feeders than transformers.
        """
        try:
            return Grid.build(self.meters, self.seed, self.feeders)
        except ValueError as error:
            raise ConfigurationError(str(error)) from error

    def faults(self, grid: Grid) -> Events:
        """Draw what goes wrong."""
        window = Window(self.start_s, self.end_s, longest_interval_s(self.interval_s))
        return schedule(self.profile, grid, self.seed, window)

    def dispatcher(self, part: int) -> Dispatcher:
        """Build the fleet of one process."""
        grid = self.grid()
        fleet = Fleet(grid, self.seed, (part, self.publishers), self.faults(grid))
        together = self.mode is FleetMode.CONCENTRATOR
        more = TransformerMeters(fleet) if self.transformer_meters else None
        return Dispatcher(fleet, cohorts(fleet, self.interval_s), Timing(self.jitter_s, together), more)

    @property
    def readings(self) -> int:
        """About how many readings the run has, before faults."""
        minutes = (self.end_s - self.start_s) / 60
        if self.interval_s is not None:
            return round(self.meters * minutes * 60 / self.interval_s)
        return round(sum(self.meters * share * minutes / length for length, share in MIXED))

    @property
    def rows_at_once(self) -> int:
        """Readings that one process works on at once."""
        return _ROWS_AT_ONCE // self.publishers


def span_of(start: datetime, duration: timedelta, interval_s: int | None) -> tuple[int, int]:
    """Return the start and the end of a run, on the grid of its longest interval [s since the epoch].

    Raises:
        ConfigurationError: an interval that does not divide a day, a duration of nothing, a time before the epoch.
    """
    try:
        if interval_s is not None:
            check_interval(interval_s)
        day = day_of(start)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
    if duration <= timedelta():
        raise ConfigurationError(f"a run of {duration} sends nothing")
    grid_s = longest_interval_s(interval_s)
    begin = (day * DAY_S + int(start.timestamp()) % DAY_S) // grid_s * grid_s
    return begin, begin + max(1, -(-int(duration.total_seconds()) // grid_s)) * grid_s
