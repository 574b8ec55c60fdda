"""Where the demo shows itself: a picture that changes in place, or a line now and then."""

import time
from typing import Protocol, Self

from rich.console import Console
from rich.live import Live

from stream.demo.snapshot import Snapshot
from stream.demo.view import draw, line

#: Lines on a terminal that does not understand more, or in a log [s].
_LINE_EVERY_S = 5.0


class Screen(Protocol):
    """Something that shows the demo; a context manager."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def tell(self, text: str) -> None:
        """Show what happened, once."""

    def show(self, now: Snapshot) -> None:
        """Show how things are, until the next call."""

    def finish(self) -> None:
        """Show nothing more; what is told from now on comes last."""


class Picture:
    """A picture that changes in place.

    Args:
        console: a terminal.
        started: when the command began, on the monotonic clock [s].
    """

    def __init__(self, console: Console, started: float) -> None:
        self._console, self._started = console, started
        self._live = Live(console=console, auto_refresh=False)
        self._shown = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()

    def tell(self, text: str) -> None:
        """Print above the picture."""
        self._console.print(f"[dim]{time.monotonic() - self._started:6.1f} s[/]  {text}", soft_wrap=True)

    def show(self, now: Snapshot) -> None:
        """Draw the picture anew."""
        if not self._shown:
            self._live.start()
            self._shown = True
        self._live.update(draw(now), refresh=True)

    def finish(self) -> None:
        """Leave the picture as it is."""
        self._live.stop()


class Lines:
    """A line every few seconds.

    Args:
        console: no terminal.
        started: when the command began, on the monotonic clock [s].
    """

    def __init__(self, console: Console, started: float) -> None:
        self._console, self._started = console, started
        self._next_at = 0.0
        self._phase = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def tell(self, text: str) -> None:
        """Print a line."""
        self._console.print(f"{time.monotonic() - self._started:6.1f} s  {text}", soft_wrap=True)

    def show(self, now: Snapshot) -> None:
        """Print a line when it is time, or when something else begins."""
        if time.monotonic() >= self._next_at or now.phase != self._phase:
            self._next_at, self._phase = time.monotonic() + _LINE_EVERY_S, now.phase
            self._console.print(line(now), soft_wrap=True)

    def finish(self) -> None:
        """Do nothing: every line is the last one until the next."""


def screen(started: float) -> Screen:
    """Return what standard output is fit for."""
    console = Console(highlight=False)
    return Picture(console, started) if console.is_terminal else Lines(console, started)
