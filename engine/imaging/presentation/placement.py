"""Where the pixels of an image come to lie on a display: displayed area, rotation, flip and size (PS3.3 C.10.4, C.10.6)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.dicom.presentation import DisplayedArea, SizeMode, Spatial
from engine.errors import TooLarge
from engine.imaging.resize import resized
from engine.limits import Limits

Array = npt.NDArray[Any]

# Pixels of a picture that a header's size mode alone makes larger than its image; each takes some 30 bytes for a moment.
_MAGNIFIED_MAX = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """One affine transformation: of positions (`matrix`), and of images (`arranged`).

    Image positions are (column, row) as in PS3.3 C.10.5.1.2: (0, 0) is the outer corner of the first pixel and its centre
    is (0.5, 0.5). Display positions are (x, y) in the same manner.

    Attributes
    ----------
    left, top : first column and row of the displayed area, from 0; may be outside of the image.
    columns, rows : of the area, in stored pixels, before it is turned.
    width, height : of the display.
    """

    left: int
    top: int
    columns: int
    rows: int
    width: int
    height: int
    spatial: Spatial = field(default_factory=Spatial)

    @property
    def is_turned(self) -> bool:
        """Rows have become columns."""
        return self.spatial.rotation in (90, 270)

    @property
    def turned_size(self) -> tuple[int, int]:
        """(width, height) of the area when it is turned and not yet scaled."""
        return (self.rows, self.columns) if self.is_turned else (self.columns, self.rows)

    @property
    def matrix(self) -> Array:
        """float64 (2, 3) that makes a display position of (column, row, 1)."""
        w, h = float(self.columns), float(self.rows)
        turn = {
            0: ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
            90: ((0.0, -1.0, h), (1.0, 0.0, 0.0)),
            180: ((-1.0, 0.0, w), (0.0, -1.0, h)),
            270: ((0.0, 1.0, 0.0), (-1.0, 0.0, w)),
        }[self.spatial.rotation]
        matrix = np.array(turn)
        width, height = self.turned_size
        if self.spatial.is_flipped:
            matrix[0] = -matrix[0]
            matrix[0, 2] += width
        matrix[0] *= self.width / width
        matrix[1] *= self.height / height
        matrix[:, 2] -= matrix[:, :2] @ (self.left, self.top)
        return matrix

    def to_display(self, points: Array) -> Array:
        """Display positions (n, 2) of image positions (n, 2)."""
        matrix = self.matrix
        return points @ matrix[:, :2].T + matrix[:, 2]

    def arranged(self, image: Array, fill: Any = 0, *, is_cover: bool = False) -> Array:
        """A uint8 image (rows, columns[, 3]) as it is displayed: (height, width[, 3]), C-contiguous.

        Parameters
        ----------
        fill : what is where the displayed area has no image; the standard leaves it open (C.10.4, note 1).
        is_cover : the values are shares of pixels that are drawn over: a larger one has the same edges, without the
            overshoot beside them that interpolation gives.
        """
        rows, columns = image.shape[:2]
        top, bottom = max(self.top, 0), min(self.top + self.rows, rows)
        left, right = max(self.left, 0), min(self.left + self.columns, columns)
        if (bottom - top, right - left) == (self.rows, self.columns):
            part = image[top:bottom, left:right]
        else:
            part = np.empty((self.rows, self.columns, *image.shape[2:]), np.uint8)
            part[...] = fill
            if top < bottom and left < right:
                inside = slice(top - self.top, bottom - self.top), slice(left - self.left, right - self.left)
                part[inside] = image[top:bottom, left:right]
        part = np.rot90(part, -(self.spatial.rotation // 90))
        if self.spatial.is_flipped:
            part = part[:, ::-1]
        size = (self.width, self.height)
        if is_cover and size != self.turned_size:
            part = _enlarged(part, size)
        part = np.ascontiguousarray(part)
        have = part.shape[1], part.shape[0]
        if size != have:
            part = (np.clip(resized(part, size, have, 0), 0.0, 255.0) + 0.5).astype(np.uint8)
        return part


def _enlarged(cover: Array, size: tuple[int, int]) -> Array:
    """The nearest of its pixels, along the axes that become longer."""
    for axis, wanted in ((1, size[0]), (0, size[1])):
        have = cover.shape[axis]
        if wanted > have:
            nearest = ((np.arange(wanted) + 0.5) * have / wanted).astype(np.int64)
            cover = np.take(cover, np.minimum(nearest, have - 1), axis)
    return cover


def place(
    rows: int,
    columns: int,
    limits: Limits,
    *,
    area: DisplayedArea | None = None,
    spatial: Spatial | None = None,
    pixel_aspect_ratio: tuple[float, float] = (1.0, 1.0),
    size: tuple[int | None, int | None] = (None, None),
    screen_pixel_mm: float | None = None,
) -> Placement:
    """Decide how large a displayed area becomes.

    A wanted size wins: the area is as large as fits into it, its shape kept, whatever the size mode. Without one, MAGNIFY
    takes its factor, TRUE SIZE the screen's pixels when their size is known, and all else shows the smaller side of a
    stored pixel as one pixel of the display.

    Parameters
    ----------
    rows, columns : of the stored image.
    pixel_aspect_ratio : (vertical, horizontal) of the image, where the area says nothing.
    size : (width, height) to fit into; None: no bound on that side.
    screen_pixel_mm : width of a display's pixel.

    Raises
    ------
    TooLarge
    """
    spatial = spatial or Spatial()
    left, top, right, bottom = 0, 0, columns - 1, rows - 1
    vertical, horizontal = pixel_aspect_ratio if min(pixel_aspect_ratio) > 0 else (1.0, 1.0)
    if area is not None:
        # Corners of what is seen, so that with a rotation "top left" may be any corner of the stored image.
        (x0, y0), (x1, y1) = area.top_left, area.bottom_right
        left, right, top, bottom = min(x0, x1) - 1, max(x0, x1) - 1, min(y0, y1) - 1, max(y0, y1) - 1
        vertical, horizontal = area.pixel_spacing or area.pixel_aspect_ratio or (vertical, horizontal)
    wide, tall = right - left + 1, bottom - top + 1
    if wide * tall > limits.rendered_pixels_max:
        raise TooLarge("the displayed area", wide * tall, limits.rendered_pixels_max, "limits.rendered_pixels_max")
    across, down = wide * horizontal, tall * vertical
    if spatial.rotation in (90, 270):
        across, down = down, across
    factor = natural = 1.0 / min(vertical, horizontal)
    largest = limits.rendered_pixels_max
    if size != (None, None):
        factor = min(wanted / have for wanted, have in zip(size, (across, down), strict=True) if wanted is not None)
    elif area is not None and area.mode is SizeMode.MAGNIFY and area.magnification is not None:
        factor *= area.magnification
    elif area is not None and area.mode is SizeMode.TRUE_SIZE and area.pixel_spacing and screen_pixel_mm:
        factor = 1.0 / screen_pixel_mm
    if size == (None, None) and factor > natural:
        largest = min(largest, _MAGNIFIED_MAX)
    # before rounding: a factor out of a hostile header may not be one that an integer can hold
    pixels = max(1.0, across * factor) * max(1.0, down * factor)
    if pixels > largest:
        setting = (
            "limits.rendered_pixels_max" if largest == limits.rendered_pixels_max else "for what nobody gave a size"
        )
        raise TooLarge("the rendered image", int(min(pixels, 1e18)), largest, setting)
    width, height = max(1, round(across * factor)), max(1, round(down * factor))
    return Placement(left=left, top=top, columns=wide, rows=tall, width=width, height=height, spatial=spatial)
