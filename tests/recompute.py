"""Windows of every element, worked out from the input at once; nothing of the engine is used here.

Every sum goes straight from readings to a window, whatever lies between them in the grid; values are whole numbers
(energy in Wh, voltage in tenths of a volt), so that there is one right answer.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

#: Length of windows of elements [s].
QUARTER_S, HOUR_S, DAY_S = 900, 3_600, 86_400
#: Level of the grid -> whose days are told by which clock.
LEVELS = ("transformer", "feeder", "substation", "region", "grid")
_BAND_DV = (2_070, 2_530)
#: How many there are of each flag, by the name that it has in a window.
FLAGS = {"normal": "normal", "warning": "warnings", "anomaly": "anomalies", "missing": "missing"}
KEY = ["element", "customer_class", "window_s", "window_start"]


@dataclass(frozen=True)
class Town:
    """Where meters stand.

    Attributes:
        places: one row per meter: `meter`, `transformer`, `feeder`, `substation`, `region`, `kind`, `timezone`.
    """

    places: pd.DataFrame

    @property
    def one_clock(self) -> bool:
        """Whether the days of all regions are those of UTC."""
        return set(self.places["timezone"]) == {"UTC"}


def element_windows(readings: pd.DataFrame, town: Town) -> pd.DataFrame:
    """Return quarter-hours, hours and local days of all elements, by class and over all of them (`*`).

    Args:
        readings: one row each, without repeats: `meter`, `time` (UTC), `wh`, `dv`, `flag`.
        town: where its meters stand.

    Returns: figures by the key of each window; `meters` is missing where clocks do not agree on what a day is.
    """
    seen = readings.merge(town.places, on="meter", validate="many_to_one")
    seen["grid"] = "grid"
    seen["quarter"] = seen["time"].dt.floor("15min")
    found = []
    for level in LEVELS:
        elements = seen["grid"] if level == "grid" else level + "/" + seen[level]
        for length_s, starts in _starts(seen, level):
            for kinds in (seen["kind"], pd.Series("*", index=seen.index)):
                key = dict(zip(KEY, (elements, kinds, length_s, starts), strict=True))
                windows = _summed(seen.assign(**key))
                if level == "grid" and length_s == DAY_S and not town.one_clock:
                    windows["meters"] = np.nan
                found.append(windows)
    return pd.concat(found, ignore_index=True).set_index(KEY).sort_index()


def minutes(readings: pd.DataFrame, town: Town) -> pd.DataFrame:
    """Return the energy [uWh] and number of readings of every minute of every transformer."""
    seen = readings.merge(town.places, on="meter", validate="many_to_one")
    seen["element"] = "transformer/" + seen["transformer"]
    seen["window_start"] = seen["time"].dt.floor("1min")
    by = seen.groupby(["element", "window_start"], sort=True)
    return pd.DataFrame({"readings": by["wh"].count(), "energy_uwh": by["wh"].sum() * 1_000_000})


def meter_totals(readings: pd.DataFrame, town: Town) -> dict[str, pd.DataFrame]:
    """Return hours (UTC), days and months (of each meter's region) of every meter: what was counted, and its energy."""
    seen = readings.merge(town.places, on="meter", validate="many_to_one")
    starts = {"hour": seen["time"].dt.floor("1h"), "day": _local(seen, "D"), "month": _local(seen, "M")}
    found = {}
    for name, column in starts.items():
        by = seen.assign(starts_at=column).groupby(["meter", "starts_at"], sort=True)
        found[name] = pd.DataFrame({"readings": by["wh"].count(), "energy_uwh": by["wh"].sum() * 1_000_000})
    return found


def silences(readings: pd.DataFrame, longer_than_s: float) -> pd.DataFrame:
    """Return between which readings of a meter more time lies than it should: `meter`, `lit_at`, `back_at`."""
    ordered = readings.sort_values(["meter", "time"])
    before = ordered.groupby("meter")["time"].shift()
    found = pd.DataFrame({"meter": ordered["meter"], "lit_at": before, "back_at": ordered["time"]})
    return found[(found["back_at"] - found["lit_at"]).dt.total_seconds() > longer_than_s].reset_index(drop=True)


def _starts(seen: pd.DataFrame, level: str) -> Iterator[tuple[int, pd.Series]]:
    yield QUARTER_S, seen["quarter"]
    yield HOUR_S, seen["time"].dt.floor("1h")
    yield DAY_S, seen["time"].dt.floor("1D") if level == "grid" else _local(seen, "D")


def _local(seen: pd.DataFrame, unit: str) -> pd.Series:
    """Return when the local day or month of each reading began."""
    found = pd.Series(pd.NaT, index=seen.index, dtype=seen["time"].dtype)
    for zone, part in seen.groupby("timezone"):
        midnight = part["time"].dt.tz_convert(zone).dt.normalize()
        if unit == "M":
            midnight = (midnight.dt.tz_localize(None).dt.to_period("M").dt.to_timestamp()).dt.tz_localize(zone)
        found[part.index] = midnight.dt.tz_convert("UTC")
    return found


def _summed(seen: pd.DataFrame) -> pd.DataFrame:
    low, high = _BAND_DV
    seen = seen.assign(outside=(seen["dv"] < low) | (seen["dv"] > high))
    by = seen.groupby(KEY, sort=True)
    found = pd.DataFrame(
        {
            "readings": by["wh"].count(),
            "meters": by["meter"].nunique(),
            "energy_uwh": by["wh"].sum() * 1_000_000,
            "voltage_count": by["dv"].count(),
            "voltage_sum_mv": by["dv"].sum() * 100,
            "voltage_min": by["dv"].min() / 10,
            "voltage_max": by["dv"].max() / 10,
            "voltage_outside": by["outside"].sum(),
        }
    )
    for flag, name in FLAGS.items():
        found[name] = (seen["flag"] == flag).groupby([seen[part] for part in KEY]).sum()
    return found.join(_peaks(seen)).reset_index()


def _peaks(seen: pd.DataFrame) -> pd.DataFrame:
    """Return the quarter-hour of each window in which all of the element drew most; of several the earliest."""
    quarters = seen.groupby([*KEY, "quarter"], sort=True)["wh"].sum().reset_index()
    order = np.lexsort((quarters["quarter"], -quarters["wh"]))
    best = quarters.iloc[order].drop_duplicates(KEY).set_index(KEY)
    return pd.DataFrame({"peak_uwh": best["wh"] * 1_000_000, "peak_at": best["quarter"]})
