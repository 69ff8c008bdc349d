"""Values through a lookup table (PS3.3 C.11.1.1, C.11.2.1.1), compiled. What is outside of a table gets its first or last entry."""

from __future__ import annotations

import numpy as np
from numba import float64, int64, types, uint8, uint16, void

from engine.imaging.kernels.typed import U1_OUT, kernel, taken

_U2_OUT = types.Array(types.uint16, 2, "C")
_COUNTS_OUT = types.Array(types.int64, 1, "C")


@kernel(lambda kind: void(taken(kind, 2), int64, taken(uint8, 1), U1_OUT[2]))
def greys(stored, first, table, out):  # type: ignore[no-untyped-def]
    """``out = table[stored - first]`` of integers, 8-bit greys: 0.12 ms for 512², the time of its loads."""
    rows, columns = stored.shape
    last = len(table) - 1
    for y in range(rows):
        for x in range(columns):
            at = np.int64(stored[y, x]) - first
            at = at if at > 0 else 0
            out[y, x] = table[at if at < last else last]


@kernel(lambda kind: void(taken(kind, 2), int64, taken(uint16, 1), _U2_OUT))
def values(stored, first, table, out):  # type: ignore[no-untyped-def]
    """``out = table[stored - first]`` of integers, 16-bit values: a Modality LUT."""
    rows, columns = stored.shape
    last = len(table) - 1
    for y in range(rows):
        for x in range(columns):
            at = np.int64(stored[y, x]) - first
            at = at if at > 0 else 0
            out[y, x] = table[at if at < last else last]


@kernel(lambda kind: void(taken(kind, 2), float64, float64, int64, taken(uint8, 1), U1_OUT[2]), usual=("f8",))
def greys_of_values(given, slope, intercept, first, table, out):  # type: ignore[no-untyped-def]
    """``out = table[round(given * slope + intercept) - first]``, halves to even. NaN gets the first entry."""
    rows, columns = given.shape
    last = np.float64(len(table) - 1)
    for y in range(rows):
        for x in range(columns):
            at = np.rint(np.float64(given[y, x]) * slope + intercept) - np.float64(first)
            at = at if at > 0.0 else 0.0
            at = at if at < last else last
            out[y, x] = table[np.int64(at)]


@kernel(lambda kind: void(taken(kind, 2), float64, float64, int64, _COUNTS_OUT))
def histogram(stored, padding_low, padding_high, first, counts):  # type: ignore[no-untyped-def]
    """Add up how often each value from `first` on is there, padding (empty when low > high) left out; integers."""
    rows, columns = stored.shape
    last = len(counts) - 1
    for y in range(rows):
        for x in range(columns):
            value = np.float64(stored[y, x])
            if not (padding_low <= value <= padding_high):
                at = np.int64(stored[y, x]) - first
                at = at if at > 0 else 0
                counts[at if at < last else last] += 1
