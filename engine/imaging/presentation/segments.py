"""Segments over the image that they are of: brought onto its pixels, then blended over what is displayed (PS3.3 C.8.20)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.dicom.colour import Rgb
from engine.dicom.plane import Affine, Plane
from engine.dicom.segmentation import Segmentation, SegmentationFrame, SegmentationType, check_shown
from engine.imaging.presentation.placement import Placement
from engine.limits import Limits

Array = npt.NDArray[Any]

IDENTITY: Affine = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
_BAND = 256  # rows that are sampled at once: the positions of a 64-megapixel image would take a gigabyte


@dataclass(frozen=True, slots=True, eq=False)
class Cover:
    """How much of each pixel of the image a segment has: uint8 (rows, columns), 255 for all; and its colour."""

    segment_number: int
    rgb: Rgb
    share: Array


def covers(
    segmentation: Segmentation,
    frames: Iterable[SegmentationFrame],
    values: Mapping[int, Array],
    plane: Plane | None,
    rows: int,
    columns: int,
    limits: Limits,
    segment_numbers: frozenset[int] | None = None,
) -> tuple[Cover, ...]:
    """Segments over one frame of an image, by their numbers.

    Binary segments and label maps take the nearest of the segmentation's pixels, fractional ones go between them.

    Parameters
    ----------
    frames : what `Segmentation.frames_over` gave.
    values : their decoded pixels (rows, columns), by frame index.
    plane, rows, columns : of the image's frame.
    segment_numbers : only these; None: all.

    Raises
    ------
    TooLarge
    """
    shares: dict[int, Array] = {}
    for frame in frames:
        pixels = values[frame.index]
        matrix = IDENTITY
        if plane is not None and frame.plane is not None and plane.is_same(frame.plane):
            matrix = plane.index_in(frame.plane)
        if segmentation.type is SegmentationType.LABELMAP:
            labels = sampled(pixels, matrix, rows, columns, fill=segmentation.background)
            numbers = [int(n) for n in np.unique(labels) if n not in (0, segmentation.background)]
            check_shown(len(numbers), limits)
            found = {n: (labels == n).view(np.uint8) * np.uint8(255) for n in numbers}
        elif segmentation.type is SegmentationType.FRACTIONAL:
            scale = 255.0 / segmentation.full_value
            share = sampled(pixels.astype(np.float64) * scale, matrix, rows, columns, fill=0, is_smooth=True)
            found = {frame.segment_number: (np.clip(share, 0.0, 255.0) + 0.5).astype(np.uint8)}
        else:
            bits = sampled(pixels, matrix, rows, columns, fill=0)
            found = {frame.segment_number: (bits != 0).view(np.uint8) * np.uint8(255)}
        for number, share in found.items():
            if segment_numbers is None or number in segment_numbers:
                shares[number] = np.maximum(shares[number], share) if number in shares else share
                check_shown(len(shares), limits)
    return tuple(Cover(n, segmentation.colour_of(n), shares[n]) for n in sorted(shares))


def blended(display_values: Array, shown: Iterable[Cover], placement: Placement, opacity: float) -> Array:
    """uint8 RGB (height, width, 3) of display values with segments over them, the higher numbers above.

    Parameters
    ----------
    display_values : uint8 (height, width[, 3]) of `placement`.
    opacity : of a pixel that a segment has all of, 0 to 1.
    """
    grey_or_rgb = display_values if display_values.ndim == 3 else np.repeat(display_values[:, :, None], 3, axis=2)
    result = grey_or_rgb.copy()
    for cover in shown:
        share = placement.arranged(cover.share, is_cover=True)
        where = share > 0
        alpha = share[where].astype(np.float32)[:, None] * np.float32(opacity / 255.0)
        under = result[where].astype(np.float32)
        result[where] = (under + (np.array(cover.rgb, np.float32) - under) * alpha + np.float32(0.5)).astype(np.uint8)
    return result


def sampled(image: Array, matrix: Affine, rows: int, columns: int, *, fill: float, is_smooth: bool = False) -> Array:
    """An image (or bands of it) on another grid of pixels: (rows, columns) of the same type.

    Parameters
    ----------
    matrix : makes (column, row) of `image`, whole at pixel centres, of the other grid's (column, row, 1).
    fill : where there is no image: outside of its outermost pixels' edges.
    is_smooth : bilinear instead of the nearest pixel.
    """
    if matrix == IDENTITY and image.shape[:2] == (rows, columns):
        return image
    out = np.empty((rows, columns, *image.shape[2:]), image.dtype)
    (xx, xy, x0), (yx, yy, y0) = matrix
    across = np.arange(columns, dtype=np.float64)
    for first in range(0, rows, _BAND):
        down = np.arange(first, min(first + _BAND, rows), dtype=np.float64)[:, None]
        x, y = xx * across + xy * down + x0, yx * across + yy * down + y0
        out[first : first + len(down)] = (_smooth if is_smooth else _nearest)(image, x, y, fill)
    return out


def _nearest(image: Array, x: Array, y: Array, fill: float) -> Array:
    # The last bit of a sum of millimetres must not decide between two pixels or between inside and out.
    column, row = np.floor(x + 0.5 + 1e-6).astype(np.int64), np.floor(y + 0.5 + 1e-6).astype(np.int64)
    rows, columns = image.shape[:2]
    is_inside = (column >= 0) & (column < columns) & (row >= 0) & (row < rows)
    picked = image[np.clip(row, 0, rows - 1), np.clip(column, 0, columns - 1)]
    picked[~is_inside] = fill
    return picked


def _smooth(image: Array, x: Array, y: Array, fill: float) -> Array:
    rows, columns = image.shape[:2]
    is_inside = (x >= -0.5 - 1e-6) & (x <= columns - 0.5 + 1e-6) & (y >= -0.5 - 1e-6) & (y <= rows - 0.5 + 1e-6)
    x, y = np.clip(x, 0, columns - 1), np.clip(y, 0, rows - 1)
    left, top = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    right, bottom = np.minimum(left + 1, columns - 1), np.minimum(top + 1, rows - 1)
    extra = (1,) * (image.ndim - 2)
    fx, fy = (x - left).reshape(*x.shape, *extra), (y - top).reshape(*y.shape, *extra)
    value: Array = (image[top, left] * (1 - fx) + image[top, right] * fx) * (1 - fy)
    value = value + (image[bottom, left] * (1 - fx) + image[bottom, right] * fx) * fy
    value[~is_inside] = fill
    return value
