"""Carrying out a `RenderPlan`: arrays in, display values out; any thread, the GIL released in the kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from engine.dicom.frame import VoiLutFunction
from engine.imaging.kernels import colour, gray
from engine.imaging.plan import Pipeline, RenderPlan, linear_terms, range_window
from engine.imaging.resize import resized

Array = npt.NDArray[Any]


def render(plan: RenderPlan, stored_values: Array, reduce: int = 0) -> Array:
    """Display values of one frame.

    Parameters
    ----------
    stored_values : (rows, columns) or (rows, columns, 3), of the whole frame.
    reduce : of the decoded frame (`DecodedFrame.reduce`), up to what `plan.reduction` allows for this rendering.

    Returns
    -------
    uint8 array (height, width) for grey, (height, width, 3) RGB for colour, C-contiguous.
    """
    x, y, width, height = plan.region
    part = stored_values if reduce else np.ascontiguousarray(stored_values[y : y + height, x : x + width])
    if plan.pipeline is Pipeline.GRAY:
        return _gray(plan, part, reduce)
    if plan.pipeline is Pipeline.YBR_FULL:
        rgb = np.empty(part.shape, np.uint8)
        colour.ybr_full_to_rgb(part, rgb)
        part = rgb
    elif part.dtype != np.uint8:
        part = _bytes(part.astype(np.float64) * (255.0 / plan.full_scale))
    if reduce or plan.size != (width, height):
        part = _bytes(resized(part, plan.size, (width, height), reduce))
    return part


def warmup() -> None:
    """Compile or load every kernel for the usual types, so that no reader waits for it. Call it on a background thread."""
    for kind in (np.uint8, np.uint16, np.int16):
        small = np.zeros((2, 2), kind)
        out = np.empty((2, 2), np.uint8)
        gray.linear(small, 0.0, 1.0, False, out)
        gray.extremes(small, 1.0, 0.0)
        for size in ((1, 1), (4, 4)):
            resized(small, size, (2, 2), 0)
    gray.linear(np.zeros((2, 2)), 0.0, 1.0, False, np.empty((2, 2), np.uint8))  # what `resized` gives
    colour.ybr_full_to_rgb(np.zeros((2, 2, 3), np.uint8), np.empty((2, 2, 3), np.uint8))


def _gray(plan: RenderPlan, stored: Array, reduce: int) -> Array:
    window = plan.window
    if window is None:
        low, high = _extremes(stored, plan.padding)
        ends = sorted((low * plan.slope + plan.intercept, high * plan.slope + plan.intercept))
        window = range_window(*ends)
    _, _, width, height = plan.region
    if reduce or plan.size != (width, height):
        # Before the window: an average of what was measured, not of what was clipped.
        stored = resized(stored, plan.size, (width, height), reduce)
    out = np.empty(stored.shape, np.uint8)
    if window.function is VoiLutFunction.SIGMOID:
        terms = plan.slope, plan.intercept, window.center, max(window.width, 1e-9)
        gray.sigmoid(stored, *terms, plan.inverted, out)
    else:
        gray.linear(stored, *linear_terms(window, plan.slope, plan.intercept), plan.inverted, out)
    return out


def _extremes(stored: Array, padding: tuple[float, float]) -> tuple[float, float]:
    if stored.dtype.kind != "f" and padding[0] > padding[1]:
        return float(stored.min()), float(stored.max())  # 30 µs for 512², the kernel's loop with its `if` 410
    low, high = gray.extremes(stored, *padding)
    return float(low), float(high)


def _bytes(values: Array) -> Array:
    return (np.clip(values, 0.0, 255.0) + 0.5).astype(np.uint8)
