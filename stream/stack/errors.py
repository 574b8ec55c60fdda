"""What can go wrong with the local stack, each error saying what to do about it."""


class StackError(Exception):
    """The local stack cannot do what was asked."""


class MissingProgramError(StackError):
    """A program of the machine is absent or too old."""

    def __init__(self, program: str, found: str, remedy: str) -> None:
        self.program = program
        self.found = found
        self.remedy = remedy
        super().__init__(f"{program}: {found}. {remedy}")


class ServerFailedError(StackError):
    """A server could not be started."""

    def __init__(self, server: str, reason: str, log: str) -> None:
        self.server = server
        self.reason = reason
        self.log = log
        super().__init__(f"{server} did not start: {reason}. Its log: {log}")


class NotReadyError(StackError):
    """A server does not answer its health check yet."""
