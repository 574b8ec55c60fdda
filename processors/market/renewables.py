"""What renewable output does to prices: a rolling regression with its error, and the market cleared anew.

The effect is the merit-order effect: Sensfuss, Ragwitz, Genoese, "The merit-order effect", Energy Policy 36 (2008).
"""

from dataclasses import dataclass

import numpy as np

from processors.market.clearing import Clearing, Orders, Rule, clear
from processors.market.exact import PER_UNIT
from schemas.layout import Floats, Mask

#: Figures of windows that are in memory at once: a year of hours, each with the year before it, is 600 MB a column.
_AT_ONCE = 1_000_000


@dataclass(frozen=True)
class Response:
    """Price against renewable share, one fit per window.

    Attributes:
        slope: float64[n], change of price per whole unit of share [currency/unit]; NaN until a window is full or
            where the share does not vary.
        slope_error: float64[n], standard error of the slope; NaN likewise.
        intercept: float64[n], price at a share of nothing.
    """

    slope: Floats
    slope_error: Floats
    intercept: Floats


def rolling_response(share: Floats, price: Floats, window: int) -> Response:
    """Fit price = intercept + slope * share over the last `window` intervals, for each interval.

    Ordinary least squares; the standard error is sqrt(residual sum of squares / (window - 2) / Sxx), which takes
    residuals for independent: prices are not, so it is a lower bound of the true one.

    Args:
        share: float64[n], renewable output over demand, in the order of time.
        price: float64[n] [currency/unit]; a window with a NaN in it has no fit.
        window: intervals per fit, at least 3.

    Raises:
        ValueError: the window is too short for a standard error.
    """
    if window < 3:
        raise ValueError(f"rolling_response: a window of {window} has no standard error; take at least 3")
    slope, error, intercept = (np.full(len(price), np.nan) for _ in range(3))
    if len(price) < window:
        return Response(slope, error, intercept)
    # Views, not cumulative sums: these lose their digits behind a spike of 17,500.
    x = np.lib.stride_tricks.sliding_window_view(share, window)
    y = np.lib.stride_tricks.sliding_window_view(price, window)
    at_once = max(_AT_ONCE // window, 1)
    for first in range(0, len(x), at_once):
        some, full = slice(first, first + at_once), slice(first + window - 1, first + window - 1 + at_once)
        slope[full], error[full], intercept[full] = _fits(x[some], y[some])
    return Response(slope, error, intercept)


def _fits(x: Floats, y: Floats) -> tuple[Floats, Floats, Floats]:
    """Return slope, its error and intercept of each row of n windows, float64[n, window] each."""
    mean_x, mean_y = x.mean(axis=1), y.mean(axis=1)
    off_x, off_y = x - mean_x[:, None], y - mean_y[:, None]
    sxx = np.einsum("ij,ij->i", off_x, off_x)
    sxy = np.einsum("ij,ij->i", off_x, off_y)
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = np.where(sxx > 0, sxy / sxx, np.nan)
        rest = off_y - slope[:, None] * off_x
        error = np.sqrt(np.einsum("ij,ij->i", rest, rest) / (x.shape[1] - 2) / sxx)
    return slope, error, mean_y - slope * mean_x


def cheapest(asks: Orders, quantity: float) -> tuple[Orders, Mask]:
    """Take the cheapest asks of a total quantity for renewable, where curves do not say whose asks they are.

    Sun, wind and water cost next to nothing to run and so ask for the least; others that do (nuclear power, what must
    run) cannot be told from them, which changes nothing of what a shift does as long as all of them are served.

    Args:
        asks: what is offered.
        quantity: of renewable output, in the unit of the asks.

    Returns: the asks, the one that the quantity ends in cut in two (not an indivisible one: that counts wholly), and
        which of them are taken for renewable.
    """
    order = np.argsort(asks.price, kind="stable")
    size = asks.quantity[order]
    before = np.cumsum(size) - size
    taken = np.clip(quantity - before, 0.0, size)
    whole = asks.indivisible[order]
    taken = np.where(whole & (taken > 0), size, taken)
    rest = size - taken
    parts = Orders(np.r_[asks.price[order], asks.price[order]], np.r_[taken, rest], np.r_[whole, whole])
    left = parts.quantity >= 1 / PER_UNIT
    renewable = np.arange(len(left)) < len(size)
    return parts.where(left), renewable[left]


def shifted(
    bids: Orders, asks: Orders, renewable: Mask, per_cent: float, rule: Rule = Rule.MIDPOINT
) -> tuple[Clearing, Clearing]:
    """Clear a market as it was, and with its renewable asks larger or smaller.

    Args:
        bids: what is wanted.
        asks: what is offered.
        renewable: bool[m], asks of renewable output.
        per_cent: by how much their quantities change [%]; -100 takes them away.
        rule: which of several clearing prices counts.

    Raises:
        ValueError: less than -100 %.
    """
    if per_cent < -100:
        raise ValueError(f"shifted: {per_cent} % would take away more than there is")
    quantity = np.where(renewable, asks.quantity * (1 + per_cent / 100), asks.quantity)
    changed = Orders(asks.price, quantity, asks.whole).where(quantity >= 1 / PER_UNIT)
    return clear(bids, asks, rule), clear(bids, changed, rule)
