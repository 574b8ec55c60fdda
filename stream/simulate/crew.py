"""The processes of a run: started together, watched, stopped in order, and added up."""

import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from schemas.errors import MeterstreamError
from simulators.publisher import PublishReport
from simulators.transport import Tally
from stream.simulate.work import Done, Failed, Line, Progress, Task, Word, work

_LOOK_S = 0.2
_FAREWELL_S = 15.0


@dataclass(frozen=True)
class Summary:
    """What a run came to.

    Attributes:
        report: of all processes together; the slip is that of the worst one.
        garbage: payloads sent that are no readings.
        fingerprint: of all that was generated, where it was asked for.
        reached_s: the simulated time that the run came to, seconds since the epoch.
        processor_s: processor time of all processes [s].
    """

    report: PublishReport
    garbage: int
    fingerprint: int
    reached_s: int
    processor_s: float


class Crew:
    """Runs tasks side by side.

    Args:
        tasks: one per process.
        stop: asked all the time; once true, every process ends politely.
        watch: called with what all processes have sent and what was acknowledged.
        tell: gets what a person should see.
    """

    def __init__(
        self,
        tasks: list[Task],
        stop: Callable[[], bool],
        watch: Callable[[Tally, Tally], None],
        tell: Callable[[str], None],
    ) -> None:
        # Threads and Arrow's pools do not survive a fork.
        context = multiprocessing.get_context("spawn")
        self._stop, self._watch, self._tell = stop, watch, tell
        # Both must outlive the start of the children, who open them by name.
        self._event, self._gate = context.Event(), context.Barrier(len(tasks))
        self._progress: dict[int, Progress] = {}
        self._done: dict[int, Done] = {}
        self._links: dict[Connection, int] = {}
        self._processes: list[BaseProcess] = []
        for task in tasks:
            link, child = context.Pipe(duplex=False)
            process = context.Process(target=work, args=(task, child, self._event, self._gate), daemon=True)
            process.start()
            # Only the child may hold its end: then a death shows as the end of the file.
            child.close()
            self._links[link] = task.part
            self._processes.append(process)

    def run(self) -> Summary:
        """Wait for the end.

        Raises:
            MeterstreamError: a process could not go on; the others were stopped.
        """
        try:
            while self._links:
                if self._stop():
                    self._event.set()
                for link in wait(list(self._links), _LOOK_S):
                    self._hear(link)
            return self._summary()
        finally:
            self._event.set()
            for process in self._processes:
                process.join(_FAREWELL_S)
                process.terminate()

    def _hear(self, link: Any) -> None:
        part = self._links[link]
        try:
            word: Word = link.recv()
        except EOFError:
            del self._links[link]
            if part not in self._done:
                raise MeterstreamError(f"publisher {part} ended without a report; see above") from None
            return
        if isinstance(word, Failed):
            raise MeterstreamError(word.reason)
        if isinstance(word, Line):
            self._tell(word.text)
        elif isinstance(word, Done):
            self._done[part] = word
        else:
            self._progress[part] = word
            every = self._progress.values()
            self._watch(_sum([one.sent for one in every]), _sum([one.acked for one in every]))

    def _summary(self) -> Summary:
        done = list(self._done.values())
        return Summary(
            _together([one.report for one in done]),
            sum(one.garbage for one in done),
            sum(one.fingerprint for one in done) % 2**64,
            max(one.reached_s for one in done),
            sum(one.processor_s for one in done),
        )


def _sum(tallies: list[Tally]) -> Tally:
    return Tally(sum(one.messages for one in tallies), sum(one.readings for one in tallies))


def _together(reports: list[PublishReport]) -> PublishReport:
    seconds = max(one.seconds for one in reports)
    acked = sum(one.acked for one in reports)
    slips = [(one.slip_p50_ms, one.slip_p99_ms) for one in reports]
    p50, p99 = ([slip[which] for slip in slips if slip[which] is not None] for which in (0, 1))
    return PublishReport(
        readings=sum(one.readings for one in reports),
        messages=sum(one.messages for one in reports),
        acked=acked,
        refused=sum(one.refused for one in reports),
        seconds=seconds,
        offered_per_s=sum(one.offered_per_s for one in reports),
        achieved_per_s=acked / seconds if seconds > 0 else 0.0,
        slip_p50_ms=max((slip for slip in p50 if slip is not None), default=None),
        slip_p99_ms=max((slip for slip in p99 if slip is not None), default=None),
        stopped=any(one.stopped for one in reports),
    )
