"""`meterstream simulate`: fleets and markets with known truth, published at a known rate."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from simulators.labels import labels, write_labels
from simulators.pacing import UNPACED
from simulators.profile import load_profile, profile_names
from stream import settings
from stream.cli.errors import plain_errors
from stream.cli.progress import progress, stop_on_interrupt
from stream.cli.quantities import Duration, Interval
from stream.cli.simulate_market import market
from stream.cli.simulate_options import finish, run_options, start_of
from stream.cli.simulate_score import score_command
from stream.cli.simulate_text import print_shape, print_summary
from stream.simulate.crew import Summary
from stream.simulate.fleet_supply import open_fleet
from stream.simulate.plan import FleetMode, Plan, span_of
from stream.simulate.run import Bystander, Outcome, rehearse, run
from stream.simulate.shape import shape_of


@click.group()
def simulate() -> None:
    """Publish invented readings and ticks whose every fault is known."""


simulate.add_command(score_command)
simulate.add_command(market)


@simulate.command(
    epilog="\b\nExamples:\n"
    "  meterstream simulate meters --meters 1000 --duration 24h --speedup 600 --profile showcase\n"
    "  meterstream simulate meters --meters 1200000 --seed 7 --dry-run\n"
    "  meterstream simulate meters --mode kafka --speedup max --publishers 2 --profile clean"
)
@click.option("--meters", type=click.IntRange(1), default=1_000, show_default=True, help="How many meters.")
@click.option("--feeders", type=click.IntRange(1), help="How many feed them; one for about 540 meters, unless said.")
@click.option(
    "--interval", type=Interval(), default="15m", show_default=True, help="Between readings; mixed is 5, 15 and 30 min."
)
@click.option("--jitter", type=Duration(), default="45s", show_default=True, help="Readings leave within this time.")
@click.option("--burst", is_flag=True, help="All readings leave at the edge of their interval: no jitter.")
@click.option(
    "--mode",
    type=click.Choice([mode.value for mode in FleetMode]),
    default=FleetMode.CONCENTRATOR.value,
    show_default=True,
    help="A message per reading, one per transformer, or past the bridge into Kafka.",
)
@click.option(
    "--profile", default="everyday", show_default=True, help=f"Faults: {', '.join(profile_names())}, or a file."
)
@click.option(
    "--transformer-meters", is_flag=True, help="Transformers have meters, too: energy balances become possible."
)
@click.option("--no-kafka", is_flag=True, help="Keep registry and labels out of their Kafka topics (MQTT modes).")
@run_options("readings")
@plain_errors
def meters(labels_file: Path | None, dry_run: bool, as_json: bool, **choices: Any) -> None:
    """Publish the readings of a simulated fleet on an open-loop schedule, with labelled faults.

    A slow system shows as slip behind the schedule, not as a lower offered rate. Ctrl-C ends in order, with the labels
    of what was sent. The exit code is 0 only if everything was acknowledged.
    """
    plan = _plan(choices, dry_run=dry_run)
    if dry_run:
        _dry_run(plan, labels_file, as_json=as_json)
        return
    with progress(plan.readings, "readings") as (watch, tell), stop_on_interrupt(tell) as stop:
        outcome = run(plan, settings.load(), Bystander(stop, watch, tell), kafka=not choices["no_kafka"])
    if labels_file is not None:
        write_labels(labels_file, outcome.labels)
    said = _as_json(plan, outcome) if as_json else None
    more = f"; {outcome.summary.garbage:,} messages of garbage; {outcome.registered:,} meters registered"
    finish(
        outcome,
        said,
        lambda: print_summary(outcome, "readings", labels_file, more=more, fingerprint=plan.fingerprint),
    )


def _plan(choices: dict[str, Any], *, dry_run: bool) -> Plan:
    interval_s, speedup, duration = choices["interval"] or None, choices["speedup"], choices["duration"]
    start_s, end_s = span_of(start_of(choices), duration, interval_s)
    return Plan(
        meters=choices["meters"],
        seed=choices["seed"],
        interval_s=interval_s,
        start_s=start_s,
        end_s=end_s,
        speedup=UNPACED if dry_run else speedup,
        jitter_s=0.0 if choices["burst"] else choices["jitter"].total_seconds(),
        mode=FleetMode(choices["mode"]),
        publishers=choices["publishers"],
        profile=load_profile(choices["profile"]),
        feeders=choices["feeders"],
        transformer_meters=choices["transformer_meters"],
        fingerprint=choices["fingerprint"],
    )


def _dry_run(plan: Plan, labels_file: Path | None, *, as_json: bool) -> None:
    shape = shape_of(plan)
    if labels_file is not None:
        grid = plan.grid()
        write_labels(labels_file, list(labels(plan.faults(grid), grid)))
    summary = None
    if plan.fingerprint:
        with progress(shape.readings, "readings") as (watch, tell), stop_on_interrupt(tell) as stop:
            summary = rehearse(plan, open_fleet, settings.load(), Bystander(stop, watch, tell))
    if as_json:
        rehearsal = {} if summary is None else {"hash": f"{summary.fingerprint:016x}", **_rates(summary)}
        click.echo(json.dumps({**_about(plan), **shape.as_json(), **rehearsal}))
    else:
        print_shape(plan, shape, summary)


def _rates(summary: Summary) -> dict[str, Any]:
    return {"generated": summary.report.readings, "processor_s": round(summary.processor_s, 2)}


def _about(plan: Plan) -> dict[str, Any]:
    return {
        "meters": plan.meters,
        "seed": plan.seed,
        "start": plan.start.isoformat(),
        "end": plan.end.isoformat(),
        "interval_s": plan.interval_s,
        "mode": plan.mode.value,
        "publishers": plan.publishers,
    }


def _as_json(plan: Plan, outcome: Outcome) -> dict[str, Any]:
    summary = outcome.summary
    return {
        **_about(plan),
        **asdict(summary.report),
        "garbage_messages": summary.garbage,
        "hash": f"{summary.fingerprint:016x}" if plan.fingerprint else None,
        "labels": len(outcome.labels),
        "registered": outcome.registered,
    }
