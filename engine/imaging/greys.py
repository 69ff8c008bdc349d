"""Grey values of a plan: window or VOI LUT, then Presentation LUT, then the screen's 8 bits (PS3.4 N.2.1)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.dicom.frame import VoiLutFunction, Window
from engine.dicom.lut import Lut
from engine.imaging.kernels import gray, lut
from engine.imaging.padding import NOTHING, Range
from engine.imaging.window import linear_terms

Array = npt.NDArray[Any]


def windowed(values: Array, slope: float, intercept: float, window: Window, inverted: bool) -> Array:
    """8-bit greys of (height, width) values through a window in ``values * slope + intercept``."""
    out = np.empty(values.shape, np.uint8)
    if window.function is VoiLutFunction.SIGMOID:
        gray.sigmoid(values, slope, intercept, window.center, max(window.width, 1e-9), inverted, out)
    else:
        gray.linear(values, *linear_terms(window, slope, intercept), inverted, out)
    return out


def looked_up(
    values: Array, slope: float, intercept: float, window: Window | None, voi_lut: Lut | None, presentation_lut: Lut | None,
    inverted: bool,
) -> Array:  # fmt: skip
    """The same through a VOI LUT or window, and a Presentation LUT where there is one."""
    if voi_lut is not None:
        out = np.empty(values.shape, np.uint8)
        table = _voi_table(voi_lut, presentation_lut, inverted)
        lut.greys_of_values(values, slope, intercept, voi_lut.first, table, out)
        return out
    assert window is not None
    if presentation_lut is None:
        return windowed(values, slope, intercept, window, inverted)
    return _presented(_fraction(values.astype(np.float64) * slope + intercept, window), presentation_lut)


@lru_cache(maxsize=16)
def table(
    stored_range: tuple[int, int], padding: Range, slope: float, intercept: float, modality_lut: Lut | None,
    window: Window | None, voi_lut: Lut | None, presentation_lut: Lut | None, inverted: bool,
) -> Array:  # fmt: skip
    """The grey of every stored value in a range: one look-up a pixel, however many tables there are. 1 ms for 65 536.

    Kept for the next frame of the instance: a `Lut` is itself and no other.
    """
    low, high = stored_range
    values = np.arange(low, high + 1, dtype=np.float64)[None]
    if modality_lut is not None:
        values = modality_lut.full_table(low, high).astype(np.float64)[None]
    greys: Array = looked_up(values, slope, intercept, window, voi_lut, presentation_lut, inverted)[0]
    if padding != NOTHING:
        at = np.arange(low, high + 1)
        greys[(at >= padding[0]) & (at <= padding[1])] = 0
    greys.flags.writeable = False
    return greys


def darkest(voi_lut: Lut, presentation_lut: Lut | None, inverted: bool) -> float:
    """A modality value that a VOI LUT shows as dark as it can."""
    return float(voi_lut.first + int(np.argmin(_voi_table(voi_lut, presentation_lut, inverted))))


def darkest_in(window: Window, presentation_lut: Lut | None, inverted: bool) -> float:
    """The same for a window: beyond the end that is dark, or where the Presentation LUT has its smallest value."""
    at = 1.0 if inverted else 0.0
    if presentation_lut is not None:
        at = int(np.argmin(presentation_lut.values)) / max(len(presentation_lut.values) - 1, 1)
    beyond = 1.0 if at in (0.0, 1.0) else 0.5
    return window.center + (2.0 * at - 1.0) * window.width * beyond


@lru_cache(maxsize=16)
def _voi_table(voi_lut: Lut, presentation_lut: Lut | None, inverted: bool) -> Array:
    """The grey of each entry of a VOI LUT."""
    fraction = voi_lut.values / float((1 << voi_lut.bits) - 1)
    if presentation_lut is not None:
        return _presented(fraction, presentation_lut)
    greys = (fraction * 255.0 + 0.5).astype(np.uint8)
    return 255 - greys if inverted else greys


def _presented(fraction: Array, presentation_lut: Lut) -> Array:
    """P-values of what came out of the VOI transformation, 0 to 1 of its range: that of the table (PS3.3 C.11.6.1)."""
    last = len(presentation_lut.values) - 1
    p_values = presentation_lut.values[np.rint(fraction * last).astype(np.int64)]
    greys: Array = (p_values * (255.0 / ((1 << presentation_lut.bits) - 1)) + 0.5).astype(np.uint8)
    return greys


def _fraction(modality: Array, window: Window) -> Array:
    """0 to 1 of a window's output, not yet rounded to greys."""
    with np.errstate(all="ignore"):
        if window.function is VoiLutFunction.SIGMOID:
            power = np.clip(-4.0 * (modality - window.center) / max(window.width, 1e-9), -700.0, 700.0)
            fraction = 1.0 / (1.0 + np.exp(power))
        else:
            low, scale = linear_terms(window, 1.0, 0.0)
            fraction = np.clip((modality - low) * scale / 255.0, 0.0, 1.0)
    return np.nan_to_num(fraction, nan=0.0)
