"""Grey pictures whose cells become greys one by one along a straight line, as most of CT and MR do: native code makes them at once.

`engine._native.jpeg_grey_cells` reads them, windows them and codes them in one pass; grey for grey what `render` gives.
"""

from __future__ import annotations

from engine.dicom.frame import FrameDescriptor, PixelKeyword, VoiLutFunction
from engine.imaging.padding import instead_of
from engine.imaging.plan import Pipeline, RenderPlan
from engine.imaging.window import linear_terms

Line = tuple[int | bool, ...]


def straight_line(d: FrameDescriptor, plan: RenderPlan) -> Line | None:
    """The line from native little endian cells to greys, as native code takes it; None for what `render` must do.

    left, right: shifts that leave the stored value; whether it is signed, whether the line is steep; then the numbers of
    `kernels.window.lanes`.
    """
    from engine.imaging.kernels.window import line_of_lanes

    window = plan.window
    is_plain = plan.pipeline is Pipeline.GRAY and plan.size == (d.columns, d.rows) and plan.region == (0, 0, *plan.size)
    has_tables = plan.modality_lut or plan.measured or plan.voi_lut or plan.presentation_lut
    if window is None or not is_plain or has_tables or window.function is VoiLutFunction.SIGMOID:
        return None
    if d.bits_allocated != 16 or d.pixel_keyword is not PixelKeyword.PIXEL_DATA or d.has_swapped_bytes:
        return None
    if not 0 < d.bits_stored <= d.high_bit + 1 <= 16:
        return None
    if instead_of(plan.padding, window, plan.slope, plan.intercept, plan.inverted) is not None:
        return None
    is_signed = bool(d.pixel_representation)
    low, scale = linear_terms(window, plan.slope, plan.intercept)
    numbers = line_of_lanes(low, scale, plan.inverted, "h" if is_signed else "H")
    if numbers is None:
        return None
    lowest, highest, base, whole, fraction, offset, floor, _, flip, is_steep = numbers
    # A cell of 16 bits: what stands above the value goes, and its sign, or zeros, come in its place (PS3.5 8.1.1).
    left, right = 15 - d.high_bit, 16 - d.bits_stored
    return left, right, is_signed, bool(is_steep), lowest, highest, base, whole, fraction, offset, floor, flip
