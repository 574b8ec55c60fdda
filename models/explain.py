"""Why a forest found a reading strange: which features made it so, and by how much."""

from collections.abc import Sequence

import numpy as np

from models.forest import Forest
from processors.features import FEATURES, Matrix
from schemas.layout import Floats, Positions

#: Features that account for less than this share are no reasons.
_LEAST_SHARE = 0.1


def contributions(forest: Forest, matrix: Matrix) -> Floats:
    """Return which part of a reading's strangeness goes away when one feature is as usual (occlusion).

    Args:
        forest: what scored the readings.
        matrix: float32[k, 13], their features, NaN where unknown.

    Returns: float64[k, 13], rows of shares that add up to 1; zeros where no single feature makes a difference.
    """
    rows, columns = matrix.shape
    hidden = np.repeat(matrix[:, None, :], columns, axis=1)
    diagonal = np.arange(columns)
    hidden[:, diagonal, diagonal] = forest.fill
    without = forest.score(hidden.reshape(rows * columns, columns)).reshape(rows, columns)
    fall = np.maximum(forest.score(matrix)[:, None] - without, 0.0)
    total = fall.sum(axis=1, keepdims=True)
    shares: Floats = np.divide(fall, total, out=np.zeros_like(fall), where=total > 0.0)
    return shares


def reasons(forest: Forest, matrix: Matrix, at: Positions, names: Sequence[str] = FEATURES) -> list[str]:
    """Return the features that account for most of what some readings scored, the largest first, with their shares."""
    if not len(at):
        return []
    return [_told(row, names) for row in contributions(forest, matrix[at])]


def _told(shares: Floats, names: Sequence[str]) -> str:
    order = [place for place in np.argsort(-shares, kind="stable").tolist() if shares[place] >= _LEAST_SHARE]
    return ", ".join(f"{names[place]} {shares[place]:.2f}" for place in order)
