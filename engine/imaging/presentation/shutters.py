"""Hiding what a display shutter hides, in stored pixels and before anything is turned or scaled (PS3.3 C.7.6.11)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from engine.dicom.shutter import Shutter
from engine.imaging.presentation.polygon import polygon_mask

Array = npt.NDArray[Any]


def hidden(shutter: Shutter, rows: int, columns: int, pixel_aspect_ratio: tuple[float, float] = (1.0, 1.0)) -> Array:
    """bool array (rows, columns): true where the shutter is.

    Parameters
    ----------
    pixel_aspect_ratio : (vertical, horizontal) size of a pixel; a circle's radius counts columns, and it is round.

    Raises
    ------
    TooLarge
    """
    out: Array = np.zeros((rows, columns), bool)
    if shutter.rectangle is not None:
        left, right, upper, lower = shutter.rectangle
        shown = np.zeros((rows, columns), bool)
        shown[max(upper - 1, 0) : max(lower, 0), max(left - 1, 0) : max(right, 0)] = True
        out |= ~shown
    if shutter.circle is not None:
        row, column, radius = shutter.circle
        vertical, horizontal = pixel_aspect_ratio
        down = (np.arange(1, rows + 1) - row) * (vertical / horizontal)
        across = np.arange(1, columns + 1) - float(column)
        out |= down[:, None] ** 2 + across[None, :] ** 2 > float(radius) ** 2
    if shutter.polygon:
        points = np.array(shutter.polygon, np.float64)[:, ::-1] - 1.0
        out |= ~polygon_mask(points, rows, columns)
    if shutter.bitmap is not None:
        height, width = min(rows, shutter.bitmap.shape[0]), min(columns, shutter.bitmap.shape[1])
        out[:height, :width] |= shutter.bitmap[:height, :width]
    return out


def shuttered(display_values: Array, shutter: Shutter, pixel_aspect_ratio: tuple[float, float] = (1.0, 1.0)) -> Array:
    """A copy of uint8 (rows, columns[, 3]) with what is hidden in the shutter's grey or colour.

    Raises
    ------
    TooLarge
    """
    out = display_values.copy()
    where = hidden(shutter, out.shape[0], out.shape[1], pixel_aspect_ratio)
    if out.ndim == 3:
        out[where] = shutter.rgb or (shutter.grey,) * 3
    else:
        out[where] = shutter.grey
    return out
