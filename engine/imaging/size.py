"""Which part of the stored image is shown, and how large (PS3.18 8.3.5.1.3, PS3.3 C.7.6.3.1.7)."""

from __future__ import annotations

from engine.dicom.frame import FrameDescriptor
from engine.errors import InvalidParameter, TooLarge
from engine.imaging.spec import RenderSpec
from engine.limits import Limits

Region = tuple[int, int, int, int]

_SHAPE_MAX = 1000.0  # a pixel that is longer than this by its width is a mistake in the header


def region_of(d: FrameDescriptor, spec: RenderSpec) -> Region:
    """(x, y, width, height) in stored pixels.

    Raises
    ------
    InvalidParameter
    """
    if spec.region is None:
        return 0, 0, d.columns, d.rows
    x, y, width, height = spec.region
    if x < 0 or y < 0 or width < 1 or height < 1 or x + width > d.columns or y + height > d.rows:
        raise InvalidParameter("viewport", str(spec.region), f"a region inside {d.columns}×{d.rows}")
    return x, y, width, height


def size_of(d: FrameDescriptor, frame_index: int, region: Region, spec: RenderSpec, limits: Limits) -> tuple[int, int]:
    """(width, height) of the picture: fitted into the viewport. Pixels that are not square become so when a size is asked for.

    Raises
    ------
    TooLarge
    """
    _, _, columns, rows = region
    if spec.width is None and spec.height is None:
        return columns, rows
    vertical, horizontal = d.pixel_shape(frame_index)
    shape = vertical / horizontal if vertical > 0 and horizontal > 0 else 1.0
    tall = rows * (shape if 1 / _SHAPE_MAX <= shape <= _SHAPE_MAX else 1.0)
    factors = [wanted / have for wanted, have in ((spec.width, columns), (spec.height, tall)) if wanted is not None]
    factor = min(factors)
    width, height = max(1, round(columns * factor)), max(1, round(tall * factor))
    if width * height > limits.rendered_pixels_max:
        raise TooLarge("the rendered image", width * height, limits.rendered_pixels_max, "limits.rendered_pixels_max")
    return width, height


def reduction_to(d: FrameDescriptor, size: tuple[int, int]) -> int:
    """How often the whole frame can be halved (rounding up) and leave no fewer pixels than `size` has."""
    by = 0
    while -(-d.columns // (2 << by)) >= size[0] and -(-d.rows // (2 << by)) >= size[1]:
        if min(d.columns, d.rows) < 2 << by:
            break
        by += 1
    return by
