"""`meterstream doctor`: is everything here that the engine needs, and does it work?"""

import json
import sys

import click
from rich.markup import escape

from stream import settings
from stream.cli.console import output
from stream.cli.errors import plain_errors
from stream.doctor.findings import Finding, Level
from stream.doctor.run import examine

_COLOURS = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "red"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@plain_errors
def doctor(as_json: bool) -> None:
    """Look at the machine, the services and the engine's processes, and say what to do where something is wrong.

    The exit code is 1 if anything fails; warnings do not count.

    Example: meterstream doctor

    Example: meterstream doctor --json | jq '.findings[] | select(.level != "ok")'
    """
    findings = examine(settings.load())
    failed = any(finding.level is Level.FAIL for finding in findings)
    if as_json:
        click.echo(json.dumps({"ok": not failed, "findings": [finding.as_json() for finding in findings]}))
    else:
        _print(findings)
    sys.exit(1 if failed else 0)


def _print(findings: list[Finding]) -> None:
    console = output()
    for finding in findings:
        head = f"[{_COLOURS[finding.level]}]{finding.level:4}[/]  {finding.name:14}"
        console.print(f"{head} {escape(finding.detail)}", soft_wrap=True)
        if finding.remedy:
            console.print(f"{'':20} [bold]-> {escape(finding.remedy)}[/]", soft_wrap=True)
    counts = {level: sum(finding.level is level for finding in findings) for level in Level}
    console.print(f"{counts[Level.OK]} ok, {counts[Level.WARN]} warnings, {counts[Level.FAIL]} failures")
