"""The table of window partials: what each delivery appends to it."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from processors.windows import WindowPartials
from sinks.copy_binary import CopyColumn, instant, number, text

#: Columns of the database that add up, all whole numbers and named as in WindowPartials.
SUMS = (
    "readings",
    "meters",
    "hour_meters",
    "day_meters",
    "normal",
    "warnings",
    "anomalies",
    "missing",
    "rejected",
    "energy_uwh",
    "export_uwh",
    "reactive_uvarh",
    "power_factor_count",
    "power_factor_ppm",
    "voltage_count",
    "voltage_outside",
    "voltage_sum_mv",
    "restating",
)
COPY_WINDOWS = (
    "COPY window_partials (transformer_id, customer_class, window_s, window_start, "
    f"{', '.join(SUMS)}, demand_peak_kw, demand_peak_at, voltage_min, voltage_max) FROM STDIN (FORMAT BINARY)"
)


def window_columns(
    partials: WindowPartials, transformer_id: npt.NDArray[np.int64], classes: list[str]
) -> list[CopyColumn]:
    """Return the columns of COPY_WINDOWS.

    Args:
        partials: k rows.
        transformer_id: int64[k], 0 for none.
        classes: class of each row's group.
    """
    peak_at = instant(partials.demand_peak_us)
    peak = number(partials.demand_peak_kw, ">f8")
    return [
        number(transformer_id, ">i8"),
        text(pa.array(classes, pa.string())),
        number(partials.window_s, ">i4"),
        instant(partials.start_us),
        *(number(getattr(partials, name), ">i8") for name in SUMS),
        peak,
        CopyColumn(peak_at.values, peak.length, peak_at.kind),
        number(partials.voltage_min, ">f8"),
        number(partials.voltage_max, ">f8"),
    ]
