"""Stored values to 8-bit grey: linear and sigmoid windows (PS3.3 C.11.2.1.2), and the range of an image's values, compiled.

`linear`, `sigmoid` and `extremes` take (rows, columns) of any type of stored value and choose the kernel.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import boolean, float64, types, uint8, void

from engine.imaging.kernels.typed import U1_OUT, kernel, taken
from engine.imaging.kernels.window import linear_in_whole_numbers

Array = npt.NDArray[Any]
# Halves go up, also those that are the last bit of a float below one: then a straight line has the same steps (`window`). No other
# grey is so near to a half for a window of whole numbers up to 65 536 wide (1 / 131 072).
_HALF = 0.5 + 2.0**-18
_REALS = ("f8",)  # what a change of size gives; compiled for other types when there is one


def linear(stored: Array, low: float, scale: float, inverted: bool, out: Array) -> None:
    """``out = clamp((stored - low) * scale)`` in 64-bit floats, to the nearest, halves up; 255 minus it if `inverted`. NaN is 0.

    Integers of 8 and 16 bits get the same greys seven times as fast (`window`), but in windows beyond all numbers of an image.

    Parameters
    ----------
    stored, out : C-contiguous (rows, columns); `out` uint8.
    """
    if (
        stored.dtype.kind == "f"
        or stored.itemsize > 2
        or not linear_in_whole_numbers(stored, low, scale, inverted, out)
    ):
        linear_in_floats(stored, low, scale, inverted, out)


def sigmoid(
    stored: Array, slope: float, intercept: float, center: float, width: float, inverted: bool, out: Array
) -> None:
    """``255 / (1 + exp(-4 (modality - center) / width))`` (PS3.3 C.11.2.1.3.1), rounded to nearest. NaN counts as 0.

    Integers of 8 and 16 bits by a table of their greys (0.1 ms for 512², and 0.5 for the table of a new window, where an
    exponential for each pixel takes 1.6).
    """
    if stored.dtype.kind == "f" or stored.itemsize > 2 or not stored.dtype.isnative:
        sigmoid_in_floats(stored, slope, intercept, center, width, inverted, out)
    else:
        table = _sigmoid_table(stored.dtype.char, slope, intercept, center, width, inverted)
        by_table(stored.reshape(-1).view(f"u{stored.itemsize}"), table, out.reshape(-1))


def extremes(stored: Array, padding_low: float, padding_high: float) -> tuple[float, float]:
    """Smallest and largest finite value outside ``[padding_low, padding_high]`` (empty when low > high); or (0, 0)."""
    if stored.dtype.kind == "f":
        low, high = extremes_of_floats(stored, padding_low, padding_high)
        return float(low), float(high)
    ends = np.iinfo(stored.dtype)
    first, last = 1, 0
    if padding_low <= padding_high and padding_low <= ends.max and padding_high >= ends.min:
        first, last = math.ceil(max(padding_low, ends.min)), math.floor(min(padding_high, ends.max))
    found = np.array([first, last, ends.max, ends.min], stored.dtype)
    extremes_of_integers(stored.reshape(-1), found)
    low, high = int(found[2]), int(found[3])
    return (float(low), float(high)) if low <= high else (0.0, 0.0)


@kernel(lambda kind: void(taken(kind, 2), float64, float64, boolean, U1_OUT[2]), usual=("u2", "i2", *_REALS))
def linear_in_floats(stored, low, scale, inverted, out):  # type: ignore[no-untyped-def]
    """See `linear`; 130 µs for 512². In 32-bit floats some pixels would be one grey off."""
    rows, columns = stored.shape
    flip = np.uint8(255) if inverted else np.uint8(0)
    for y in range(rows):
        for x in range(columns):
            value = (np.float64(stored[y, x]) - low) * scale
            value = value if value > 0.0 else 0.0  # max() would keep a NaN, and the loop scalar
            value = value if value < 255.0 else 255.0
            out[y, x] = np.uint8(np.int32(value + _HALF)) ^ flip


@kernel(lambda kind: void(taken(kind, 2), float64, float64, float64, float64, boolean, U1_OUT[2]), usual=_REALS)
def sigmoid_in_floats(stored, slope, intercept, center, width, inverted, out):  # type: ignore[no-untyped-def]
    """See `sigmoid`."""
    rows, columns = stored.shape
    flip = np.uint8(255) if inverted else np.uint8(0)
    for y in range(rows):
        for x in range(columns):
            modality = np.float64(stored[y, x]) * slope + intercept
            power = min(max(-4.0 * (modality - center) / width, -700.0), 700.0)
            value = 255.0 / (1.0 + math.exp(power))
            value = value if value > 0.0 else 0.0
            out[y, x] = np.uint8(np.int32(value + 0.5)) ^ flip


@lru_cache(maxsize=8)
def _sigmoid_table(char: str, slope: float, intercept: float, center: float, width: float, inverted: bool) -> Array:
    """The grey of every value of an integer type, in the order of its bits read as unsigned."""
    kind = np.dtype(char)
    values = np.arange(1 << 8 * kind.itemsize).astype(f"u{kind.itemsize}").view(kind)
    with np.errstate(all="ignore"):
        modality = values.astype(np.float64) * slope + intercept
        shade = 255.0 / (1.0 + np.exp(np.clip(-4.0 * (modality - center) / width, -700.0, 700.0)))
    greys: Array = (np.where(np.isnan(shade), 0.0, shade) + 0.5).astype(np.uint8)
    return 255 - greys if inverted else greys


@kernel(lambda kind: void(taken(kind, 1), taken(uint8, 1), U1_OUT[1]), usual=("u1", "u2"))
def by_table(values, table, out):  # type: ignore[no-untyped-def]
    """``out = table[values]``; the table has an entry for every value of the unsigned type."""
    for i in range(values.size):
        out[i] = table[values[i]]


@kernel(lambda kind: void(taken(kind, 1), types.Array(kind, 1, "C")))
def extremes_of_integers(values, found):  # type: ignore[no-untyped-def]
    """Lower ``found[2]`` and raise ``found[3]`` to the values outside of ``found[0]`` to ``found[1]``.

    The numbers are of the values' own type, so that 16 of them are compared at once: 25 µs for 512².
    """
    first, last, low, high = found[0], found[1], found[2], found[3]
    top, bottom = found[2], found[3]
    for i in range(values.size):
        value = values[i]
        is_padding = (value >= first) & (value <= last)
        below, above = (top, bottom) if is_padding else (value, value)
        low = below if below < low else low
        high = above if above > high else high
    found[2], found[3] = low, high


@kernel(lambda kind: types.UniTuple(float64, 2)(taken(kind, 2), float64, float64), usual=())
def extremes_of_floats(stored, padding_low, padding_high):  # type: ignore[no-untyped-def]
    """See `extremes`."""
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
