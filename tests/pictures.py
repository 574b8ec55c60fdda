"""The pictures of the documents; `python -m tests.pictures` draws them anew."""

from datetime import date, timedelta
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simulators.customers import KINDS
from simulators.local_time import EPOCH_DAY
from tests.conftest import SHARED_DATA
from tests.homes import PLAIN, RESIDENTIAL, daily_course, london, profile, sgsc, simulated_profile

PICTURES = Path(__file__).resolve().parent.parent / ".github" / "pictures"
_HOURS = np.arange(48) / 2
_EPOCH = date(1970, 1, 1) + timedelta(days=EPOCH_DAY)
_SATURDAY = 5
_COLUMNS = 4


def load_shapes(shared_data: Path) -> Figure:
    """Draw the residential kinds beside real homes, and the twelve kinds by kind of day and season."""
    figure = Figure(figsize=(11, 10), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=[1, 2])
    _beside_real_homes(above.subplots(), shared_data)
    axes = below.subplots(len(KINDS) // _COLUMNS, _COLUMNS, sharex=True)
    for number, place in enumerate(axes.flat):
        _kind(place, number)
    below.legend(
        *axes.flat[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, fontsize=8, frameon=False
    )
    below.supxlabel("hour of the local day", fontsize=9)
    below.supylabel("energy drawn / usual mean of the customer", fontsize=9)
    return figure


def _beside_real_homes(axes: Axes, shared_data: Path) -> None:
    sydney = np.mean([profile(*home) for home in sgsc(shared_data).values()], axis=0)
    axes.plot(_HOURS, sydney, color="black", label="real: ten homes near Sydney (sgsc_meters)")
    axes.plot(_HOURS, london(shared_data), color="black", linestyle=":", label="real: one home in London (lcl_london)")
    axes.plot(_HOURS, simulated_profile(RESIDENTIAL), color="tab:blue", label="simulated: all residential kinds")
    axes.plot(_HOURS, simulated_profile(PLAIN), color="tab:orange", label="simulated: without cars and panels")
    axes.set(title="Mean day of homes over a year", xlim=(0, 24), ylim=(0, None), xticks=range(0, 25, 3))
    axes.set_ylabel("energy / mean")
    axes.legend(fontsize=8, frameon=False, loc="upper left")


def _kind(axes: Axes, number: int) -> None:
    kind = KINDS[number]
    for label, season, weekend, style in (
        ("winter, working day", "2026-02-01", False, "tab:blue"),
        ("winter, weekend", "2026-02-01", True, "tab:cyan"),
        ("summer, working day", "2026-07-01", False, "tab:red"),
    ):
        axes.plot(_HOURS, daily_course([number], _days(season, weekend=weekend)), color=style, label=label, lw=1)
    axes.set_title(f"{kind.name} ({kind.share:.0%})", fontsize=9)
    axes.set(xlim=(0, 24), ylim=(0, None), xticks=range(0, 25, 6))
    axes.tick_params(labelsize=7)


def _days(begin: str, *, weekend: bool) -> list[int]:
    """Return the days, since the simulation's epoch, of four weeks that are or are not at a weekend."""
    first = date.fromisoformat(begin)
    days = [first + timedelta(days=number) for number in range(28)]
    return [(day - _EPOCH).days for day in days if (day.weekday() >= _SATURDAY) == weekend]


def main() -> None:
    """Write every picture."""
    mpl.rcParams["svg.hashsalt"] = "meterstream"  # the same picture is the same file
    load_shapes(SHARED_DATA).savefig(PICTURES / "load_shapes.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
