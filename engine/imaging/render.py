"""Carrying out a `RenderPlan`: arrays in, display values out; any thread, the GIL released in the kernels."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.dicom.frame import VoiLutFunction
from engine.imaging.kernels import colour, gray, resample
from engine.imaging.plan import Pipeline, RenderPlan, linear_terms, range_window

Array = npt.NDArray[Any]


def render(plan: RenderPlan, stored_values: Array) -> Array:
    """Display values of one frame.

    Parameters
    ----------
    stored_values : (rows, columns) or (rows, columns, 3), of the whole frame.

    Returns
    -------
    uint8 array (height, width) for grey, (height, width, 3) RGB for colour, C-contiguous.
    """
    x, y, width, height = plan.region
    part = stored_values[y : y + height, x : x + width]
    if plan.pipeline is Pipeline.GRAY:
        return _gray(plan, part)
    if plan.pipeline is Pipeline.YBR_FULL:
        rgb = np.empty(part.shape, np.uint8)
        colour.ybr_full_to_rgb(part, rgb)
        part = rgb
    elif part.dtype != np.uint8:
        scaled = part.astype(np.float64) * (255.0 / plan.full_scale)
        part = (np.clip(scaled, 0.0, 255.0) + 0.5).astype(np.uint8)
    if plan.size != (width, height):
        sized = _resized(part, plan.size)
        part = (np.clip(sized, 0.0, 255.0) + 0.5).astype(np.uint8)
    return np.ascontiguousarray(part)


def warmup() -> None:
    """Compile or load every kernel for the usual types, so that no reader waits for it. Call it on a background thread."""
    for kind in (np.uint8, np.uint16, np.int16):
        small = np.zeros((2, 2), kind)
        out = np.empty((2, 2), np.uint8)
        gray.linear(small, 0.0, 1.0, False, out)
        gray.extremes(small, 1.0, 0.0)
        _resized(small, (1, 1))
    colour.ybr_full_to_rgb(np.zeros((2, 2, 3), np.uint8), np.empty((2, 2, 3), np.uint8))


def _gray(plan: RenderPlan, stored: Array) -> Array:
    window = plan.window
    if window is None:
        low, high = gray.extremes(stored, *plan.padding)
        ends = sorted((low * plan.slope + plan.intercept, high * plan.slope + plan.intercept))
        window = range_window(*ends)
    if plan.size != (stored.shape[1], stored.shape[0]):
        # Before the window: an average of what was measured, not of what was clipped.
        stored = _resized(stored, plan.size)
    out = np.empty(stored.shape, np.uint8)
    if window.function is VoiLutFunction.SIGMOID:
        gray.sigmoid(stored, plan.slope, plan.intercept, window.center, window.width, plan.inverted, out)
    else:
        gray.linear(stored, *linear_terms(window, plan.slope, plan.intercept), plan.inverted, out)
    return out


def _resized(source: Array, size: tuple[int, int]) -> Array:
    """float64 (height, width[, samples])."""
    width, height = size
    cube = source if source.ndim == 3 else source[:, :, None]
    across = np.empty((cube.shape[0], width, cube.shape[2]))
    resample.weighted(cube, *_weights(cube.shape[1], width), across)
    turned = np.ascontiguousarray(across.transpose(1, 0, 2))
    down = np.empty((width, height, cube.shape[2]))
    resample.weighted(turned, *_weights(cube.shape[0], height), down)
    result = np.ascontiguousarray(down.transpose(1, 0, 2))
    return result if source.ndim == 3 else result[:, :, 0]


@lru_cache(maxsize=64)
def _weights(source: int, target: int) -> tuple[Array, Array]:
    """First source index and weights for every target pixel: a triangle filter as wide as the larger of both pixels."""
    factor = source / target
    support = max(factor, 1.0)
    taps = min(source, int(np.ceil(2 * support)) + 1)
    centers = (np.arange(target) + 0.5) * factor - 0.5
    first = np.clip(np.floor(centers - support).astype(np.int64) + 1, 0, source - taps)
    at = first[:, None] + np.arange(taps)
    weights = np.maximum(0.0, 1.0 - np.abs(at - centers[:, None]) / support)
    empty = weights.sum(axis=1) == 0
    weights[empty, np.clip(np.round(centers[empty]).astype(int) - first[empty], 0, taps - 1)] = 1.0
    return first, weights / weights.sum(axis=1, keepdims=True)
