"""Pixels that are no anatomy (Pixel Padding Value, PS3.3 C.7.5.1.1.2): shown black, and left out of what is measured."""

from __future__ import annotations

import math

from engine.dicom.frame import FrameDescriptor, VoiLutFunction, Window
from engine.imaging.window import linear_terms

Range = tuple[float, float]  # of stored values, both inclusive; the first is larger where there are none

NOTHING: Range = (1.0, 0.0)


def padding_of(d: FrameDescriptor) -> Range:
    """The range of stored values that are padding, whichever end of it the header names first."""
    if d.pixel_padding_value is None or math.isnan(d.pixel_padding_value):
        return NOTHING
    limit = d.pixel_padding_value if d.pixel_padding_range_limit is None else d.pixel_padding_range_limit
    return float(min(d.pixel_padding_value, limit)), float(max(d.pixel_padding_value, limit))


def instead_of(padding: Range, window: Window, slope: float, intercept: float, inverted: bool) -> float | None:
    """The stored value that stands for black and so in the place of padding; None where padding is black by itself.

    Most padding is: the smallest value there is (-2000 in CT). Then nothing has to be done to the pixels.
    """
    if padding[0] > padding[1]:
        return None
    if window.function is VoiLutFunction.SIGMOID:
        # 10 widths away exp(40) is nothing
        dark = (window.center + (10.0 if inverted else -10.0) * window.width - intercept) / slope
        edge = (
            window.center + (1.6 if inverted else -1.6) * window.width - intercept
        ) / slope  # 255 / (1 + exp(6.4)) < 0.5
    else:
        low, scale = linear_terms(window, slope, intercept)
        edge = dark = low + (255.0 / scale if inverted else 0.0)
    is_dark_below = (slope > 0) != inverted
    is_black = padding[1] <= edge if is_dark_below else padding[0] >= edge
    return None if is_black else dark
