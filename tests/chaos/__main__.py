"""`python -m tests.chaos`: many trials on one stack, with a table in the end; exit code 0 only when all passed."""

import json
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click

from tests.chaos.faults import KINDS
from tests.chaos.field import Ground
from tests.chaos.report import line, table
from tests.chaos.trial import Result, kind_of, run_trial


@click.command()
@click.option("--trials", type=click.IntRange(1), help="How many; 1 where a seed is given, else one of each fault.")
@click.option("--seed", type=click.IntRange(0), help="The first seed; each trial has the next one.")
@click.option("--only", multiple=True, help="Only faults whose name contains this; may be given several times.")
@click.option("--patience", default=1.0, show_default=True, help="Factor on how long outages last.")
@click.option("--json", "report", type=click.Path(path_type=Path), help="Write everything that was found to this file.")
@click.option("--untimed", is_flag=True, help="Tell rates, do not judge them: for a machine that is not yours alone.")
@click.option("--keep", is_flag=True, help="Leave logs and data of the last servers where they are.")
def main(
    trials: int | None,
    seed: int | None,
    only: tuple[str, ...],
    patience: float,
    report: Path | None,
    untimed: bool,
    keep: bool,
) -> None:
    """Kill, stop, cut off and fill up, and prove each time that nothing was lost and nothing counted twice.

    Example: python -m tests.chaos --seed 17
    """
    # Servers, engine and file system go in order also where somebody else ends the run.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    count = trials or (len(KINDS) if seed is None else 1)
    seeds = _seeds(seed or 0, count, only)
    results: list[Result] = []

    def note(result: Result) -> None:
        """Write after each trial, so that a run that is ended leaves what it found."""
        results.append(result)
        if report:
            report.write_text(json.dumps([result.as_json() for result in results], indent=1) + "\n")

    began = time.monotonic()
    remaining = list(seeds)
    while remaining:
        directory = Path(tempfile.mkdtemp(prefix="chaos-"))
        try:
            _on_one_ground(directory, remaining, note, patience, not untimed, began, len(seeds))
        except Exception as error:  # noqa: BLE001 - a ground that is beyond use fails its trial, not the run
            gone = remaining.pop(0)
            note(_broken(gone, error))
            click.echo(line(results[-1]))
        if keep or not results[-1].passed:
            click.echo(f"       logs: {directory}")
    click.echo(f"\n{table(results)}\n")
    failed = [result.seed for result in results if not result.passed]
    if failed:
        click.echo(f"failed: {', '.join(f'make chaos SEED={number}' for number in failed)}")
    sys.exit(bool(failed))


def _seeds(first: int, count: int, only: tuple[str, ...]) -> list[int]:
    found = []
    number = first
    while len(found) < count:
        if not only or any(word.lower() in kind_of(number).name.lower() for word in only):
            found.append(number)
        number += 1
        if number > first + 1_000 + 100 * count:
            raise click.ClickException(f"no fault is called like {only}; there are {[kind.name for kind in KINDS]}")
    return found


def _on_one_ground(
    directory: Path,
    remaining: list[int],
    note: Callable[[Result], None],
    patience: float,
    timed: bool,
    began: float,
    total: int,
) -> None:
    """Run trials on one stack until all are done or one has failed: then the next ones need a clean one."""
    with Ground(directory) as ground:
        while remaining:
            seed = remaining[0]
            reason = kind_of(seed).absent(ground)
            if reason is not None:
                click.echo(f"skip seed {seed}: {kind_of(seed).name}: {reason}")
                remaining.pop(0)
                continue
            result = run_trial(ground, seed, patience=patience, timed=timed)
            remaining.pop(0)
            note(result)
            left_s = (time.monotonic() - began) / (total - len(remaining)) * len(remaining)
            click.echo(f"[{total - len(remaining)}/{total}, about {left_s / 60:.0f} min left] {line(result)}")
            if not result.passed:
                click.echo("       " + "\n       ".join(ground.crew.told[-12:]))
                return


def _broken(seed: int, error: Exception) -> Result:
    told = f"the trial could not be run: {type(error).__name__}: {error}"
    return Result(seed, kind_of(seed).name, [], 0, 0, 0, [told], None, None, 0, {})


if __name__ == "__main__":
    main()
