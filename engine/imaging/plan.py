"""Everything that an `if` decides about one rendering, decided once (PS3.4 N.2)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from engine.dicom.frame import FrameDescriptor, VoiLutFunction, Window
from engine.errors import InvalidParameter, TooLarge, UnsupportedPixels
from engine.imaging.spec import RenderSpec
from engine.limits import Limits

_STEP = 1e30  # a window one value wide is a step, not a division by zero (PS3.3 C.11.2.1.2.1)


class Pipeline(Enum):
    GRAY = "gray"
    RGB = "rgb"
    YBR_FULL = "ybr-full"


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderPlan:
    """What `render` has to do, in its order.

    Attributes
    ----------
    region : (x, y, width, height) in stored pixels.
    size : (width, height) of the result.
    window : in modality values; None: from the pixels, once they are there.
    padding : (low, high) of stored values that are no anatomy; low > high when there are none.
    inverted : the smallest value is white.
    """

    pipeline: Pipeline
    region: tuple[int, int, int, int]
    size: tuple[int, int]
    slope: float = 1.0
    intercept: float = 0.0
    window: Window | None = None
    padding: tuple[float, float] = (1.0, 0.0)
    inverted: bool = False
    full_scale: float = 255.0


def plan(
    descriptor: FrameDescriptor, frame_index: int, photometric_interpretation: str, spec: RenderSpec, limits: Limits
) -> RenderPlan:
    """Decide how one frame is shown.

    Parameters
    ----------
    photometric_interpretation : of the decoded values (`DecodedFrame`), not the header's.

    Raises
    ------
    UnsupportedPixels, InvalidParameter, TooLarge
    """
    d = descriptor
    region = _region(d, spec)
    size = _size(d, region, spec, limits)
    match photometric_interpretation:
        case "MONOCHROME1" | "MONOCHROME2" | "":  # ACR-NEMA had no other than the second, and no name for it
            if d.samples_per_pixel != 1:
                raise UnsupportedPixels(f"{photometric_interpretation} with {d.samples_per_pixel} samples")
        case "RGB":
            return RenderPlan(
                pipeline=Pipeline.RGB,
                region=region,
                size=size,
                full_scale=float((1 << d.bits_stored) - 1),
            )
        case "YBR_FULL" if d.bits_allocated == 8:
            return RenderPlan(pipeline=Pipeline.YBR_FULL, region=region, size=size)
        case other:
            raise UnsupportedPixels(f"photometric interpretation {other or 'missing'}")
    if d.has_modality_lut:
        raise UnsupportedPixels("a Modality LUT Sequence")
    rescale = d.rescale(frame_index)
    return RenderPlan(
        pipeline=Pipeline.GRAY,
        region=region,
        size=size,
        slope=rescale.slope,
        intercept=rescale.intercept,
        window=_window(d, frame_index, spec),
        padding=_padding(d),
        # DX has MONOCHROME1 *and* the INVERSE shape for one and the same inversion (PS3.3 C.8.11.3.1.2).
        inverted=photometric_interpretation == "MONOCHROME1" or d.presentation_lut_shape == "INVERSE",
    )


def reduction(descriptor: FrameDescriptor, frame_index: int, spec: RenderSpec, limits: Limits) -> int:
    """How often a decoder may halve the frame (`FrameDecoder.decode`) and leave no fewer pixels than are wanted.

    0 where the range of the pixels becomes the window (an average has a smaller one), where a part of the image is
    asked for, and where values are no measurements but numbers of something (palette colours), with no average at all.

    Raises
    ------
    InvalidParameter, TooLarge
    """
    d = descriptor
    is_gray = d.photometric_interpretation in ("MONOCHROME1", "MONOCHROME2", "")
    if spec.region is not None or not (is_gray or d.photometric_interpretation.startswith(("RGB", "YBR"))):
        return 0
    if is_gray and _window(d, frame_index, spec) is None:
        return 0
    width, height = _size(d, (0, 0, d.columns, d.rows), spec, limits)
    by = 0
    while -(-d.columns // (2 << by)) >= width and -(-d.rows // (2 << by)) >= height:
        if min(d.columns, d.rows) < 2 << by:
            break
        by += 1
    return by


def linear_terms(window: Window, slope: float, intercept: float) -> tuple[float, float]:
    """`low` and `scale` so that ``(stored - low) * scale`` is the grey value before clamping (PS3.3 C.11.2.1.2)."""
    if window.function is VoiLutFunction.LINEAR:
        width, first = window.width - 1.0, window.center - 0.5 - (window.width - 1.0) / 2.0
    else:
        width, first = window.width, window.center - window.width / 2.0
    scale = 255.0 / width if width > 0 else _STEP
    # A slope of 0 was refused by the scan; a negative one turns the ramp round, which the signs take care of.
    return (first - intercept) / slope, scale * slope


def range_window(low: float, high: float) -> Window:
    """The window for pixels without one: the smallest value is black, the largest white; a single one stands beside zero."""
    if not high > low:
        low, high = min(low, 0.0), max(high, 0.0) or float(low == 0)
    return Window((low + high) / 2.0, high - low, VoiLutFunction.LINEAR_EXACT)


def _window(d: FrameDescriptor, frame_index: int, spec: RenderSpec) -> Window | None:
    """The one that is asked for, or the header's first that means something.

    A width under 1 is forbidden for LINEAR, whose formula turns round there, and usual where modality values are small
    (doses in Gy, velocities): LINEAR_EXACT is what is meant. A width of 0 is a placeholder.
    """
    for window in (spec.window,) if spec.window is not None else d.frame_windows(frame_index):
        if window.width > 0:
            is_small = window.function is VoiLutFunction.LINEAR and window.width < 1
            return replace(window, function=VoiLutFunction.LINEAR_EXACT) if is_small else window
    return None


def _padding(d: FrameDescriptor) -> tuple[float, float]:
    if d.pixel_padding_value is None:
        return 1.0, 0.0
    limit = d.pixel_padding_value if d.pixel_padding_range_limit is None else d.pixel_padding_range_limit
    return float(min(d.pixel_padding_value, limit)), float(max(d.pixel_padding_value, limit))


def _region(d: FrameDescriptor, spec: RenderSpec) -> tuple[int, int, int, int]:
    if spec.region is None:
        return 0, 0, d.columns, d.rows
    x, y, width, height = spec.region
    if x < 0 or y < 0 or width < 1 or height < 1 or x + width > d.columns or y + height > d.rows:
        raise InvalidParameter("viewport", str(spec.region), f"a region inside {d.columns}×{d.rows}")
    return x, y, width, height


def _size(d: FrameDescriptor, region: tuple[int, int, int, int], spec: RenderSpec, limits: Limits) -> tuple[int, int]:
    """Fit into the viewport. Pixels that are not square become square when a size is asked for (PS3.3 C.7.6.3.1.7)."""
    _, _, columns, rows = region
    if spec.width is None and spec.height is None:
        return columns, rows
    vertical, horizontal = d.pixel_aspect_ratio
    tall = rows * (vertical / horizontal if vertical > 0 and horizontal > 0 else 1.0)
    factors = [wanted / have for wanted, have in ((spec.width, columns), (spec.height, tall)) if wanted is not None]
    factor = min(factors)
    width, height = max(1, round(columns * factor)), max(1, round(tall * factor))
    if width * height > limits.rendered_pixels_max:
        raise TooLarge("the rendered image", width * height, limits.rendered_pixels_max, "limits.rendered_pixels_max")
    return width, height
