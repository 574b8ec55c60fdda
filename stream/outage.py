"""The state of one outside service, told in the log when it changes and at no other time."""

import threading
from typing import Any

import structlog


class Outage:
    """Remembers whether a service is reachable; safe to use from several threads.

    Args:
        service: `mqtt`, `kafka`, `database` or `redis`.
    """

    def __init__(self, service: str) -> None:
        self._service = service
        self._lock = threading.Lock()
        self._cause: str | None = None
        self._told: set[str] = set()

    @property
    def cause(self) -> str | None:
        """Return what is wrong, None while all is well."""
        return self._cause

    def begin(self, cause: object, **facts: Any) -> None:
        """Note that the service is away; each cause is logged once until the service is back."""
        text = str(cause)
        with self._lock:
            self._cause = text
            if text in self._told:
                return
            self._told.add(text)
        structlog.get_logger(self._service).warning("unavailable", cause=text, **facts)

    def end(self) -> None:
        """Note that the service answers; logged where it had been away."""
        if self._cause is None:
            return
        with self._lock:
            self._cause = None
            self._told.clear()
        structlog.get_logger(self._service).warning("available_again")
