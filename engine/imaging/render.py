"""Carrying out a `RenderPlan`: arrays in, display values out; any thread, the GIL released in the kernels."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.dicom.frame import Window
from engine.dicom.lut import Palette
from engine.dicom.real_world import RealWorldValueMap
from engine.imaging import greys
from engine.imaging.automatic import is_in, window_from
from engine.imaging.kernels import colour, gray, lut, palette, rescale
from engine.imaging.padding import NOTHING, instead_of
from engine.imaging.plan import Pipeline, RenderPlan
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
    match plan.pipeline:
        case Pipeline.GRAY:
            return _gray(plan, part, reduce, plan.size)
        case Pipeline.MIXED:
            part = _mixed(plan, part)
        case Pipeline.PALETTE:
            assert plan.palette is not None
            rgb = np.empty((*part.shape, 3), np.uint8)
            palette.colours(part, plan.palette.first, _colours(plan.palette), rgb)
            part = rgb
        case Pipeline.YBR_FULL:
            part = _rgb(part, plan.full_scale)
        case Pipeline.RGB if part.dtype != np.uint8 or plan.full_scale != 255.0:
            part = _bytes(part, 255.0 / plan.full_scale)
    if reduce or plan.size != (width, height):
        part = _bytes(resized(part, plan.size, (width, height), reduce))
    return part


def automatic_window(plan: RenderPlan, stored_values: Array, reduce: int = 0) -> Window | None:
    """The window, in the plan's values, that `render` makes of a frame's own pixels.

    None where the header or the request says what to show, where pixels go through a LUT, and of colours.
    """
    if plan.pipeline is not Pipeline.GRAY or plan.window is not None:
        return None
    if plan.modality_lut is not None or plan.voi_lut is not None or plan.presentation_lut is not None:
        return None
    x, y, width, height = plan.region
    part = stored_values if reduce else np.ascontiguousarray(stored_values[y : y + height, x : x + width])
    if plan.measured is not None:
        return _window_of_measured(plan, _measured_values(plan, plan.measured, part))
    return window_from(plan.automatic, part, plan.slope, plan.intercept, plan.padding, plan.stored_range)


def warmup() -> None:
    """Load (or compile) the kernels of the usual pictures, so that no reader waits for it. Call it on a background thread.

    Those that few pictures need (palettes, LUTs, sigmoid windows) are loaded by the first that does: 6 ms after `voxcast warmup`.
    """
    for kind in (np.uint8, np.uint16, np.int16):
        small = np.arange(36, dtype=kind).reshape(6, 6)
        gray.linear(small, 0.0, 1.0, False, np.empty((6, 6), np.uint8))
        gray.extremes(small, 1.0, 0.0)
        lut.histogram(small, 1.0, 0.0, 0, np.zeros(36, np.int64))
        for size in ((2, 2), (4, 4), (9, 9), (6, 4), (4, 6)):  # blocks; both axes, in either order; each alone
            greys.windowed(resized(small, size, (6, 6), 0), 1.0, 0.0, Window(10.0, 20.0), False)
    colour.ybr_full_to_rgb(np.zeros((2, 2, 3), np.uint8), np.empty((2, 2, 3), np.uint8))


def real_world_values(measured: RealWorldValueMap, stored: Array) -> Array:
    """What stored values measure, in the map's units: float64 of the same shape, NaN outside of the map's range."""
    if measured.table:
        at = np.clip(stored.astype(np.float64) - measured.first, 0, len(measured.table) - 1)
        values = np.asarray(measured.table)[np.rint(np.nan_to_num(at)).astype(np.int64)]
        values[~is_in(stored, (measured.first, measured.last))] = np.nan
        return values
    values = np.empty(stored.shape)
    flat, ends = np.ascontiguousarray(stored).reshape(-1), (float(measured.first), float(measured.last))
    rescale.rescaled(flat, measured.slope, measured.intercept, *ends, values.reshape(-1))
    return values


def _gray(plan: RenderPlan, stored: Array, reduce: int, size: tuple[int, int]) -> Array:
    _, _, width, height = plan.region
    whole = None if not reduce and size == (width, height) else (width, height)
    if plan.measured is not None:
        return _measurement(plan, plan.measured, stored, size, whole)
    if plan.modality_lut is not None or plan.voi_lut is not None or plan.presentation_lut is not None:
        return _through_luts(plan, stored, reduce, size, whole)
    slope, intercept = plan.slope, plan.intercept
    window = plan.window
    if window is None:
        window = window_from(plan.automatic, stored, slope, intercept, plan.padding, plan.stored_range)
    dark = instead_of(plan.padding, window, slope, intercept, plan.inverted)
    if dark is not None:
        stored = np.where(is_in(stored, plan.padding), dark, stored)
    if whole is not None:
        # Before the window: an average of what was measured, not of what was clipped.
        stored = resized(stored, size, whole, reduce)
    return greys.windowed(stored, slope, intercept, window, plan.inverted)


def _through_luts(
    plan: RenderPlan, stored: Array, reduce: int, size: tuple[int, int], whole: tuple[int, int] | None
) -> Array:
    """Modality LUT, VOI LUT, Presentation LUT: as one table of greys where every pixel keeps its value."""
    slope, intercept = (plan.slope, plan.intercept) if plan.modality_lut is None else (1.0, 0.0)
    window, values = plan.window, stored
    is_small = stored.dtype.kind in "iu" and stored.dtype.itemsize <= 2
    if plan.modality_lut is not None and not (is_small and whole is None and (window or plan.voi_lut)):
        values = _modality_values(plan, stored)
    if window is None and plan.voi_lut is None:
        kept = values if plan.padding == NOTHING else values[~is_in(stored, plan.padding)][None]
        scale = (0, 0xFFFF) if plan.modality_lut is not None else plan.stored_range
        if kept.size:
            window = window_from(plan.automatic, kept, slope, intercept, NOTHING, scale)
        else:
            window = window_from(plan.automatic, np.zeros((1, 1), np.uint8), 1.0, 0.0, NOTHING, (0, 255))
    shown = window, plan.voi_lut, plan.presentation_lut, plan.inverted
    if is_small and whole is None:
        table = greys.table(plan.stored_range, plan.padding, slope, intercept, plan.modality_lut, *shown)
        out = np.empty(stored.shape, np.uint8)
        lut.greys(stored, plan.stored_range[0], table, out)
        return out
    blank = is_in(stored, plan.padding) if plan.padding != NOTHING else None
    if whole is None:
        out = greys.looked_up(values, slope, intercept, *shown)
        if blank is not None:
            out[blank] = 0
        return out
    if blank is not None:
        if plan.voi_lut is not None:
            dark = (greys.darkest(plan.voi_lut, plan.presentation_lut, plan.inverted) - intercept) / slope
        else:
            assert window is not None
            dark = (greys.darkest_in(window, plan.presentation_lut, plan.inverted) - intercept) / slope
        values = np.where(blank, dark, values)
    return greys.looked_up(resized(np.ascontiguousarray(values), size, whole, reduce), slope, intercept, *shown)


def _modality_values(plan: RenderPlan, stored: Array) -> Array:
    """uint16 values out of a Modality LUT."""
    assert plan.modality_lut is not None
    out = np.empty(stored.shape, np.uint16)
    whole = stored if stored.dtype.kind in "iu" else np.rint(np.nan_to_num(stored)).astype(np.int64)
    lut.values(whole, plan.modality_lut.first, plan.modality_lut.values.astype(np.uint16, copy=False), out)
    return out


def _measurement(
    plan: RenderPlan, measured: RealWorldValueMap, stored: Array, size: tuple[int, int], whole: tuple[int, int] | None
) -> Array:
    """Real world values through a window in their units; what measures nothing is black."""
    values = _measured_values(plan, measured, stored)
    window = plan.window or _window_of_measured(plan, values)
    if whole is not None:
        values = resized(values, size, whole, 0)
    out = greys.windowed(values, 1.0, 0.0, window, plan.inverted)
    if plan.inverted:
        out[np.isnan(values)] = 0
    return out


def _measured_values(plan: RenderPlan, measured: RealWorldValueMap, stored: Array) -> Array:
    values = real_world_values(measured, stored)
    if plan.padding != NOTHING:
        values[is_in(stored, plan.padding)] = np.nan
    return values


def _window_of_measured(plan: RenderPlan, values: Array) -> Window:
    return window_from(plan.automatic, values, 1.0, 0.0, NOTHING, plan.stored_range)


def _mixed(plan: RenderPlan, stored: Array) -> Array:
    """Grey below the supplemental palette's first value, its colours from there on (PS3.3 C.7.6.19)."""
    assert plan.palette is not None
    _, _, width, height = plan.region
    grey = _gray(plan, stored, 0, (width, height))
    out = np.empty((*stored.shape, 3), np.uint8)
    palette.colours_over_grey(stored, grey, plan.palette.first, _colours(plan.palette), out)
    return out


@lru_cache(maxsize=16)
def _colours(of: Palette) -> Array:
    table = of.rgb()
    table.flags.writeable = False
    return table


def _rgb(ybr: Array, full_scale: float) -> Array:
    """YBR_FULL of 8 bits by the kernel, of more by numpy (PS3.3 C.7.6.3.1.2)."""
    rgb = np.empty(ybr.shape, np.uint8)
    if ybr.dtype == np.uint8 and full_scale == 255.0:
        colour.ybr_full_to_rgb(ybr, rgb)
        return rgb
    luma, blue, red = (ybr[..., i].astype(np.float64) * (255.0 / full_scale) for i in range(3))
    half = (full_scale + 1.0) / 2.0 * (255.0 / full_scale)
    deep = np.empty(ybr.shape)
    deep[..., 0] = luma + 1.402 * (red - half)
    deep[..., 1] = luma - (0.114 * 1.772 / 0.587) * (blue - half) - (0.299 * 1.402 / 0.587) * (red - half)
    deep[..., 2] = luma + 1.772 * (blue - half)
    return _bytes(deep)


def _bytes(values: Array, scale: float = 1.0) -> Array:
    """Colours to 8 bits: ``values * scale`` rounded to nearest."""
    out = np.empty(values.shape, np.uint8)
    gray.linear(np.ascontiguousarray(values).reshape(len(values), -1), 0.0, scale, False, out.reshape(len(out), -1))
    return out
