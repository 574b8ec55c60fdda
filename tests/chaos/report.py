"""The account of a run: a line per trial, and a table of faults x trials x lost x doubled x recovery time."""

from collections import defaultdict
from collections.abc import Iterable
from statistics import median

from tests.chaos.trial import Result

_HEADER = ("fault", "trials", "failed", "readings", "lost", "doubled", "recovery p50", "recovery max", "catch-up min")


def line(result: Result) -> str:
    """Say how one trial went."""
    recovery = "never" if result.recovery_s is None else f"{result.recovery_s:.1f} s"
    head = (
        f"{'ok  ' if result.passed else 'FAIL'} seed {result.seed}: {result.kind} ({'; '.join(result.did)}): "
        f"{result.readings} readings, {result.lost} lost, {result.doubled} doubled, recovered in {recovery}, "
        f"{result.seconds:.0f} s"
    )
    return "\n".join([head, *(f"       {wrong}" for wrong in result.wrong)])


def table(results: Iterable[Result]) -> str:
    """Return the table as Markdown."""
    by_kind: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        by_kind[result.kind].append(result)
    rows = [_row(kind, found) for kind, found in by_kind.items()]
    every = [result for found in by_kind.values() for result in found]
    if len(by_kind) > 1:
        rows.append(_row("**all**", every))
    body = ["| " + " | ".join(row) + " |" for row in (_HEADER, ("---",) * len(_HEADER), *rows)]
    return "\n".join(body)


def _row(kind: str, found: list[Result]) -> tuple[str, ...]:
    recoveries = [result.recovery_s for result in found if result.recovery_s is not None]
    rates = [result.catch_up for result in found if result.catch_up is not None]
    return (
        kind,
        str(len(found)),
        str(sum(not result.passed for result in found)),
        f"{sum(result.readings for result in found):,}",
        str(sum(result.lost for result in found)),
        str(sum(result.doubled for result in found)),
        f"{median(recoveries):.1f} s" if recoveries else "-",
        f"{max(recoveries):.1f} s" if recoveries else "-",
        f"{min(rates):.0f}x" if rates else "-",
    )
