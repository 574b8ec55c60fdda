"""The one trained Isolation Forest, for peers: many readings in one call, or one."""

import os
from collections.abc import Callable, Sequence

import numpy as np

#: Its place among the features.
LOAD_SHARE = 5


class NoForest:
    """Where the bench runs without the forest."""

    def score(self, features: Sequence[Sequence[float]], judged: Sequence[float]) -> Sequence[float]:
        """Return the temporal scores as they are."""
        return judged


class Forest:
    """The engine's model, scored by scikit-learn's compiled trees without the library's checks."""

    def __init__(self, path: str) -> None:
        import joblib  # noqa: PLC0415 - only where there is a forest

        self._trees, self._fill, self._scale = joblib.load(path)

    def score(self, features: Sequence[Sequence[float]], judged: Sequence[float]) -> Sequence[float]:
        """Return the larger of both scores for each reading, NaN for one whose meter has no past.

        Args:
            features: n rows of 13, NaN where unknown; the load share is unknown where there is no past.
            judged: n, NaN where there is none.
        """
        matrix = np.asarray(features, dtype=np.float32)
        no_past = np.isnan(matrix[:, LOAD_SHARE])
        matrix = np.ascontiguousarray(np.where(np.isnan(matrix), self._fill, matrix))
        strange = np.where(no_past, np.nan, 2.0 ** -(self.depth(matrix) / self._scale))
        found: list[float] = np.fmax(strange, np.asarray(judged)).tolist()
        return found

    def depth(self, matrix: np.ndarray) -> np.ndarray:
        """Return the path lengths of each row, summed over the trees."""
        found = np.zeros(len(matrix))
        for tree, lengths in self._trees:
            found += lengths[tree.apply(matrix)]
        return found


def load(kind: Callable[[str], Forest] = Forest) -> "Forest | NoForest":
    """Return the forest that the bench names."""
    path = os.environ.get("BENCH_FOREST")
    return kind(path) if path else NoForest()
