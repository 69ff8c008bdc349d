"""Linear windows of 8- and 16-bit values in whole numbers: what 64-bit floats give, to the last grey, at the speed of memory.

A window is a staircase: grey k begins at some stored value. `fit` finds the 255 steps of the floating-point formula, then a
straight line that passes every step on its right side. A rising line that is right on both sides of every step is right
everywhere, so the equality is proved for each window (in some microseconds, and remembered), not hoped for. Where no such line
exists (`fit` says so), the caller uses floats.

Nearly every window has one that numbers of 16 bits can go along, and a vector unit does twice as many of those at once as of 32
bits (`lanes`: 19 µs for 512², where memcpy takes 10 and floats 130). Some, most of them thousands of values wide, want a finer
slope (`fine`: 32 µs).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import boolean, float64, int16, int64, types, uint8, uint16, uint32, void

from engine.imaging.kernels.typed import given, kernel, taken

Array = npt.NDArray[Any]
_HALF = 0.5 + 2.0**-18  # as in `gray`
_LINE = types.UniTuple(int64, 8)
_BACK_MAX = 4096  # places where the line may begin


def linear_in_whole_numbers(stored: Array, low: float, scale: float, inverted: bool, out: Array) -> bool:
    """`gray.linear` for C-contiguous 8- and 16-bit integers; False, and nothing done, where only floats are right.

    `out` is uint8, C-contiguous, of as many elements. Any thread.
    """
    line = _line(low, scale, inverted, stored.dtype.char)
    if line is None or not stored.dtype.isnative:
        return False
    is_fine, numbers = line
    (fine if is_fine else lanes)(stored.reshape(-1), *numbers, out.reshape(-1))
    return True


def line_of_lanes(low: float, scale: float, inverted: bool, char: str) -> tuple[int, ...] | None:
    """What `lanes` takes between the values and the greys, for who does the same elsewhere; None where it is not for `lanes`.

    Parameters
    ----------
    char : numpy's letter of the type of the values.
    """
    line = _line(low, scale, inverted, char)
    return None if line is None or line[0] else line[1]


@lru_cache(maxsize=256)
def _line(low: float, scale: float, inverted: bool, char: str) -> tuple[bool, tuple[int, ...]] | None:
    """Whether the line is for `fine`, and the numbers that the loop takes; None without a line."""
    kind = np.dtype(char)
    if kind.str[1:] not in ("u1", "u2", "i2"):
        return None
    ends = np.iinfo(kind)
    found = fit(np.empty(256, np.int64), low, scale, int(ends.min), int(ends.max))
    bits, lowest, highest, base, *numbers, floor = found
    flip = 255 if bool(inverted) != (scale < 0) else 0
    if bits == 0:
        return None
    if bits == 24:
        return True, (lowest, highest, base & 0xFFFF, *numbers, flip)
    return False, (lowest, highest, base & 0xFFFF, *numbers, floor, 0, flip, bits == 7)


@kernel(lambda kind: _LINE(types.Array(kind, 1, "C"), float64, float64, int64, int64), usual=("i8",))
def fit(steps, low, scale, smallest, largest):  # type: ignore[no-untyped-def]
    """The line of ``clamp((value - low) * scale)`` rounded to nearest, for whole values `smallest` to `largest`.

    Of a falling window it is the line of 255 minus the grey. With u for the value, between `lowest` and `highest`, less `base`:

    - 7 or 8 `bits`: ``whole · u + (fraction · u >> 16) + offset``, modulo 2^16, less `floor`, are so many bits of fraction and
      the grey above; with 7 it may be less than 0 and more than 255, and is 0 or 255 then.
    - 24 `bits`: the same without a `floor`, modulo 2^32.

    Returns
    -------
    bits, lowest, highest, base, whole, fraction, offset, floor : all 0 when there is no line.
    """
    nothing = (0, 0, 0, 0, 0, 0, 0, 0)
    if not (abs(low) < np.inf and abs(scale) < np.inf and scale != 0.0):
        return nothing
    falls = scale < 0.0  # then 255 minus the grey is what rises
    for k in range(1, 256):
        guess = low + ((255.5 - k) if falls else (k - 0.5)) / scale
        step = int64(np.ceil(min(max(guess, float64(smallest)), largest + 1.0)))
        for turn in range(16):
            moved = 0
            for at in range(2):  # is it reached one before the step; is it reached at the step
                value = (float64(step - 1 + at) - low) * scale
                grey = int64(min(max(value, 0.0), 255.0) + _HALF)
                grey = 255 - grey if falls else grey
                if at == 0 and step > smallest and grey >= k:
                    moved = -1
                elif at == 1 and step <= largest and grey < k:
                    moved = 1
            if moved == 0:
                break
            if turn == 15:
                return nothing  # `low` is so large that the guess is rounded away
            step += moved
        steps[k] = step
    rise = min(abs(scale), 256.0)
    first, last = max(steps[1] - 1, smallest), min(steps[255], largest)
    # A steep line is below 0 before the first step and beyond 255 at the last.
    bits = 8 if rise <= 1.0 else 7
    for turn in range(9):  # the nearest slope, one more, one less, two more
        slope = int64(np.floor(rise * 2.0 ** (16 + bits) + 0.5)) + ((turn + 1) >> 1) * (1 if turn & 1 else -1)
        if slope < 0:
            break
        # Where the line may be at `first`: whole 2^-(16 + bits) of a grey.
        rest = (1 << 32) - 1 - (last - first) * slope
        least, most = 0 if bits == 8 else -(1 << 31), rest
        for k in range(1, 256):
            if steps[k] <= largest:
                least = max(least, (k << (16 + bits)) - (steps[k] - first) * slope)
            if steps[k] > smallest:
                most = min(most, (k << (16 + bits)) - 1 - (steps[k] - 1 - first) * slope)
        if least > most:
            continue
        # Its offset has no more than `bits` of fraction. The rest comes of where it begins: some values before `first`.
        for back in range(min(_BACK_MAX, 65536 - (last - first))):
            at = least + ((slope * back - least) & 0xFFFF)
            floor = max(0, -(at >> 16))
            if at <= most and at + (floor << 16) <= rest:
                offset = (((at - slope * back) >> 16) + floor) & 0xFFFF
                return bits, first, last, first - back, slope >> 16, slope & 0xFFFF, offset, floor
    if rise > 1.0:
        return nothing
    slope = int64(np.floor(rise * 2.0**40 + 0.5))
    least, most = 0, (1 << 32) - 1 - ((last - first) * slope >> 16)
    for k in range(1, 256):
        if steps[k] <= largest:
            least = max(least, (k << 24) - ((steps[k] - first) * slope >> 16))
        if steps[k] > smallest:
            most = min(most, (k << 24) - 1 - ((steps[k] - 1 - first) * slope >> 16))
    if least > most:
        return nothing
    return 24, first, last, first, slope >> 16, slope & 0xFFFF, (least + most) >> 1, 0


@kernel(
    lambda kind: void(
        taken(kind, 1), *[int16 if kind == int16 else uint16] * 2, *[uint16] * 6, uint8, boolean, given(uint8, 1)
    )
)
def lanes(values, lo, hi, base, whole, fraction, offset, floor, zero, flip, is_steep, greys):  # type: ignore[no-untyped-def]
    """Products of 16 bits, their lower half and their upper one.

    `zero` is 0 and the compiler must not know: a `fraction` that never changes it would widen before the loop, and then
    multiply in 32 bits (30 µs).
    """
    if is_steep:
        for i in range(values.size):
            u = uint16(uint16(max(min(values[i], hi), lo)) - base)
            grey = uint16(uint16(u * whole) + uint16(uint32(uint32(u) * uint32(fraction)) >> 16) + offset)
            grey = uint16(max(grey, floor) - floor) >> 7
            greys[i] = uint8(min(uint16(grey), uint16(255))) ^ flip
            fraction = uint16(fraction + zero)
    else:
        for i in range(values.size):
            u = uint16(uint16(max(min(values[i], hi), lo)) - base)
            grey = uint16(uint16(u * whole) + uint16(uint32(uint32(u) * uint32(fraction)) >> 16) + offset)
            greys[i] = uint8(grey >> 8) ^ flip
            fraction = uint16(fraction + zero)


@kernel(
    lambda kind: void(
        taken(kind, 1), *[int16 if kind == int16 else uint16] * 2, uint16, *[uint32] * 3, uint8, given(uint8, 1)
    )
)
def fine(values, lo, hi, base, whole, fraction, offset, flip, greys):  # type: ignore[no-untyped-def]
    """Products of 32 bits."""
    for i in range(values.size):
        u = uint32(uint16(uint16(max(min(values[i], hi), lo)) - base))
        greys[i] = uint8(uint32(u * whole + (uint32(u * fraction) >> 16) + offset) >> 24) ^ flip
