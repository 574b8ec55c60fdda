"""Trees as flat columns, and the compiled pass that takes many readings down all of them.

Readings go down a tree side by side, 256 at a time, one level after another, without a branch: a node asks whether one
feature is above its threshold, and the answer is added to the position of its left child. A leaf asks for more than
infinity and is its own child, so that paths of any length end together.

Numba compiles the pass when this module is first imported and keeps the code beside it, or in the user's cache folder:
a restart loads it, and nothing is compiled while readings come. It does not hold the interpreter's lock.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numba as nb
import numpy as np
import numpy.typing as npt

from processors.features import Matrix
from schemas.layout import Floats, Positions

#: Readings that go down a tree together: their features stay in the nearest cache.
_ABREAST = 256


@dataclass(frozen=True)
class Nodes:
    """All nodes of all trees, level by level, the two children of a node side by side.

    Attributes:
        feature: uint32[nodes], feature that a node asks for, times 256.
        threshold: float32[nodes], above it the way is right; infinity for a leaf.
        child: uint32[nodes], left child; a leaf's is itself.
        length: float64[nodes], expected path length of a reading that ends there.
        root: uint32[trees], each tree's first node.
        depth: int64[trees], steps of each tree's longest path.
    """

    feature: npt.NDArray[np.uint32]
    threshold: npt.NDArray[np.float32]
    child: npt.NDArray[np.uint32]
    length: Floats
    root: npt.NDArray[np.uint32]
    depth: npt.NDArray[np.int64]


def lay_out(trees: Sequence[object], lengths: Sequence[Floats]) -> Nodes:
    """Return scikit-learn's trees as one set of columns.

    Args:
        trees: each with `children_left`, `children_right`, `feature` and `threshold`.
        lengths: float64[nodes] of each, in the tree's own order.
    """
    levels = [_levels(tree) for tree in trees]
    orders = [np.concatenate(found) for found in levels]
    root = np.cumsum([0, *(len(order) for order in orders)])
    columns = [_columns(tree, order, int(first)) for tree, order, first in zip(trees, orders, root[:-1], strict=True)]
    feature, threshold, child = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    return Nodes(
        (feature * _ABREAST).astype(np.uint32),
        threshold,
        child.astype(np.uint32),
        np.concatenate([length[order] for length, order in zip(lengths, orders, strict=True)]),
        root[:-1].astype(np.uint32),
        np.array([len(found) - 1 for found in levels], dtype=np.int64),
    )


def summed_lengths(matrix: Matrix, nodes: Nodes) -> Floats:
    """Return the path lengths of each reading, summed over the trees in their order, float64[n].

    Args:
        matrix: float32[n, features], contiguous, without NaN.
        nodes: of the trees.
    """
    found = np.zeros(len(matrix))
    _descend(matrix, nodes.feature, nodes.threshold, nodes.child, nodes.length, nodes.root, nodes.depth, found)
    return found


def _levels(tree: object) -> list[Positions]:
    """Return a tree's nodes by level, the children of each node side by side."""
    left, right = (np.asarray(getattr(tree, name)) for name in ("children_left", "children_right"))
    levels = [np.zeros(1, dtype=np.intp)]
    while len(inner := levels[-1][left[levels[-1]] >= 0]):
        levels.append(np.stack([left[inner], right[inner]], axis=1).ravel())
    return levels


def _columns(tree: object, order: Positions, first: int) -> tuple[Positions, Matrix, Positions]:
    """Return feature, threshold and child of a tree's nodes in a new order, counted from its first node."""
    left, feature, threshold = (
        np.asarray(getattr(tree, name))[order] for name in ("children_left", "feature", "threshold")
    )
    place = np.empty(len(order), dtype=np.intp)
    place[order] = np.arange(len(order))
    inner = left >= 0
    # Features are float32: x <= t holds for just those that are at most the largest float32 not above t.
    near = threshold.astype(np.float32)
    below = np.where(near > threshold, np.nextafter(near, np.float32(-np.inf)), near)
    return (
        np.where(inner, feature, 0),
        np.where(inner, below, np.float32(np.inf)).astype(np.float32),
        first + np.where(inner, place[left], np.arange(len(order))),
    )


_SIGNATURE = (
    "void(float32[:, ::1], uint32[::1], float32[::1], uint32[::1], float64[::1], uint32[::1], int64[::1], float64[::1])"
)


def _compiled(walk: Callable[..., None]) -> Callable[..., None]:
    """Compile now; where no folder can keep the result, for this process only."""
    try:
        kept: Callable[..., None] = nb.njit(_SIGNATURE, nogil=True, cache=True)(walk)
    except RuntimeError:
        kept = nb.njit(_SIGNATURE, nogil=True)(walk)
    return kept


@_compiled
def _descend(
    matrix: Matrix,
    feature: npt.NDArray[np.uint32],
    threshold: npt.NDArray[np.float32],
    child: npt.NDArray[np.uint32],
    length: Floats,
    root: npt.NDArray[np.uint32],
    depth: npt.NDArray[np.int64],
    found: Floats,
) -> None:  # pragma: no cover - runs compiled
    rows, width = matrix.shape
    node = np.zeros(_ABREAST, np.uint32)
    columns = np.zeros(width * _ABREAST, np.float32)
    total = np.empty(_ABREAST)
    for start in range(0, rows, _ABREAST):
        count = min(_ABREAST, rows - start)
        for row in range(count):
            for column in range(width):
                columns[column * _ABREAST + row] = matrix[start + row, column]
        total[:] = 0.0
        for tree in range(len(root)):
            node[:] = root[tree]
            for _ in range(depth[tree]):
                for lane in range(_ABREAST):
                    at = node[lane]
                    node[lane] = child[at] + np.uint32(columns[feature[at] + np.uint32(lane)] > threshold[at])
            for lane in range(_ABREAST):
                total[lane] += length[node[lane]]
        found[start : start + count] = total[:count]
