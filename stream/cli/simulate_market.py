"""`meterstream simulate market`: markets with known truth, published at a known rate."""

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from simulators.labels import write_labels
from simulators.market.listing import choose
from simulators.pacing import UNPACED
from simulators.profile import MarketProfile, load_profile, profile_names
from stream import settings
from stream.cli.errors import plain_errors
from stream.cli.progress import progress, stop_on_interrupt
from stream.cli.quantities import Duration
from stream.cli.simulate_options import finish, run_options, start_of
from stream.cli.simulate_text import print_summary
from stream.markets import load_markets
from stream.simulate.crew import Summary
from stream.simulate.market_run import run_markets
from stream.simulate.market_supply import GRID_S, MarketMode, MarketPlan, open_markets
from stream.simulate.plan import span_of
from stream.simulate.run import Bystander, Outcome, rehearse


@click.command(
    epilog="\b\nExamples:\n"
    "  meterstream simulate market --duration 24h --speedup 600 --profile showcase\n"
    "  meterstream simulate market --markets aemo_nem,omie/ES --mode kafka --speedup max\n"
    "  meterstream simulate market --markets nordpool --symbols 4 --seed 7 --dry-run --hash"
)
@click.option(
    "--markets",
    "names",
    default="",
    help="Markets, or single symbols as market/symbol, with commas between. Default: all that are defined.",
)
@click.option("--symbols", type=click.IntRange(1), help="So many symbols of each market. Default: all.")
@click.option(
    "--definitions",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Market definitions of your own (TOML); default: METERSTREAM_MARKETS_FILE.",
)
@click.option(
    "--jitter", type=Duration(), default="30s", show_default=True, help="Settlement prices come within this time."
)
@click.option("--burst", is_flag=True, help="All ticks leave at the edges of five minutes.")
@click.option(
    "--mode",
    type=click.Choice([mode.value for mode in MarketMode]),
    default=MarketMode.SYMBOL.value,
    show_default=True,
    help="A message per tick, arrays by symbol, or past the bridge into Kafka.",
)
@click.option(
    "--profile",
    default="everyday",
    show_default=True,
    help=f"Anomalies and tick rates: {', '.join(profile_names(MarketProfile))}, or a file.",
)
@click.option("--no-kafka", is_flag=True, help="Keep labels out of their Kafka topic (MQTT modes).")
@run_options("ticks")
@plain_errors
def market(labels_file: Path | None, dry_run: bool, as_json: bool, **choices: Any) -> None:
    """Publish the ticks of simulated markets on an open-loop schedule, with labelled anomalies.

    Settlement prices and their revisions, quotes with depth, trades, demand, renewable output and forecasts. A slow
    system shows as slip behind the schedule, not as a lower offered rate. Ctrl-C ends in order, with the labels of what
    was sent. The exit code is 0 only if everything was acknowledged.
    """
    plan = _plan(choices, dry_run=dry_run)
    if dry_run:
        _dry_run(plan, labels_file, as_json=as_json)
        return
    with progress(plan.ticks, "ticks") as (watch, tell), stop_on_interrupt(tell) as stop:
        outcome = run_markets(plan, settings.load(), Bystander(stop, watch, tell), kafka=not choices["no_kafka"])
    if labels_file is not None:
        write_labels(labels_file, outcome.labels)
    finish(
        outcome,
        _as_json(plan, outcome) if as_json else None,
        lambda: print_summary(outcome, "ticks", labels_file, fingerprint=plan.fingerprint),
    )


def _plan(choices: dict[str, Any], *, dry_run: bool) -> MarketPlan:
    definitions = load_markets(choices["definitions"] or settings.load().markets_file)
    names = [name.strip() for name in choices["names"].split(",") if name.strip()]
    start_s, end_s = span_of(start_of(choices), choices["duration"], GRID_S)
    return MarketPlan(
        markets=choose(definitions, names, choices["symbols"]),
        seed=choices["seed"],
        start_s=start_s,
        end_s=end_s,
        speedup=UNPACED if dry_run else choices["speedup"],
        jitter_s=choices["jitter"].total_seconds(),
        burst=choices["burst"],
        mode=MarketMode(choices["mode"]),
        publishers=choices["publishers"],
        profile=load_profile(choices["profile"], MarketProfile),
        fingerprint=choices["fingerprint"],
    )


def _dry_run(plan: MarketPlan, labels_file: Path | None, *, as_json: bool) -> None:
    truth = plan.labels()
    if labels_file is not None:
        write_labels(labels_file, truth)
    faults = Counter(label.fault.value for label in truth)
    summary = None
    if plan.fingerprint:
        with progress(plan.ticks, "ticks") as (watch, tell), stop_on_interrupt(tell) as stop:
            summary = rehearse(plan, open_markets, settings.load(), Bystander(stop, watch, tell))
    if as_json:
        click.echo(json.dumps({**_about(plan), "faults": faults, **_rehearsed(summary)}))
        return
    for one, symbols in plan.markets:
        click.echo(f"{one.market:22} {one.currency} per {one.unit:12} {len(symbols):>3} symbols: {', '.join(symbols)}")
    click.echo(f"{plan.start:%Y-%m-%d %H:%M} to {plan.end:%Y-%m-%d %H:%M} UTC: about {plan.ticks:,} ticks at most")
    click.echo(f"anomalies: {', '.join(f'{count} {name}' for name, count in faults.items()) or 'none'}")
    if summary is not None:
        rate = summary.report.readings / summary.processor_s if summary.processor_s else 0.0
        click.echo(f"hash {summary.fingerprint:016x} of {summary.report.readings:,} ticks")
        click.echo(f"generated at {rate:,.0f} ticks/s per core, hashing included")


def _rehearsed(summary: Summary | None) -> dict[str, Any]:
    if summary is None:
        return {}
    return {
        "hash": f"{summary.fingerprint:016x}",
        "generated": summary.report.readings,
        "processor_s": round(summary.processor_s, 2),
    }


def _about(plan: MarketPlan) -> dict[str, Any]:
    return {
        "markets": {one.market: list(symbols) for one, symbols in plan.markets},
        "seed": plan.seed,
        "start": plan.start.isoformat(),
        "end": plan.end.isoformat(),
        "mode": plan.mode.value,
        "publishers": plan.publishers,
    }


def _as_json(plan: MarketPlan, outcome: Outcome) -> dict[str, Any]:
    report = asdict(outcome.summary.report)
    return {
        **_about(plan),
        "ticks": report.pop("readings"),
        **report,
        "hash": f"{outcome.summary.fingerprint:016x}" if plan.fingerprint else None,
        "labels": len(outcome.labels),
    }
