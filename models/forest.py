"""An Isolation Forest, scored in one pass over all trees: bit for bit what scikit-learn's `score_samples` gives."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from processors.features import FEATURES, Matrix
from schemas.layout import Floats

if TYPE_CHECKING:
    from sklearn.ensemble import IsolationForest

#: Euler's constant, in the mean depth of a search tree.
_GAMMA = np.euler_gamma


class Forest:
    """A fitted forest, ready to score.

    scikit-learn checks its input anew and starts a parallel job for every call, which costs 5 ms however few readings
    there are, and visits nodes one by one; here they are laid out for `models.tree_walk`.

    Args:
        fitted: from `fit`, or as loaded from a file.
        fill: float32[13], what stands for a feature that a reading does not have.
    """

    def __init__(self, fitted: "IsolationForest", fill: Matrix) -> None:
        # As scikit-learn below: what only models need is loaded with the first of them.
        from models.tree_walk import lay_out, summed_lengths  # noqa: PLC0415

        self.fitted = fitted
        self.fill = fill
        self._sum = summed_lengths
        trees = [tree.tree_ for tree in fitted.estimators_]
        self._nodes = lay_out(trees, [path_lengths(tree) for tree in trees])
        self.scale = float(len(trees) * _mean_depth(np.array([fitted.max_samples_]))[0])

    def score(self, matrix: Matrix) -> Floats:
        """Return how quickly each reading is isolated.

        Args:
            matrix: float32[n, 13] in the order of FEATURES, NaN where unknown.

        Returns: float64[n], 0 to 1, about 0.5 for the ordinary and towards 1 for what stands apart
            (Liu, Ting and Zhou, "Isolation Forest", 2008). A row's score does not depend on the rows beside it.
        """
        known = np.ascontiguousarray(np.where(np.isnan(matrix), self.fill, matrix))
        scores: Floats = 2.0 ** -(self._sum(known, self._nodes) / self.scale)
        return scores


def fit(matrix: Matrix, *, trees: int, samples: int, seed: int) -> Forest:
    """Fit a forest on readings of which most are ordinary.

    Args:
        matrix: float32[n, 13] in the order of FEATURES, NaN where unknown.
        trees: how many.
        samples: readings that each of them sees.
        seed: of the choice; equal input and seed give an equal forest.
    """
    # A worker that only scores starts without a library that takes longer to load than all the others together.
    from sklearn.ensemble import IsolationForest  # noqa: PLC0415

    none = np.isnan(matrix).all(axis=0)
    fill = np.zeros(len(FEATURES), dtype=np.float32)
    fill[~none] = np.nanmedian(matrix[:, ~none], axis=0)
    fitted = IsolationForest(n_estimators=trees, max_samples=min(samples, len(matrix)), random_state=seed, n_jobs=1)
    return Forest(fitted.fit(np.where(np.isnan(matrix), fill, matrix)), fill)


def path_lengths(tree: object) -> npt.NDArray[np.float64]:
    """Return the expected depth of a reading that ends in each node of a tree."""
    left, right, size = (
        np.asarray(getattr(tree, name)) for name in ("children_left", "children_right", "n_node_samples")
    )
    depth = np.ones(len(left))
    level = np.zeros(1, dtype=np.intp)
    while len(level):
        inner = level[left[level] >= 0]
        for side in (left, right):
            depth[side[inner]] = depth[inner] + 1.0
        level = np.concatenate([left[inner], right[inner]])
    return depth + _mean_depth(size) - 1.0


def _mean_depth(size: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return the mean depth of an unsuccessful search in a binary tree of so many readings (Liu et al., equation 1)."""
    many = np.maximum(size, 3).astype(np.float64)
    depth: npt.NDArray[np.float64] = np.where(
        size > 2, 2.0 * (np.log(many - 1.0) + _GAMMA) - 2.0 * (many - 1.0) / many, np.where(size == 2, 1.0, 0.0)
    )
    return depth
