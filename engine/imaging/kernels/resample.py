"""Weighted sums of neighbours along one axis: the two halves of a change of size, compiled."""

from __future__ import annotations

import numpy as np
from numba import float64, int64, void

from engine.imaging.kernels.typed import F8_OUT, kernel, taken


@kernel(lambda kind: void(taken(kind, 2), taken(int64, 1), taken(float64, 2), F8_OUT[2]))
def down(source, first, weights, out):  # type: ignore[no-untyped-def]
    """``out[i, x] = Σ_k weights[i, k] · source[first[i] + k, x]``: whole rows at a time, which vectorizes."""
    columns = source.shape[1]
    for i in range(len(first)):
        for x in range(columns):
            out[i, x] = 0.0
        for k in range(weights.shape[1]):
            weight = weights[i, k]
            if weight != 0.0:  # a NaN that has no weight is not there
                for x in range(columns):
                    out[i, x] += weight * np.float64(source[first[i] + k, x])


@kernel(lambda kind: void(taken(kind, 3), taken(int64, 1), taken(float64, 2), F8_OUT[3]))
def across(source, first, weights, out):  # type: ignore[no-untyped-def]
    """``out[y, i, c] = Σ_k weights[i, k] · source[y, first[i] + k, c]``."""
    rows, _, samples = source.shape
    taps = weights.shape[1]
    for y in range(rows):
        for i in range(len(first)):
            for c in range(samples):
                total = 0.0
                for k in range(taps):
                    weight = weights[i, k]
                    if weight != 0.0:
                        total += weight * np.float64(source[y, first[i] + k, c])
                out[y, i, c] = total
