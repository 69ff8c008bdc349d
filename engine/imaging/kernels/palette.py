"""Palette colours (PS3.3 C.7.6.3.1.5) and supplemental ones over grey (C.7.6.19), compiled."""

from __future__ import annotations

import numpy as np
from numba import int64, uint8, void

from engine.imaging.kernels.typed import U1_OUT, kernel, taken


@kernel(lambda kind: void(taken(kind, 2), int64, taken(uint8, 2), U1_OUT[3]))
def colours(stored, first, table, out):  # type: ignore[no-untyped-def]
    """``out = table[stored - first]``, red green blue; what is outside of the table gets its first or last entry."""
    rows, columns = stored.shape
    last = len(table) - 1
    for y in range(rows):
        for x in range(columns):
            at = np.int64(stored[y, x]) - first
            at = at if at > 0 else 0
            at = at if at < last else last
            out[y, x, 0] = table[at, 0]
            out[y, x, 1] = table[at, 1]
            out[y, x, 2] = table[at, 2]


@kernel(lambda kind: void(taken(kind, 2), taken(uint8, 2), int64, taken(uint8, 2), U1_OUT[3]))
def colours_over_grey(stored, grey, first, table, out):  # type: ignore[no-untyped-def]
    """The table's colour for stored values from `first` on, the pixel of `grey` for smaller ones."""
    rows, columns = stored.shape
    last = len(table) - 1
    for y in range(rows):
        for x in range(columns):
            at = np.int64(stored[y, x]) - first
            if at < 0:
                out[y, x, 0] = grey[y, x]
                out[y, x, 1] = grey[y, x]
                out[y, x, 2] = grey[y, x]
            else:
                at = at if at < last else last
                out[y, x, 0] = table[at, 0]
                out[y, x, 1] = table[at, 1]
                out[y, x, 2] = table[at, 2]
