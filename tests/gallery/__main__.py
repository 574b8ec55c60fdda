"""What dashboards look like: fills a database of its own, asks every panel's query, draws; `make gallery`."""

import asyncio
import io
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import click
import psycopg
from matplotlib.figure import Figure
from PIL import Image
from psycopg.rows import DictRow, dict_row

from panels.board import Dashboard
from panels.catalogue import DASHBOARDS
from sinks.migrations import has_timescale
from stream.stack.stack import LocalStack
from tests import grafana
from tests.documents import ROOT
from tests.gallery import filling
from tests.gallery.drawing import Row, draw
from tests.gallery.page import FOLDER, PAGE, picture_of, text

#: What is chosen above the panels; the rest is as a dashboard opens.
_CHOSEN: dict[str, grafana.Choice] = {"market": filling.MARKET, "symbol": filling.SYMBOL}
#: Settlement prices have no depth, and no volume; an absurd trade would flatten the bars of the symbol that has it.
_CHOSEN_OF = {"Depth": {"kind": "quote"}, "Bars": {"kind": "trade", "symbol": "FR"}}
_OFTEN = """
SELECT meter_number FROM explained_readings WHERE unit = 'kWh' AND reading_time > %s
GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1
"""
_LENGTHS = {"h": timedelta(hours=1), "d": timedelta(days=1)}
_COLORS = 64


@dataclass(frozen=True)
class Grafana:
    """Asks as Grafana does.

    Attributes:
        connection: with its role's rights.
        timescale: whether the database has TimescaleDB.
        until: the time now.
        meter: the one that is typed.
    """

    connection: psycopg.Connection[DictRow]
    timescale: bool
    until: datetime
    meter: str

    def span(self, board: Dashboard) -> tuple[datetime, datetime]:
        """Return the time that a dashboard shows when it is opened."""
        number, unit = board.since.removeprefix("now-")[:-1], board.since[-1]
        return self.until - int(number) * _LENGTHS[unit], self.until

    def rows(self, board: Dashboard) -> dict[str, list[Row]]:
        """Return what the panels of a dashboard show, by title; of those whose query goes to the database."""
        found = dict[str, list[Row]]()
        for panel in board.panels:
            if panel.sql:
                more: Mapping[str, grafana.Choice] = _CHOSEN_OF.get(panel.title, {})
                choices = {**grafana.first_choices(board), **_CHOSEN, "meter": self.meter, **more}
                asked = grafana.with_choices(panel.sql, choices)
                asked = grafana.with_macros(asked, *self.span(board), timescale=self.timescale, interval="1h")
                found[panel.title] = list(self.connection.execute(asked.encode()).fetchall())
        return found


@contextmanager
def _asking(url: str, until: datetime) -> Iterator[Grafana]:
    with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
        with psycopg.connect(url, autocommit=True) as owner:
            timescale = has_timescale(owner)
        found = connection.execute(_OFTEN, (until - timedelta(days=1),)).fetchone()
        if not grafana.become(connection, "meterstream_grafana"):
            raise click.ClickException("the role meterstream_grafana is not there: `meterstream db migrate` makes it")
        connection.execute("SET timezone = 'UTC'")
        yield Grafana(connection, timescale, until, found["meter_number"] if found else "")


def _write(figure: Figure, path: Path) -> int:
    """Write a picture with as few colours as it has; return its size [B]."""
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", facecolor=figure.get_facecolor())
    few = Image.open(drawn).convert("RGB").quantize(_COLORS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    few.save(path, optimize=True)
    return path.stat().st_size


def draw_all(url: str, until: datetime) -> None:
    """Draw every dashboard, and write the page that shows them.

    Raises:
        click.ClickException: a panel shows nothing.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    with _asking(url, until) as database:
        for board in DASHBOARDS:
            rows = database.rows(board)
            if empty := [title for title, found in rows.items() if not found]:
                raise click.ClickException(f"{board.title}: nothing to show in {', '.join(empty)}")
            size = _write(draw(board, rows, database.span(board)), picture_of(board))
            click.echo(f"{picture_of(board).relative_to(ROOT)}: {len(rows)} panels, {size / 1024:.0f} KiB")
    PAGE.write_text(text())


@click.command()
@click.option("--database-url", help="A database that was filled before, instead of one of its own.")
def main(database_url: str | None) -> None:
    """Draw what dashboards look like."""
    until = filling.a_time()
    if database_url:
        return draw_all(database_url, until)
    with tempfile.TemporaryDirectory(prefix="meterstream-gallery-") as folder:
        stack = LocalStack(Path(folder))
        try:
            click.echo("starting servers")
            url = stack.up(attached=True).database_url
            click.echo(f"filling a database: {filling.METERS} meters, {filling.DAYS} days; some minutes")
            asyncio.run(filling.fill(url, until))
            draw_all(url, until)
        finally:
            stack.down(purge=True)


if __name__ == "__main__":
    main()
