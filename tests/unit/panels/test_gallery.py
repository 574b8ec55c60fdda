"""The gallery: its page is current, its pictures are there, and rows are drawn as they are."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from PIL import Image

from panels.board import Dashboard, Look, Panel
from panels.catalogue import DASHBOARDS
from tests.gallery import drawing, page

_SPAN = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
_BYTES = 2_000_000


def board(*panels: Panel) -> Dashboard:
    return Dashboard("b", "B", "", "30s", "now-24h", (), panels)


def timed(**columns: object) -> list[dict[str, object]]:
    return [{"time": _SPAN[0] + timedelta(hours=hour), **columns} for hour in range(24)]


def test_the_page_says_what_the_dashboards_say() -> None:
    assert page.PAGE.read_text() == page.text(), "run `make dashboards`"


def test_every_dashboard_has_a_picture_and_all_are_small() -> None:
    pictures = [page.picture_of(one) for one in DASHBOARDS]
    assert sorted(pictures) == sorted(page.FOLDER.iterdir())
    assert sum(path.stat().st_size for path in pictures) < _BYTES
    for path in pictures:
        with Image.open(path) as picture:
            assert picture.size[0] == 1300


@pytest.mark.parametrize("look", list(Look))
def test_every_look_is_drawn_whatever_is_unknown(look: Look) -> None:
    rows: dict[Look, list[dict[str, object]]] = {
        Look.TABLE: [{"name": "a" * 99, "a long heading": 1.5, "at": _SPAN[0], "unknown": None}] * 50,
        Look.CHART: [{"feeder": f"F{number}", "load": number, "peak": None} for number in range(30)],
        Look.FIGURE: [{"load": None}],
        Look.CANDLES: timed(open=1, high=3, low=0, close=2),
        Look.HISTORY: timed(metric="S", share=0.5) + timed(metric="T", share=None),
    }
    of = rows.get(look, timed(metric="a", load=1.0) + timed(metric="b", load=None))
    figure = drawing.draw(board(Panel("p", look, "")), {"p": of}, _SPAN)
    figure.canvas.draw()
    assert len(figure.axes) == 1


def test_lines_are_told_apart_by_name_and_by_column() -> None:
    panel = Panel("p", Look.LINES, "", unit="percentunit")
    named = drawing.series_of(panel, timed(metric="a", share=0.5) + timed(metric="b", share=0.25))
    assert {one.name: one.value[0] for one in named} == {"a": 50.0, "b": 25.0}
    by_column = drawing.series_of(panel, timed(low=0.1, high=None))
    assert [one.name for one in by_column] == ["low"]
    np.testing.assert_allclose(np.diff(by_column[0].at), 1 / 24)


def test_panels_lie_side_by_side_as_far_as_they_fit() -> None:
    panels = [Panel(str(width), Look.LINES, "", width=width, height=8) for width in (16, 8, 12, 24)]
    found, rows = drawing.places(panels)
    assert [(place.column, place.row) for place in found] == [(0, 0), (16, 0), (0, 8), (0, 16)]
    assert rows == 24
