"""Small line charts as SVG, one panel below the other; no drawing library is worth a dependency here."""

from html import escape

Series = dict[str, tuple[list[float], list[float]]]

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 900, 200, 80, 190, 34, 26
#: Distinguishable also without colour vision (Okabe and Ito).
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")


def chart(title: str, panels: list[tuple[str, Series]]) -> str:
    """Return an SVG document.

    Args:
        title: above all.
        panels: what each shows, with its unit, and its lines: name -> (seconds, values).
    """
    height = _TOP + len(panels) * (_HEIGHT + _TOP + _BOTTOM)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" font-family="sans-serif" '
        'font-size="12"><rect width="100%" height="100%" fill="white"/>'
        f'<text x="12" y="20" font-size="15">{escape(title)}</text>'
    )
    parts = [head]
    for number, (name, lines) in enumerate(panels):
        parts.append(_panel(name, lines, _TOP + number * (_HEIGHT + _TOP + _BOTTOM)))
    return "\n".join([*parts, "</svg>\n"])


def _panel(name: str, lines: Series, top: float) -> str:
    longest = max((times[-1] for times, _ in lines.values() if times), default=1.0) or 1.0
    highest = _round_up(max((max(values) for _, values in lines.values() if values), default=1.0))
    base, width = top + _TOP + _HEIGHT, _WIDTH - _LEFT - _RIGHT
    parts = [f'<text x="{_LEFT}" y="{top + _TOP - 8}" font-weight="bold">{escape(name)}</text>']
    for step in range(5):
        y = base - _HEIGHT * step / 4
        parts.append(f'<line x1="{_LEFT}" x2="{_LEFT + width}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{highest * step / 4:,.6g}</text>')
        x = _LEFT + width * step / 4
        parts.append(f'<text x="{x:.1f}" y="{base + 16}" text-anchor="middle">{longest * step / 240:,.1f} min</text>')
    for number, (label, (times, values)) in enumerate(lines.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        points = " ".join(
            f"{_LEFT + width * at / longest:.1f},{base - _HEIGHT * value / highest:.1f}"
            for at, value in zip(times, values, strict=True)
        )
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{points}"/>')
        y = top + _TOP + 12 + 16 * number
        parts.append(f'<text x="{_WIDTH - _RIGHT + 10}" y="{y}" fill="{colour}">{escape(label)}</text>')
    return "\n".join(parts)


def _round_up(value: float) -> float:
    """Return the next of 1, 2, 4, 5, 8 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** (len(f"{value:.0f}") - 1)
    return next(step * power for step in (1, 2, 4, 5, 8, 10, 20) if step * power >= value)
