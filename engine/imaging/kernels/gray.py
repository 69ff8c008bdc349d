"""Stored values to 8-bit grey: linear and sigmoid windows (PS3.3 C.11.2.1.2), compiled."""

from __future__ import annotations

import math

import numpy as np
from numba import boolean, float64, types, void

from engine.imaging.kernels.typed import U1_OUT, kernel, taken


@kernel(lambda kind: void(taken(kind, 2), float64, float64, boolean, U1_OUT[2]))
def linear(stored, low, scale, inverted, out):  # type: ignore[no-untyped-def]
    """``out = clamp((stored - low) * scale)``, rounded to nearest; 255 minus that when `inverted`. NaN counts as 0.

    60 µs for 512². In float32 31 µs and some pixels one grey off; by a table of 65 536 greys 48 µs and 15 to fill it.
    """
    rows, columns = stored.shape
    flip = np.uint8(255) if inverted else np.uint8(0)
    for y in range(rows):
        for x in range(columns):
            value = (np.float64(stored[y, x]) - low) * scale
            value = value if value > 0.0 else 0.0  # max() would keep a NaN, and the loop scalar
            value = value if value < 255.0 else 255.0
            out[y, x] = np.uint8(np.int32(value + 0.5)) ^ flip


@kernel(lambda kind: void(taken(kind, 2), float64, float64, float64, float64, boolean, U1_OUT[2]))
def sigmoid(stored, slope, intercept, center, width, inverted, out):  # type: ignore[no-untyped-def]
    """``255 / (1 + exp(-4 (modality - center) / width))`` (PS3.3 C.11.2.1.3.1). NaN counts as 0."""
    rows, columns = stored.shape
    flip = np.uint8(255) if inverted else np.uint8(0)
    for y in range(rows):
        for x in range(columns):
            modality = np.float64(stored[y, x]) * slope + intercept
            power = min(max(-4.0 * (modality - center) / width, -700.0), 700.0)
            value = 255.0 / (1.0 + math.exp(power))
            value = value if value > 0.0 else 0.0
            out[y, x] = np.uint8(np.int32(value + 0.5)) ^ flip


@kernel(lambda kind: types.UniTuple(float64, 2)(taken(kind, 2), float64, float64))
def extremes(stored, padding_low, padding_high):  # type: ignore[no-untyped-def]
    """Smallest and largest finite value outside ``[padding_low, padding_high]`` (empty when low > high); or (0, 0)."""
    low, high = np.inf, -np.inf
    rows, columns = stored.shape
    for y in range(rows):
        for x in range(columns):
            value = np.float64(stored[y, x])
            if not (padding_low <= value <= padding_high) and abs(value) < np.inf:
                low = min(low, value)
                high = max(high, value)
    if low > high:
        return 0.0, 0.0
    return low, high
