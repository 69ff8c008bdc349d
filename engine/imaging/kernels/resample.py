"""Weighted sums of neighbours along one axis, the two halves of a change of size; and averages of whole blocks, compiled."""

from __future__ import annotations

import numpy as np
from numba import boolean, float64, int64, types, void

from engine.imaging.kernels.typed import F8_OUT, USUAL, kernel, taken

_ROOM = types.Array(types.int32, 1, "C")
_USUAL = (*USUAL, "f8")  # the second half takes what the first has made


@kernel(lambda kind: void(taken(kind, 2), taken(int64, 1), taken(float64, 2), F8_OUT[2]), usual=_USUAL)
def down(source, first, weights, out):  # type: ignore[no-untyped-def]
    """``out[i, x] = Σ_k weights[i, k] · source[first[i] + k, x]``: whole rows at a time, which vectorizes; two rows a turn."""
    columns, taps = source.shape[1], weights.shape[1]
    for i in range(len(first)):
        for x in range(columns):
            out[i, x] = 0.0
        k = 0
        while k < taps:
            one = weights[i, k]
            two = weights[i, k + 1] if k + 1 < taps else 0.0
            above = source[first[i] + k]
            if one != 0.0 and two != 0.0:
                below = source[first[i] + k + 1]
                for x in range(columns):
                    out[i, x] += one * np.float64(above[x]) + two * np.float64(below[x])
                k += 2
                continue
            if one != 0.0:  # a NaN that has no weight is not there
                for x in range(columns):
                    out[i, x] += one * np.float64(above[x])
            k += 1


@kernel(lambda kind: void(taken(kind, 3), taken(int64, 1), taken(float64, 2), boolean, F8_OUT[3]), usual=_USUAL)
def across(source, first, weights, is_plain, out):  # type: ignore[no-untyped-def]
    """``out[y, i, c] = Σ_k weights[i, k] · source[y, first[i] + k, c]``.

    `is_plain`: there is no NaN and no infinity, so that what has no weight need not be looked for (twice as fast).
    """
    rows, _, samples = source.shape
    taps = weights.shape[1]
    for y in range(rows):
        if is_plain and samples == 1 and taps == 4:
            row = source[y, :, 0]
            for i in range(len(first)):
                at = np.uint64(first[i])
                out[y, i, 0] = (
                    weights[i, 0] * np.float64(row[at]) + weights[i, 1] * np.float64(row[at + np.uint64(1)])
                ) + (
                    weights[i, 2] * np.float64(row[at + np.uint64(2)])
                    + weights[i, 3] * np.float64(row[at + np.uint64(3)])
                )
            continue
        for i in range(len(first)):
            for c in range(samples):
                total = 0.0
                for k in range(taps):
                    weight = weights[i, k]
                    if is_plain or weight != 0.0:
                        total += weight * np.float64(source[y, first[i] + k, c])
                out[y, i, c] = total


@kernel(lambda kind: void(taken(kind, 3), _ROOM, _ROOM, F8_OUT[3]))
def blocks(source, sums, pairs, out):  # type: ignore[no-untyped-def]
    """Average of every block of whole pixels, exact before its one division; integers of 8 and 16 bits.

    Rows are added up first, then neighbours in pairs as long as that goes up (2, 4, 8 columns), because a loop of few turns
    inside of another is what takes the time: 512² to 128² 45 µs, to 256² 75.

    Parameters
    ----------
    source : (rows, columns, samples); rows and columns are multiples of those of `out`, a block has less than 2^15 pixels.
    sums, pairs : room for a row, columns · samples each.
    """
    height, width, samples = out.shape
    tall, wide, cells = source.shape[0] // height, source.shape[1] // width, source.shape[1] * samples
    count = np.float64(tall * wide)
    for i in range(height):
        for x in range(cells):
            sums[x] = 0
        for k in range(tall):
            row = source[i * tall + k].reshape(cells)
            for x in range(cells):
                sums[x] += row[x]
        have, spare, left, cell = sums, pairs, wide, cells
        while samples == 1 and left % 2 == 0:
            cell, left = cell // 2, left // 2
            for j in range(cell):
                spare[j] = have[2 * j] + have[2 * j + 1]
            have, spare = spare, have
        if left == 1 and samples == 1:
            for j in range(width):
                out[i, j, 0] = np.float64(have[j]) / count
        else:
            for j in range(width):
                for c in range(samples):
                    total = 0
                    for k in range(left):
                        total += have[(j * left + k) * samples + c]
                    out[i, j, c] = np.float64(total) / count
