"""Stored values to 8-bit grey: linear and sigmoid windows (PS3.3 C.11.2.1.2), compiled."""

from __future__ import annotations

import math

import numba
import numpy as np

_OPTIONS = {"nogil": True, "cache": True, "error_model": "numpy"}


@numba.njit(**_OPTIONS)
def linear(stored, low, scale, inverted, out):  # type: ignore[no-untyped-def]
    """``out = clamp((stored - low) * scale)``, rounded to nearest; 255 minus that when `inverted`."""
    rows, columns = stored.shape
    for y in range(rows):
        for x in range(columns):
            value = (np.float64(stored[y, x]) - low) * scale
            value = min(max(value, 0.0), 255.0)
            grey = np.uint8(value + 0.5) if value == value else np.uint8(0)
            out[y, x] = np.uint8(255) - grey if inverted else grey


@numba.njit(**_OPTIONS)
def sigmoid(stored, slope, intercept, center, width, inverted, out):  # type: ignore[no-untyped-def]
    """``255 / (1 + exp(-4 (modality - center) / width))`` (PS3.3 C.11.2.1.3.1)."""
    rows, columns = stored.shape
    for y in range(rows):
        for x in range(columns):
            modality = np.float64(stored[y, x]) * slope + intercept
            power = min(max(-4.0 * (modality - center) / width, -700.0), 700.0)
            value = 255.0 / (1.0 + math.exp(power))
            grey = np.uint8(value + 0.5) if value == value else np.uint8(0)
            out[y, x] = np.uint8(255) - grey if inverted else grey


@numba.njit(**_OPTIONS)
def extremes(stored, padding_low, padding_high):  # type: ignore[no-untyped-def]
    """Smallest and largest value outside ``[padding_low, padding_high]`` (empty when low > high); (0, 0) without any."""
    low, high = np.inf, -np.inf
    rows, columns = stored.shape
    for y in range(rows):
        for x in range(columns):
            value = np.float64(stored[y, x])
            if not (padding_low <= value <= padding_high):
                low = min(low, value)
                high = max(high, value)
    if low > high:
        return 0.0, 0.0
    return low, high
