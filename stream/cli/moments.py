"""Moments on the command line: an instant with its offset, or how long ago."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import click

_AGO = re.compile(r"^(\d+(?:\.\d+)?)(s|m|h|d)$")
_UNIT_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


class Moment(click.ParamType):
    """`2026-01-31T12:00:00Z`, `2026-01-31T13:00:00+01:00`, or `90s`, `15m`, `2h`, `1d` before now."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the moment in UTC."""
        if isinstance(value, datetime):
            return value
        ago = _AGO.match(value)
        if ago is not None:
            return datetime.now(UTC) - timedelta(seconds=float(ago[1]) * _UNIT_S[ago[2]])
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is neither a time such as 2026-01-31T12:00:00Z nor an age such as 15m", param, ctx)
        if moment.tzinfo is None:
            whole = value if len(value) > len("2026-01-31") else f"{value}T00:00:00"
            self.fail(f"{value!r} lacks its offset: write {whole}Z for UTC, or {whole}+01:00", param, ctx)
        return moment.astimezone(UTC)
