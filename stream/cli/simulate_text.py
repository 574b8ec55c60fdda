"""What `meterstream simulate` says in words."""

from pathlib import Path

import click

from stream.simulate.crew import Summary
from stream.simulate.plan import Plan
from stream.simulate.run import Outcome
from stream.simulate.shape import Shape


def print_shape(plan: Plan, shape: Shape, summary: Summary | None) -> None:
    """Describe a fleet that has sent nothing."""
    click.echo(
        f"{shape.meters:,} meters on {shape.transformers:,} transformers ({shape.transformer_mva:,.0f} MVA), "
        f"{shape.feeders:,} feeders, {shape.substations:,} substations, {shape.regions} regions"
    )
    for title, counts in (("customers", shape.kinds), ("devices", shape.devices)):
        click.echo(f"{title}:")
        for name, count in counts.items():
            click.echo(f"  {name:22} {count:>12,}  {100 * count / shape.meters:5.1f} %")
    click.echo(f"three phase: {shape.three_phase:,}")
    click.echo(
        f"first day: {shape.mean_load_mw:,.1f} MW mean, {shape.peak_load_mw:,.1f} MW peak, "
        f"heaviest transformer at {100 * shape.heaviest_loading:.0f} %"
    )
    click.echo(f"{plan.start:%Y-%m-%d %H:%M} to {plan.end:%Y-%m-%d %H:%M} UTC: {shape.readings:,} readings")
    faults = ", ".join(f"{count:,} {name}" for name, count in shape.faults.items())
    click.echo(f"faults: {faults or 'none'}")
    click.echo(f"built in {shape.built_s:.1f} s with {shape.memory_gb:.2f} GB")
    if summary is not None:
        rate = summary.report.readings / summary.processor_s if summary.processor_s else 0.0
        click.echo(f"hash {summary.fingerprint:016x} of {summary.report.readings:,} readings")
        click.echo(f"generated at {rate:,.0f} readings/s per core, hashing included")


def print_summary(
    outcome: Outcome, rows: str, labels_file: Path | None, *, more: str = "", fingerprint: bool = False
) -> None:
    """Say what a run came to.

    Args:
        outcome: of the run.
        rows: what was sent, such as `readings`.
        labels_file: where the labels are, if in a file.
        more: what else there is to say, at the end of the first line.
        fingerprint: whether the hash was asked for.
    """
    report = outcome.summary.report
    click.echo(
        f"{report.readings:,} {rows} in {report.messages:,} messages, {report.acked:,} acknowledged, "
        f"{report.refused:,} refused{more}"
    )
    click.echo(
        f"{report.seconds:.1f} s: {report.offered_per_s:,.0f} {rows}/s offered, {report.achieved_per_s:,.0f} achieved"
    )
    if report.slip_p50_ms is not None:
        click.echo(f"behind schedule: median {report.slip_p50_ms:.1f} ms, 99 % {report.slip_p99_ms:.1f} ms")
    click.echo(f"{len(outcome.labels):,} faults labelled{f' in {labels_file}' if labels_file else ''}")
    if fingerprint:
        click.echo(f"hash {outcome.summary.fingerprint:016x}")
