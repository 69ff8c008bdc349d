"""Overlay planes on a picture: placed by their origin, made as large as it, drawn white (PS3.3 C.9.2, PS3.4 N.2.4)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.dicom.overlay import Overlay
from engine.imaging.size import Region

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]

_WHITE = 255


def mask_of(overlays: Iterable[Overlay], frame_index: int, rows: int, columns: int, cells: Array | None = None) -> Mask:
    """Where any of these overlays has a bit over one frame, (rows, columns) of the image.

    Parameters
    ----------
    cells : the frame's pixel cells with all their bits, unsigned; where an overlay is inside of them.
    """
    mask = np.zeros((rows, columns), bool)
    for overlay in overlays:
        if not overlay.is_over(frame_index):
            continue
        if not overlay.is_embedded:
            _place(mask, overlay.plane(frame_index), overlay.origin)
        elif cells is not None:
            mask |= (cells >> cells.dtype.type(overlay.bit_position)) & cells.dtype.type(1) != 0
    return mask


def burned(display: Array, mask: Mask, region: Region) -> Array:
    """A picture of `region` with the mask's pixels white. A line one pixel wide survives when the picture is smaller."""
    x, y, width, height = region
    shown = mask[y : y + height, x : x + width]
    shown = _fitted(_fitted(shown, display.shape[0], 0), display.shape[1], 1)
    out = display.copy()
    out[shown] = _WHITE
    return out


def _place(mask: Mask, plane: Mask, origin: tuple[int, int]) -> None:
    """Draw a plane whose first bit lies on (row, column) `origin`, from 1; what is outside of the image is not there."""
    rows, columns = mask.shape
    top, left = origin[0] - 1, origin[1] - 1
    y0, x0 = max(top, 0), max(left, 0)
    y1, x1 = min(top + plane.shape[0], rows), min(left + plane.shape[1], columns)
    if y0 < y1 and x0 < x1:
        mask[y0:y1, x0:x1] |= plane[y0 - top : y1 - top, x0 - left : x1 - left]


def _fitted(mask: Mask, length: int, axis: int) -> Mask:
    """Another length along one axis: any bit of those that fall together, or the one that is nearest."""
    have = mask.shape[axis]
    if length == have:
        return mask
    if length > have:
        nearest: Mask = np.take(mask, (2 * np.arange(length) + 1) * have // (2 * length), axis=axis)
        return nearest
    joined: Mask = np.maximum.reduceat(mask, np.arange(length) * have // length, axis=axis)
    return joined
