"""Which pixels are inside a polygon, whatever its vertices are (even-odd rule, edges belong to it)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from engine.errors import TooLarge

Array = npt.NDArray[Any]

# Rows that all edges together may run through: 16 bytes and some 20 ns each, so 80 MB and a tenth of a second.
_CROSSINGS_MAX = 5_000_000
_NEAR = 1e-9  # a centre this near to an edge is on it: half pixels and their sums are not exact


def polygon_mask(points: Array, rows: int, columns: int) -> Array:
    """bool array (rows, columns): true where a pixel's centre is inside or on an edge.

    Parameters
    ----------
    points : float64 (n, 2) of (x, y), whole numbers at the centres of pixels; may be far outside. Closed by itself.

    Raises
    ------
    TooLarge : outlines that wind over the image thousands of times.
    """
    starts = np.asarray(points, np.float64)
    ends = np.roll(starts, -1, axis=0)
    # Rows are taken half-open, once without an edge's lower end and once without its upper: an outermost vertex or a
    # horizontal edge is on the polygon, and every row has an even number of crossings.
    inside: Array = np.zeros((rows, columns), bool)
    for is_upper_open in (False, True):
        inside |= _spans(starts, ends, rows, columns, is_upper_open)
    return inside


def _spans(starts: Array, ends: Array, rows: int, columns: int, is_upper_open: bool) -> Array:
    upper, lower = np.minimum(starts[:, 1], ends[:, 1]), np.maximum(starts[:, 1], ends[:, 1])
    if is_upper_open:
        first, last = np.floor(upper) + 1, np.floor(lower)
    else:
        first, last = np.ceil(upper), np.ceil(lower) - 1
    first, last = np.clip(first, 0, rows).astype(np.int64), np.clip(last, -1, rows - 1).astype(np.int64)
    counts = np.maximum(last - first + 1, 0)
    total = int(counts.sum())
    if total > _CROSSINGS_MAX:
        raise TooLarge("the outline of a polygon, in rows", total, _CROSSINGS_MAX, "five million")
    edges = np.repeat(np.arange(len(starts)), counts)
    y = np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts) + first[edges]
    run = ends[edges] - starts[edges]
    x = starts[edges, 0] + (y - starts[edges, 1]) / run[:, 1] * run[:, 0]
    order = np.lexsort((x, y))
    x, y = np.clip(x[order], -1.0, float(columns)), y[order]
    # neighbours in this order are the two ends of a span
    begin, end = np.ceil(x[0::2] - _NEAR).astype(np.int64), np.floor(x[1::2] + _NEAR).astype(np.int64)
    begin, end = np.clip(begin, 0, columns), np.clip(end, -1, columns - 1)
    is_there = end >= begin
    steps = np.zeros((rows, columns + 1), np.int32)
    np.add.at(steps, (y[0::2][is_there], begin[is_there]), 1)
    np.add.at(steps, (y[0::2][is_there], end[is_there] + 1), -1)
    result: Array = np.cumsum(steps[:, :-1], axis=1) > 0
    return result
