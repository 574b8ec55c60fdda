"""The `meterstream` command: one group, one module per family of commands, loaded when called."""

from importlib import import_module

import click

#: command name -> (module, attribute, one line for `--help`); modules load only when their command runs.
COMMANDS = {
    "demo": ("stream.cli.demo", "demo", "Everything from nothing, with something to look at."),
    "up": ("stream.cli.up", "up", "Run the local stack and the engine until Ctrl-C."),
    "stack": ("stream.cli.stack", "stack", "Start, stop and inspect the local servers."),
    "run": ("stream.cli.run", "run", "Run one process of the engine: bridge, worker, alert desk, feed."),
    "simulate": ("stream.cli.simulate", "simulate", "Publish invented readings and ticks whose every fault is known."),
    "replay": ("stream.cli.replay", "replay", "Publish a recorded file through MQTT."),
    "latest": ("stream.cli.latest", "latest", "Show the newest reading of meters."),
    "grid": ("stream.cli.grid", "grid", "What is without power, and how reliable the grid was."),
    "alerts": ("stream.cli.alerts", "alerts", "Watch alerts and act on them."),
    "models": ("stream.cli.models", "models", "Train models that score readings, and say which one serves."),
    "market": ("stream.cli.market", "market", "Clear auctions, and ask what prices did."),
    "vee": ("stream.cli.vee", "vee", "Rules of data quality, and files in the formats of the market."),
    "registry": ("stream.cli.registry", "registry", "Which meters there are and what feeds them, as a CSV file."),
    "db": ("stream.cli.db", "db", "Bring the database to the newest schema, or look at it."),
    "reconcile": ("stream.cli.reconcile", "reconcile", "Prove that nothing was lost."),
    "doctor": ("stream.cli.doctor", "doctor", "Say what is missing or broken, and what to do about it."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are asked for, so that `--help` stays quick."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the command names in the order that a new user meets them."""
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        """Import and return one command, or None where there is no such command."""
        if name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[name]
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with their one line, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_line) for name, (_, _, help_line) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="meterstream")
def main() -> None:
    """Streaming analytics for smart meters and energy markets.

    Start with `meterstream demo`, or `meterstream stack up` and `meterstream run worker`.
    """
