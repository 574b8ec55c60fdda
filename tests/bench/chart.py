"""Horizontal bars as plain SVG: small, readable in a diff, the same everywhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _LEFT, _ROW, _TOP, _RIGHT = 760, 210, 30, 58, 120


@dataclass(frozen=True)
class Bar:
    """One bar.

    Attributes:
        label: what it is.
        value: how long.
        note: behind its value.
        ours: drawn in our colour.
    """

    label: str
    value: float
    note: str = ""
    ours: bool = False


def bars(title: str, subtitle: str, found: Sequence[Bar]) -> str:
    """Return a chart of bars, from zero, longest scale first."""
    longest = max((bar.value for bar in found), default=1.0) or 1.0
    height = _TOP + _ROW * len(found) + 14
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}" '
        'font-family="Helvetica, Arial, sans-serif">',
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="16" y="24" font-size="16" font-weight="bold" fill="#1f2933">{escape(title)}</text>',
        f'<text x="16" y="43" font-size="12" fill="#52606d">{escape(subtitle)}</text>',
    ]
    for number, bar in enumerate(found):
        top = _TOP + number * _ROW
        width = max(bar.value / longest * (_WIDTH - _LEFT - _RIGHT), 1.0)
        parts += [
            f'<text x="{_LEFT - 10}" y="{top + 16}" font-size="13" text-anchor="end" fill="#1f2933">'
            f"{escape(bar.label)}</text>",
            f'<rect x="{_LEFT}" y="{top + 2}" width="{width:.1f}" height="{_ROW - 10}" rx="2" '
            f'fill="{"#0b7a75" if bar.ours else "#9aa5b1"}"/>',
            f'<text x="{_LEFT + width + 8:.1f}" y="{top + 16}" font-size="12" fill="#1f2933">'
            f"{escape(_readable(bar.value) + bar.note)}</text>",
        ]
    return "\n".join([*parts, "</svg>", ""])


def _readable(value: float) -> str:
    return f"{value / 1_000:,.1f} k/s" if value < 100_000 else f"{value / 1_000:,.0f} k/s"
