"""`meterstream market`: questions about prices, asked of the database or of published files."""

import click

from stream.cli.market_clear import clear_command
from stream.cli.market_labels import labels_command
from stream.cli.market_prices import duration_command, volatility_command
from stream.cli.market_relations import correlation_command, renewables_command


@click.group()
def market() -> None:
    """Clear auctions, and ask what prices did: duration, volatility, correlation, response to renewables.

    A series is MARKET/SYMBOL, its settlement prices, or MARKET/SYMBOL/KIND.

    Example: meterstream market duration aemo_nem/NSW1 --since 30d --above 300
    """


for command in (
    clear_command,
    duration_command,
    volatility_command,
    correlation_command,
    renewables_command,
    labels_command,
):
    market.add_command(command)
