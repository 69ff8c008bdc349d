"""YBR_FULL to RGB (PS3.3 C.7.6.3.1.2), compiled."""

from __future__ import annotations

import numpy as np
from numba import void

from engine.imaging.kernels.typed import U1_OUT, kernel, taken


@kernel(lambda kind: void(taken(kind, 3), U1_OUT[3]))
def ybr_full_to_rgb(ybr, out):  # type: ignore[no-untyped-def]
    """8-bit (rows, columns, 3) to the same shape; ITU-R BT.601 factors, rounded to nearest."""
    rows, columns, _ = ybr.shape
    for y in range(rows):
        for x in range(columns):
            luma = np.float64(ybr[y, x, 0])
            blue, red = np.float64(ybr[y, x, 1]) - 128.0, np.float64(ybr[y, x, 2]) - 128.0
            r = luma + 1.402 * red
            g = luma - (0.114 * 1.772 / 0.587) * blue - (0.299 * 1.402 / 0.587) * red
            b = luma + 1.772 * blue
            out[y, x, 0] = np.uint8(min(max(r, 0.0), 255.0) + 0.5)
            out[y, x, 1] = np.uint8(min(max(g, 0.0), 255.0) + 0.5)
            out[y, x, 2] = np.uint8(min(max(b, 0.0), 255.0) + 0.5)
