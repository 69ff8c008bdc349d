"""A VOI window's formula, and the windows that headers write when they mean another (PS3.3 C.11.2.1.2)."""

from __future__ import annotations

from dataclasses import replace

from engine.dicom.frame import VoiLutFunction, Window

_STEP = 1e30  # a window one value wide is a step, not a division by zero (PS3.3 C.11.2.1.2.1)


def linear_terms(window: Window, slope: float, intercept: float) -> tuple[float, float]:
    """`low` and `scale` so that ``(stored - low) * scale`` is the grey value before clamping (PS3.3 C.11.2.1.2)."""
    if window.function is VoiLutFunction.LINEAR:
        width, first = window.width - 1.0, window.center - 0.5 - (window.width - 1.0) / 2.0
    else:
        width, first = window.width, window.center - window.width / 2.0
    scale = 255.0 / width if width > 0 else _STEP
    # A slope of 0 was refused by the scan; a negative one turns the ramp round, which the signs take care of.
    return (first - intercept) / slope, scale * slope


def usable(window: Window) -> Window | None:
    """The window as it can be meant; None for a width of 0, which is a placeholder.

    A width under 1 is forbidden for LINEAR, whose formula turns round there, and usual where modality values are small
    (doses in Gy, velocities): LINEAR_EXACT is what is meant.
    """
    if not window.width > 0:
        return None
    is_small = window.function is VoiLutFunction.LINEAR and window.width < 1
    return replace(window, function=VoiLutFunction.LINEAR_EXACT) if is_small else window


def range_window(low: float, high: float) -> Window:
    """The window for pixels without one: the smallest value is black, the largest white; a single one stands beside zero."""
    if not high > low:
        low, high = min(low, 0.0), max(high, 0.0) or float(low == 0)
    return Window((low + high) / 2.0, high - low, VoiLutFunction.LINEAR_EXACT)
