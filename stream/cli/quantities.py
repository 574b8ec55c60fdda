"""Quantities on the command line: durations, reporting intervals, speed-ups."""

import math
import re
from datetime import timedelta
from typing import Any

import click

from simulators.pacing import UNPACED

_DURATION = re.compile(r"^(\d+(?:\.\d+)?)(s|m|h|d)?$")
_UNIT_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, None: 1}
MIXED = "mixed"


def _seconds(text: str) -> float | None:
    found = _DURATION.match(text)
    return None if found is None else float(found[1]) * _UNIT_S[found[2]]


class Duration(click.ParamType):
    """`90s`, `15m`, `2h`, `1d`, or a number of seconds."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Return the duration."""
        if isinstance(value, timedelta):
            return value
        seconds = _seconds(value)
        if not seconds:
            self.fail(f"{value!r} is no duration such as 90s, 15m, 2h or 1d", param, ctx)
        return timedelta(seconds=seconds)


class Interval(click.ParamType):
    """`5m`, `900`, or `mixed`; the last one is None."""

    name = "TIME|mixed"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the interval [s], 0 for a mixture."""
        if isinstance(value, int):
            return value
        if value == MIXED:
            return 0
        seconds = _seconds(value)
        if not seconds or seconds % 1:
            self.fail(f"{value!r} is no interval such as 5m, 900s or {MIXED}", param, ctx)
        return int(seconds)


class Speedup(click.ParamType):
    """A number above 0, or `max`."""

    name = "X|max"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the speed-up; `max` is infinite."""
        if value == "max":
            return UNPACED
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not 0 < number < math.inf:
            self.fail(f"{value!r} is neither a number above 0 nor 'max'", param, ctx)
        return number
