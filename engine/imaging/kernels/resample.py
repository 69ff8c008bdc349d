"""Another size: area average when smaller, bilinear when larger; one pass along each axis, compiled."""

from __future__ import annotations

import numba
import numpy as np

_OPTIONS = {"nogil": True, "cache": True, "error_model": "numpy"}


@numba.njit(**_OPTIONS)
def weighted(source, first, weights, out):  # type: ignore[no-untyped-def]
    """``out[y, i, c] = Σ_k weights[i, k] · source[y, first[i] + k, c]``: along the second axis of three."""
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
