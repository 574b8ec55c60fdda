"""The scoreboard as a page: tables with their cells coloured, readable in any browser, without anything to load."""

from html import escape

from simulators.faults import MARKET_CLASSES
from simulators.score import NO_FAULT, Score

_STYLE = """
body { font: 15px/1.4 system-ui, sans-serif; margin: 2em; color: #222 }
table { border-collapse: collapse; margin: 1em 0 2em }
th, td { padding: .3em .7em; border: 1px solid #ddd; text-align: right }
th:first-child, td:first-child { text-align: left }
"""

#: What stands in place of the tables of signs where there are none.
NOTHING_SAID = "The engine has said nothing about this run: no flag, no alert, no reject."


def share(value: float | None) -> str:
    """Return a share in per cent; a share of nothing is a dash."""
    return "-" if value is None else f"{100 * value:.0f} %"


def span(seconds: float | None) -> str:
    """Return a time span in minutes."""
    return "-" if seconds is None else f"{seconds / 60:.0f} min"


def days_of(score: Score) -> str:
    """Return what was watched: days of meters, or of symbols where markets were simulated."""
    return "symbol-days" if all(one.fault in MARKET_CLASSES for one in score.classes) else "meter-days"


def page(score: Score, title: str) -> str:
    """Return the scoreboard as HTML."""
    parts = [_classes(score), *([_kinds(score), _confusion(score)] if score.kinds else [f"<p>{NOTHING_SAID}</p>"])]
    alarms = "-" if score.false_per_10k_meter_days is None else f"{score.false_per_10k_meter_days:,.1f}"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
        f"<h1>{escape(title)}</h1><p>{score.false_alarms:,} false alarms in {score.meter_days:,.1f} {days_of(score)}: "
        f"{alarms} per 10,000.</p>{''.join(parts)}</html>"
    )


def _classes(score: Score) -> str:
    rows = [
        [one.fault.value, str(one.labelled), str(one.detected), share(one.recall), share(one.precision),
         span(one.delay_p50_s), span(one.delay_p90_s)]
        for one in score.classes
    ]  # fmt: skip
    shades = [[None, None, None, one.recall, one.precision, None, None] for one in score.classes]
    head = ["fault", "labelled", "detected", "recall", "precision", "delay (median)", "delay (90 %)"]
    return "<h2>Faults</h2>" + _table(head, rows, shades)


def _kinds(score: Score) -> str:
    rows = [
        [one.kind, f"{one.signs:,}", f"{one.true:,}", share(one.precision), f"{one.unplaced:,}"] for one in score.kinds
    ]
    shades = [[None, None, None, one.precision, None] for one in score.kinds]
    return "<h2>What was said</h2>" + _table(["sign", "signs", "on a fault", "precision", "unplaced"], rows, shades)


def _confusion(score: Score) -> str:
    kinds = sorted({kind for row in score.confusion.values() for kind in row})
    labelled = {one.fault.value: one.labelled for one in score.classes}
    rows = [[name, *(f"{row.get(kind, 0):,}" for kind in kinds)] for name, row in score.confusion.items()]
    shades = [
        [None, *(None if name == NO_FAULT else row.get(kind, 0) / labelled[name] for kind in kinds)]
        for name, row in score.confusion.items()
    ]
    note = "<p>Faults of each class that had such a sign; in the last row, signs where nothing was wrong.</p>"
    return "<h2>Which sign found which fault</h2>" + note + _table(["fault", *kinds], rows, shades)


def _table(head: list[str], rows: list[list[str]], shades: list[list[float | None]]) -> str:
    cells = [
        "".join(f"<td{_shade(shade)}>{escape(text)}</td>" for text, shade in zip(row, shaded, strict=True))
        for row, shaded in zip(rows, shades, strict=True)
    ]
    top = "".join(f"<th>{escape(text)}</th>" for text in head)
    return f"<table><tr>{top}</tr>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>"


def _shade(value: float | None) -> str:
    if value is None:
        return ""
    return f' style="background: hsl({round(120 * value)} 60% {90 - round(15 * value)}%)"'
