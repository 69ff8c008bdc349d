"""YBR_FULL to RGB (PS3.3 C.7.6.3.1.2), compiled: exactly rounded, in whole numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import int32, uint8, void

from engine.imaging.kernels.typed import U1_OUT, kernel, taken

Array = npt.NDArray[Any]

# The factors of ITU-R BT.601 times 2^22: 1.402, 0.202008 / 0.587, 0.419198 / 0.587, 1.772. The half that rounds is 96 more,
# so that the exact halves that there are (blue 125 steps from the middle, two greens) go up; right for all 256³ colours.
_BITS = np.int32(22)
_RED, _BLUE = np.int32(round(1.402 * 2**22)), np.int32(round(1.772 * 2**22))
_GREEN_BLUE, _GREEN_RED = np.int32(round(0.202008 / 0.587 * 2**22)), np.int32(round(0.419198 / 0.587 * 2**22))
_HALF = np.int32(2**21 + 96)
_MIDDLE, _ZERO, _FULL = np.int32(128), np.int32(0), np.int32(255)


def ybr_full_to_rgb(ybr: Array, out: Array) -> None:
    """8-bit C-contiguous (rows, columns, 3) to the same shape, rounded to nearest, halves up; any thread."""
    rgb_of_ybr_full(ybr.reshape(-1), out.reshape(-1))


@kernel(lambda kind: void(taken(kind, 1), U1_OUT[1]), usual=("u1",))
def rgb_of_ybr_full(ybr, out):  # type: ignore[no-untyped-def]
    """Y CB CR Y CB CR … to R G B R G B …

    0.36 ms for 512² (in 64-bit floats 1.2). What the vector units want: numbers that stay 32 bits wide, one loop, and a plain
    ``3 * i`` for an index (three dimensions take twice as long).
    """
    for i in range(ybr.size // 3):
        luma = int32(ybr[3 * i])
        blue = int32(int32(ybr[3 * i + 1]) - _MIDDLE)
        red = int32(int32(ybr[3 * i + 2]) - _MIDDLE)
        r = int32(luma + (int32(_RED * red + _HALF) >> _BITS))
        g = int32(luma + (int32(_HALF - _GREEN_BLUE * blue - _GREEN_RED * red) >> _BITS))
        b = int32(luma + (int32(_BLUE * blue + _HALF) >> _BITS))
        out[3 * i] = uint8(min(max(r, _ZERO), _FULL))
        out[3 * i + 1] = uint8(min(max(g, _ZERO), _FULL))
        out[3 * i + 2] = uint8(min(max(b, _ZERO), _FULL))
