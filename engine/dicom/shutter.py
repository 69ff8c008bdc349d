"""What hides the parts of an image that are not to be looked at (PS3.3 C.7.6.11, C.7.6.15, C.11.12)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from engine.dicom.colour import Rgb

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Shutter:
    """A shutter; what any of its shapes hides is hidden.

    Rows and columns are those of stored pixels, counted from 1 and whole at a pixel's centre. A pixel whose centre lies
    on an edge is shown: the standard does not say, and nothing that was meant to be seen may vanish.

    Attributes
    ----------
    rectangle : (left, right, upper, lower) edges.
    circle : (row, column, radius); the radius in columns.
    polygon : (row, column) of its vertices, closed by itself.
    bitmap : bool array (rows, columns): hidden where true.
    grey : 8-bit grey that hidden parts get.
    rgb : the same where the rendering has colours; None: `grey`.
    """

    rectangle: tuple[int, int, int, int] | None = None
    circle: tuple[int, int, int] | None = None
    polygon: tuple[tuple[int, int], ...] = ()
    bitmap: Array | None = None
    grey: int = 0
    rgb: Rgb | None = None
