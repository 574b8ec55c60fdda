"""Pictures of an evaluation: precision over recall, timelines with labelled windows, what scores promise."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from models.evaluation.bench import ENGINE, Result, alarms
from models.evaluation.healthy import Alarms, promised
from models.evaluation.measures import precision_recall
from models.evaluation.series import Series
from processors.calibration import CRITICAL, WARNING


def can_draw() -> bool:
    """Tell whether matplotlib is here; it is no dependency of the engine."""
    return find_spec("matplotlib") is not None


def draw(folder: Path, series: list[Series], results: list[Result], healthy: dict[str, Alarms]) -> list[str]:
    """Draw everything into a folder and return the names of the files.

    Args:
        folder: where.
        series: the tested ones, in the order of the results' scores.
        results: of all detectors.
        healthy: alarms of clean data, by its name.
    """
    import matplotlib as mpl  # noqa: PLC0415 - optional

    mpl.use("svg")
    names = [_curves(folder, group, series, results) for group in dict.fromkeys(one.group for one in series)]
    ours = next((one for one in results if one.detector == ENGINE), None)
    if ours is not None:
        first = {one.group: place for place, one in reversed(list(enumerate(series)))}
        names += [_timeline(folder, series[place], ours, place) for place in first.values()]
    if healthy:
        names.append(_reliability(folder, healthy))
    return names


def _curves(folder: Path, group: str, series: list[Series], results: list[Result]) -> str:
    from matplotlib import pyplot as plt  # noqa: PLC0415 - optional

    places = [place for place, one in enumerate(series) if one.group == group]
    figure, axes = plt.subplots(figsize=(6, 4.5))
    for result in results:
        precision, recall, area = precision_recall([series[k] for k in places], [result.scores[k] for k in places])
        axes.plot(
            recall, precision, label=f"{result.detector} ({area:.2f})", linewidth=2 if result.detector == ENGINE else 1
        )
    axes.set(xlabel="recall by reading", ylabel="precision by reading", title=group, ylim=(0, 1.02), xlim=(0, 1))
    axes.legend(fontsize="small")
    name = f"curves_{group}.svg"
    figure.savefig(folder / name)
    plt.close(figure)
    return name


def _timeline(folder: Path, series: Series, result: Result, place: int) -> str:
    from matplotlib import pyplot as plt  # noqa: PLC0415 - optional

    moments = series.time_us.astype("datetime64[us]")
    figure, (above, below) = plt.subplots(2, 1, figsize=(11, 4.5), sharex=True)
    above.plot(moments, series.values[:, 0], linewidth=0.5)
    below.plot(moments, result.scores[place], linewidth=0.5)
    below.axhline(result.bound, color="tab:red", linewidth=0.8)
    found = alarms(result.detector, result.scores[place], result.bound)
    above.plot(moments[found], series.values[found, 0], ".", color="tab:red", markersize=4)
    for start, end in series.windows.astype("datetime64[us]"):
        for axes in (above, below):
            axes.axvspan(start, end, color="tab:orange", alpha=0.25)
    above.set(ylabel=series.columns[0], title=f"{series.group}: {series.name}")
    below.set(ylabel="score")
    name = f"timeline_{series.group}.svg"
    figure.savefig(folder / name)
    plt.close(figure)
    return name


def _reliability(folder: Path, healthy: dict[str, Alarms]) -> str:
    from matplotlib import pyplot as plt  # noqa: PLC0415 - optional

    figure, axes = plt.subplots(figsize=(8, 5))
    says = promised()
    for name, found in healthy.items():
        # On a logarithmic axis there is no place for what never happened.
        readings = np.array([found.reaching[score] or np.nan for score in says])
        (line,) = axes.plot(list(says), readings, marker=".", linewidth=0.8, label=f"{name}, {found.meter_days:,.0f} d")
        begun = np.array([found.warnings or np.nan, found.critical or np.nan])
        axes.plot([WARNING, CRITICAL], begun, linestyle="none", marker="X", markersize=8, color=line.get_color())
    axes.plot(list(says), list(says.values()), "k--", label="as the scale says")
    axes.plot([], [], "kX", label="alerts that begin")
    axes.set(yscale="log", xlabel="score", ylabel="readings that reach it, per 10,000 meter-days")
    axes.legend(fontsize="small")
    figure.savefig(folder / "reliability.svg")
    plt.close(figure)
    return "reliability.svg"
