"""Palette colours (PS3.3 C.7.6.3.1.5) and supplemental ones over grey (C.7.6.19), compiled."""

from __future__ import annotations

import numpy as np
from numba import int64, uint8, void

from engine.imaging.kernels.typed import U1_OUT, kernel, taken

# Unsigned indices need not be looked at for their sign, which takes as long as the rest.
_ONE, _TWO, _THREE = np.uint64(1), np.uint64(2), np.uint64(3)


@kernel(lambda kind: void(taken(kind, 2), int64, taken(uint8, 2), U1_OUT[3]))
def colours(stored, first, table, out):  # type: ignore[no-untyped-def]
    """``out = table[stored - first]``, red green blue; what is outside of the table gets its first or last entry."""
    values, entries, pixels, last = stored.reshape(-1), table.reshape(-1), out.reshape(-1), len(table) - 1
    for i in range(np.uint64(values.size)):
        at = np.int64(values[i]) - first
        at = at if at > 0 else 0
        start, to = _THREE * np.uint64(at if at < last else last), _THREE * i
        pixels[to] = entries[start]
        pixels[to + _ONE] = entries[start + _ONE]
        pixels[to + _TWO] = entries[start + _TWO]


@kernel(lambda kind: void(taken(kind, 2), taken(uint8, 2), int64, taken(uint8, 2), U1_OUT[3]))
def colours_over_grey(stored, grey, first, table, out):  # type: ignore[no-untyped-def]
    """The table's colour for stored values from `first` on, the pixel of `grey` for smaller ones."""
    values, entries, pixels, last = stored.reshape(-1), table.reshape(-1), out.reshape(-1), len(table) - 1
    greys = grey.reshape(-1)
    for i in range(np.uint64(values.size)):
        at, to = np.int64(values[i]) - first, _THREE * i
        if at < 0:
            pixels[to] = greys[i]
            pixels[to + _ONE] = greys[i]
            pixels[to + _TWO] = greys[i]
        else:
            start = _THREE * np.uint64(at if at < last else last)
            pixels[to] = entries[start]
            pixels[to + _ONE] = entries[start + _ONE]
            pixels[to + _TWO] = entries[start + _TWO]
