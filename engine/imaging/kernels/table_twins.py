"""The kernels of `lut` and `palette` again in plain numpy: slow, obviously right, and what the compiled ones are tested against."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def greys(stored: Array, first: int, table: Array, out: Array) -> None:
    out[...] = table[np.clip(stored.astype(np.int64) - first, 0, len(table) - 1)]


values = greys


def greys_of_values(given: Array, slope: float, intercept: float, first: int, table: Array, out: Array) -> None:
    with np.errstate(all="ignore"):
        at = np.clip(np.rint(given.astype(np.float64) * slope + intercept) - first, 0, len(table) - 1)
    out[...] = table[np.where(np.isnan(at), 0, at).astype(np.int64)]


def histogram(stored: Array, padding_low: float, padding_high: float, first: int, counts: Array) -> None:
    kept = stored[~((stored >= padding_low) & (stored <= padding_high))].astype(np.int64)
    np.add.at(counts, np.clip(kept - first, 0, len(counts) - 1), 1)


def colours(stored: Array, first: int, table: Array, out: Array) -> None:
    greys(stored, first, table, out)


def colours_over_grey(stored: Array, grey: Array, first: int, table: Array, out: Array) -> None:
    greys(stored, first, table, out)
    is_grey = stored.astype(np.int64) < first
    out[is_grey] = grey[is_grey][:, None]
