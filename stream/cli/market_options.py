"""What all questions about prices take: a span of time, and files instead of the database."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from simulators.feeds.formats import FEEDS
from stream import settings
from stream.cli.errors import plain_errors
from stream.cli.moments import Moment
from stream.endpoints import resolve
from stream.market.price_source import Name, PublishedFigures, Series, Span, StoredFigures
from stream.markets import load_markets

R = TypeVar("R")
#: Problems shown in the terminal; all are counted.
_SHOWN = 20


@dataclass(frozen=True)
class Question:
    """Where to look, and how to answer.

    Attributes:
        source: of the series.
        span: of time.
        as_json: whether a program reads the answer.
    """

    source: StoredFigures | PublishedFigures
    span: Span
    as_json: bool

    def read(self, text: str, kind: str = "settlement") -> Series:
        """Return a series by its name; a kind where the name has none."""
        name = Name.parse(text)
        return self.source.read(name if text.count("/") == 2 else name._replace(kind=kind), self.span)


def questions(command: Callable[..., R]) -> Callable[..., R]:
    """Add the options, and hand a command a `Question` for them."""

    @click.option("--since", type=Moment(), help="From this time on. Default: all.")
    @click.option("--until", type=Moment(), help="Up to this time. Default: all.")
    @click.option(
        "--file",
        "paths",
        multiple=True,
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Ask a published file instead of the database; may be given again.",
    )
    @click.option("--format", "format_name", type=click.Choice(sorted(FEEDS)), help="Of the files.")
    @click.option("--json", "as_json", is_flag=True, help="Print JSON, one object per line.")
    @wraps(command)
    @plain_errors
    def asked(
        *args: Any,
        since: datetime | None,
        until: datetime | None,
        paths: tuple[Path, ...],
        format_name: str | None,
        as_json: bool,
        **more: Any,
    ) -> R:
        if bool(paths) != (format_name is not None):
            raise click.UsageError("--file and --format belong together")
        with _source(paths, format_name) as source:
            return command(*args, question=Question(source, Span(since, until), as_json), **more)

    return asked


@contextmanager
def _source(paths: tuple[Path, ...], format_name: str | None) -> Iterator[StoredFigures | PublishedFigures]:
    """Give the source; afterwards, say what could not be read of it."""
    chosen = settings.load()
    markets = load_markets(chosen.markets_file)
    if format_name is None:
        yield StoredFigures(resolve(chosen, needs=("database_url",)).database_url, markets)
        return
    source = PublishedFigures(paths, FEEDS[format_name], markets)
    yield source
    for problem in source.findings.problems[:_SHOWN]:
        click.echo(f"line {problem.line}: {problem.detail}", err=True)
    if source.findings.count:
        click.echo(f"{source.findings.count} lines could not be read; what is said is of the others", err=True)
