"""Linear windows of 8- and 16-bit values in whole numbers: what 64-bit floats give, to the last grey, at the speed of memory.

A window is a staircase: grey k begins at some stored value. `fit` finds the 255 steps of the floating-point formula, then a
straight line ``factor · value + offset`` in units of 2^-24 grey that passes every step on its right side. A rising line that is
right on both sides of every step is right everywhere, so the equality is proved for each window (in 3 µs, and remembered), not
hoped for. Where no such line exists (`fit` says so), the caller uses floats.

The loops look at two 16-bit values as one 32-bit word: with whole words there is nothing to widen and one step to narrow, which
is what vector units are slow at (28 µs for 512² of unsigned values, 50 with a loop over single ones; memcpy 15, floats 130).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import boolean, float64, int16, int32, int64, types, uint8, uint16, uint32, void

from engine.imaging.kernels.typed import TypedKernel, given, kernel, taken

Array = npt.NDArray[Any]
_HALF = 0.5 + 2.0**-18  # as in `gray`
_LINE = types.UniTuple(int64, 7)


def linear_in_whole_numbers(stored: Array, low: float, scale: float, inverted: bool, out: Array) -> bool:
    """`gray.linear` for C-contiguous 8- and 16-bit integers; False, and nothing done, where only floats are right.

    `out` is uint8, C-contiguous, of as many elements. Any thread.
    """
    line = _line(low, scale, inverted, stored.dtype.char)
    if line is None or not stored.dtype.isnative:
        return False
    if stored.itemsize == 1:
        bytes_(stored.reshape(-1), *line, out.reshape(-1))
        return True
    loop, word = (signed_words, np.int32) if stored.dtype.kind == "i" else (unsigned_words, np.uint32)
    pairs, odd = divmod(stored.size, 2)
    if pairs:  # `frombuffer` because two views take a microsecond more
        loop(np.frombuffer(stored, word, pairs), *line, np.frombuffer(out, np.uint16, pairs))
    if odd:
        last = np.array([stored.flat[-1], 0], stored.dtype)
        two = np.empty(2, np.uint8)
        loop(last.view(word), *line, two.view(np.uint16))
        out.flat[-1] = two[0]
    return True


@lru_cache(maxsize=256)
def _line(low: float, scale: float, inverted: bool, char: str) -> tuple[int, ...] | None:
    """(lowest, highest, shift, factor, fraction, offset, flip) of a window; None without one."""
    kind = np.dtype(char)
    if kind.str[1:] not in ("u1", "u2", "i2"):
        return None
    ends = np.iinfo(kind)
    line = fit(np.empty(256, np.int64), low, scale, bool(inverted), int(ends.min), int(ends.max))
    lowest, highest, shift, *numbers, flip = line
    if lowest > highest or (numbers[1] and kind.itemsize == 1):
        return None
    signed = (1 << 31) if kind.kind == "i" else 0
    numbers = [(n + signed) % (1 << 32) - signed for n in numbers]
    return lowest, highest, shift, *numbers, flip * 257  # of two greys at once


@kernel(lambda kind: _LINE(types.Array(kind, 1, "C"), float64, float64, boolean, int64, int64), usual=("i8",))
def fit(steps, low, scale, inverted, smallest, largest):  # type: ignore[no-untyped-def]
    """The line of ``clamp((value - low) * scale)`` rounded to nearest, for whole values `smallest` to `largest`.

    Returns
    -------
    lowest, highest : where to clamp ``value << shift``; the first larger than the second when there is no line.
    shift : 0 to 8, finer clamping for windows whose values are more than a grey apart.
    factor, fraction, offset : the line is ``factor · x + (fraction · x >> 16) + offset``, of which bits 24 to 31 are the
        grey; modulo 2^32, so that a factor may be negative.
    flip : what the grey is to be xored with; always 0 where `fraction` is.
    """
    nothing = (1, 0, 0, 0, 0, 0, 0)
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
    shift = 0
    while rise > 1 << shift:
        shift += 1
    lowest, highest = steps[1] - 1, steps[255]
    for bits in (24 - shift, 40):
        if bits == 40 and shift > 0:
            return nothing
        finer = bits - 24 if bits == 40 else 0
        slope = int64(np.floor(rise * 2.0**bits + 0.5))
        least, most = -(1 << 60), 1 << 60
        for k in range(1, 256):
            if steps[k] <= largest:
                least = max(least, (k << 24) - ((steps[k] << shift) * slope >> finer))
            if steps[k] > smallest:
                most = min(most, (k << 24) - 1 - ((steps[k] - 1 << shift) * slope >> finer))
        if least > most:
            continue
        if least == -(1 << 60):
            offset = most
        elif most == 1 << 60:
            offset = least
        else:
            offset = (least + most) >> 1
        # Beyond the outermost steps the line must neither leave 0 to 255 nor come to another grey there.
        first, last = max(lowest, smallest) << shift, min(highest, largest) << shift
        if shift > 0:
            first = max(first, -(offset // slope))
            last = min(last, ((1 << 32) - 1 - offset) // slope)
        at_first, at_last = (first * slope >> finer) + offset, (last * slope >> finer) + offset
        is_right = first <= last and at_first >= 0 and at_last < 1 << 32
        if lowest >= smallest:
            is_right = is_right and at_first < 1 << 24 and first < lowest + 1 << shift
        if highest <= largest:
            is_right = is_right and at_last >= 255 << 24 and last > highest - 1 << shift
        if is_right:
            if bits == 40:
                return first, last, 0, slope >> 16, slope & 0xFFFF, offset, 255 if inverted != falls else 0
            if inverted != falls:
                return first, last, shift, -slope, 0, -offset - 1, 0
            return first, last, shift, slope, 0, offset, 0
    return nothing


@kernel(
    lambda kind: void(taken(kind, 1), uint32, uint32, uint32, uint32, uint32, uint32, uint16, given(uint8, 1)),
    usual=("u1",),
)
def bytes_(values, lo, hi, shift, factor, fraction, offset, flip, greys):  # type: ignore[no-untyped-def]
    """One value a turn (36 µs for 512²; a table of 256 greys 98). There is no window of bytes that needs a fraction."""
    for i in range(values.size):
        x = max(min(uint32(uint32(values[i]) << (shift & 15)), hi), lo)
        greys[i] = uint8(uint32(x * factor + offset) >> 24)


def _words(word: types.Integer, half: types.Integer) -> TypedKernel:
    """Two values a turn: the lower half of a `word` and the upper. Three loops, as each takes some operations more.

    The numbers come in as words: as 64-bit ones that are cut here they keep the loop 64 bits wide (70 µs instead of 28).
    """

    def words(pairs, lo, hi, shift, m, f, b, flip, greys):  # type: ignore[no-untyped-def]
        if f != 0:
            for i in range(pairs.size):
                w = pairs[i]
                x = max(min(word(half(w)), hi), lo)
                y = max(min(word(w >> 16), hi), lo)
                x = word(x * m + word(word(x * f) >> 16) + b)
                y = word(y * m + word(word(y * f) >> 16) + b)
                greys[i] = uint16(uint32(x) >> 24 | (uint32(y) >> 16) & 0xFF00) ^ flip
        elif shift != 0:
            for i in range(pairs.size):
                w = pairs[i]
                x = max(min(word(word(half(w)) << (shift & 15)), hi), lo)
                y = max(min(word(word(w >> 16) << (shift & 15)), hi), lo)
                x, y = word(x * m + b), word(y * m + b)
                greys[i] = uint16(uint32(x) >> 24 | (uint32(y) >> 16) & 0xFF00)
        else:
            for i in range(pairs.size):
                w = pairs[i]
                x = max(min(word(half(w)), hi), lo)
                y = max(min(word(w >> 16), hi), lo)
                x, y = word(x * m + b), word(y * m + b)
                greys[i] = uint16(uint32(x) >> 24 | (uint32(y) >> 16) & 0xFF00)

    signature: Callable[[types.Type], Any] = lambda kind: void(  # noqa: E731
        taken(kind, 1), word, word, uint32, word, word, word, uint16, given(uint16, 1)
    )
    return kernel(signature, usual=("i4" if word is int32 else "u4",))(words)


unsigned_words = _words(uint32, uint16)
signed_words = _words(int32, int16)
