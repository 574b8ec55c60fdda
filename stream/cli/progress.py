"""A progress bar on a terminal, and Ctrl-C as a polite request."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from simulators.transport import Tally


@contextmanager
def progress(total: int, rows: str) -> Iterator[tuple[Callable[[Tally, Tally], None], Callable[[str], None]]]:
    """Show how many of so many readings or ticks are acknowledged; nothing but lines where there is no terminal.

    Yields: what to call with (sent, acknowledged), and what to call with a line for a person.
    """
    console = Console(stderr=True)
    columns = (
        BarColumn(),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        TextColumn(f"{{task.fields[rate]:,.0f}} {rows}/s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=total, rate=0.0)

        def watch(_sent: Tally, acked: Tally) -> None:
            bar.update(task, completed=acked.readings, rate=bar.tasks[0].speed or 0.0)

        yield watch, lambda line: console.print(line, style="yellow", highlight=False)


@contextmanager
def stop_on_interrupt(tell: Callable[[str], None]) -> Iterator[Callable[[], bool]]:
    """Turn the first SIGINT or SIGTERM into a polite end; the second one ends at once."""
    asked = threading.Event()

    def ask(number: int, _frame: object) -> None:
        if asked.is_set():
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        asked.set()
        tell("stopping; what is under way is still being acknowledged")

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
