"""Correlation between markets, from sums that any number of batches can be added to."""

from dataclasses import dataclass

import numpy as np

from schemas.layout import Floats, Ints


@dataclass(frozen=True)
class CoMoments:
    """What is known of pairs (x, y).

    Attributes:
        count: pairs.
        mean_x: mean of x.
        mean_y: mean of y.
        square_x: sum of squared deviations of x.
        square_y: sum of squared deviations of y.
        product: sum of products of deviations.
    """

    count: int = 0
    mean_x: float = 0.0
    mean_y: float = 0.0
    square_x: float = 0.0
    square_y: float = 0.0
    product: float = 0.0

    @classmethod
    def of(cls, x: Floats, y: Floats) -> "CoMoments":
        """Sum pairs up; pairs with a NaN are left out."""
        known = ~(np.isnan(x) | np.isnan(y))
        x, y = x[known], y[known]
        if not len(x):
            return cls()
        mean_x, mean_y = float(x.mean()), float(y.mean())
        off_x, off_y = x - mean_x, y - mean_y
        return cls(len(x), mean_x, mean_y, float(off_x @ off_x), float(off_y @ off_y), float(off_x @ off_y))

    def plus(self, other: "CoMoments") -> "CoMoments":
        """Add other pairs.

        Source: Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances",
        COMPSTAT 1982.
        """
        if not self.count or not other.count:
            return other if not self.count else self
        count = self.count + other.count
        step_x, step_y = other.mean_x - self.mean_x, other.mean_y - self.mean_y
        weight = self.count * other.count / count
        return CoMoments(
            count,
            self.mean_x + step_x * other.count / count,
            self.mean_y + step_y * other.count / count,
            self.square_x + other.square_x + step_x * step_x * weight,
            self.square_y + other.square_y + step_y * step_y * weight,
            self.product + other.product + step_x * step_y * weight,
        )

    @property
    def correlation(self) -> float:
        """Pearson's coefficient, -1 to 1; NaN for fewer than two pairs or a side that never moves."""
        scale = np.sqrt(self.square_x * self.square_y)
        return float(np.clip(self.product / scale, -1.0, 1.0)) if scale > 0 else float("nan")


def aligned(time_x_us: Ints, x: Floats, time_y_us: Ints, y: Floats) -> tuple[Floats, Floats]:
    """Return the values of two series at the times that both have, in the order of time; times are distinct."""
    _, at_x, at_y = np.intersect1d(time_x_us, time_y_us, assume_unique=True, return_indices=True)
    return x[at_x], y[at_y]
