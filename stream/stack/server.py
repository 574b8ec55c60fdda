"""What the supervisor asks of a server."""

from collections.abc import Callable
from typing import Protocol

from stream.stack.process import Launch

#: Told in a few words what a server is busy with.
Report = Callable[[str], None]


class Server(Protocol):
    """One external program of the stack.

    `check` is called by whoever wants the stack up; `prepare`, the start and `probe` by the supervisor, at every start
    again, so all of them find their own work done already and repeat nothing that is expensive.
    """

    @property
    def name(self) -> str:
        """Return the short name: kafka, mqtt, postgres or redis."""

    @property
    def product(self) -> str:
        """Return the program behind the name."""

    @property
    def url(self) -> str:
        """Return where clients connect."""

    def check(self) -> None:
        """Make sure that the machine has what the server needs.

        Raises:
            MissingProgramError: something must be installed first.
        """

    def prepare(self, report: Report) -> Launch:
        """Write the configuration, initialise the data folder, and return how to start.

        Raises:
            StackError: the server cannot be started, and trying again would not help.
        """

    def probe(self) -> None:
        """Connect as a client would.

        Raises:
            NotReadyError: the server does not serve yet.
        """
