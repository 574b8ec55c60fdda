"""What bridges and workers have done since the demo began, read from their own metrics."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from stream.processes import Process, Samples

_METERS = (("feed", "meters"),)


@dataclass(frozen=True)
class Totals:
    """Sums over all processes.

    Attributes:
        bridged: readings that the bridges put into Kafka.
        refused: what the bridges could not read.
        accounted: readings that workers are done with.
        stored: readings stored, by quality flag.
        duplicates: readings that were stored already.
        in_flight: MQTT messages that wait for Kafka.
        lag: Kafka records that wait for a worker.
        waiting_for: services that a process says are away, and why.
    """

    bridged: int = 0
    refused: int = 0
    accounted: int = 0
    stored: Counter[str] = field(default_factory=Counter)
    duplicates: int = 0
    in_flight: int = 0
    lag: int = 0
    waiting_for: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Counts:
    bridged: int
    refused: int
    accounted: int
    stored: Counter[str]
    duplicates: int

    @classmethod
    def of(cls, samples: Samples) -> "_Counts":
        return cls(
            int(samples.values.get(("meterstream_bridge_rows_total", _METERS), 0)),
            int(samples.total("meterstream_bridge_rejected_total")),
            int(samples.total("meterstream_worker_readings_total")),
            samples.by("meterstream_worker_stored_readings_total", "flag"),
            int(samples.total("meterstream_worker_duplicate_readings_total")),
        )


class Gauges:
    """Asks processes and keeps the last word of those that have ended, so that a restart loses no count.

    Args:
        already: processes that ran before the demo; what they had done by now does not count.
    """

    def __init__(self, already: Iterable[Process] = ()) -> None:
        self._before = self._ask(already)
        self._last: dict[int, _Counts] = {}

    def read(self, processes: Iterable[Process]) -> Totals:
        """Ask all of them now."""
        found = list(processes)
        self._last |= self._ask(found)
        counts = list(self._last.values())
        before = [self._before[pid] for pid in self._last if pid in self._before]
        healths = [health for process in found if (health := process.health()) is not None]
        return Totals(
            bridged=sum(c.bridged for c in counts) - sum(c.bridged for c in before),
            refused=sum(c.refused for c in counts) - sum(c.refused for c in before),
            accounted=sum(c.accounted for c in counts) - sum(c.accounted for c in before),
            stored=sum((c.stored for c in counts), Counter[str]()) - sum((c.stored for c in before), Counter[str]()),
            duplicates=sum(c.duplicates for c in counts) - sum(c.duplicates for c in before),
            in_flight=sum(health.get("in_flight_messages", 0) for health in healths),
            lag=sum(health.get("lag_records", 0) for health in healths),
            waiting_for={name: why for health in healths for name, why in health["waiting_for"].items()},
        )

    @staticmethod
    def _ask(processes: Iterable[Process]) -> dict[int, _Counts]:
        answers = {process.pid: process.samples() for process in processes}
        return {pid: _Counts.of(samples) for pid, samples in answers.items() if samples is not None}
