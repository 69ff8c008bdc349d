"""The kernels again in plain numpy: slow, obviously right, and what the compiled ones are tested against."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def linear(stored: Array, low: float, scale: float, inverted: bool, out: Array) -> None:
    with np.errstate(all="ignore"):
        value = np.clip((stored.astype(np.float64) - low) * scale, 0.0, 255.0)
    grey = (np.where(np.isnan(value), 0.0, value) + 0.5 + 2.0**-18).astype(np.uint8)
    out[...] = 255 - grey if inverted else grey


def sigmoid(
    stored: Array, slope: float, intercept: float, center: float, width: float, inverted: bool, out: Array
) -> None:
    with np.errstate(all="ignore"):
        modality = stored.astype(np.float64) * slope + intercept
        value = 255.0 / (1.0 + np.exp(np.clip(-4.0 * (modality - center) / width, -700.0, 700.0)))
    grey = (np.where(np.isnan(value), 0.0, value) + 0.5).astype(np.uint8)
    out[...] = 255 - grey if inverted else grey


def extremes(stored: Array, padding_low: float, padding_high: float) -> tuple[float, float]:
    values = stored.astype(np.float64)
    kept = values[~((values >= padding_low) & (values <= padding_high)) & np.isfinite(values)]
    return (float(kept.min()), float(kept.max())) if kept.size else (0.0, 0.0)


def ybr_full_to_rgb(ybr: Array, out: Array) -> None:
    """The standard's factors as fractions, so that nothing is rounded but the result (halves up)."""
    luma, blue, red = (ybr[..., i].astype(np.int64) - (0, 128, 128)[i] for i in range(3))
    rgb = (
        luma + (1402 * red + 500) // 1000,
        luma + (-202008 * blue - 419198 * red + 293500) // 587000,
        luma + (1772 * blue + 500) // 1000,
    )
    for i in range(3):
        out[..., i] = np.clip(rgb[i], 0, 255)


def rescaled(stored: Array, slope: float, intercept: float, low: float, high: float, out: Array) -> None:
    values = stored.astype(np.float64)
    with np.errstate(all="ignore"):
        out[...] = np.where((values >= low) & (values <= high), values * slope + intercept, np.nan)


def down(source: Array, first: Array, weights: Array, out: Array) -> None:
    for i, start in enumerate(first):
        taken = np.flatnonzero(weights[i])
        out[i] = (weights[i, taken][:, None] * source[start + taken].astype(np.float64)).sum(axis=0)


def across(source: Array, first: Array, weights: Array, is_plain: bool, out: Array) -> None:
    for i, start in enumerate(first):
        taken = np.flatnonzero(weights[i])
        out[:, i] = (weights[i, taken][:, None] * source[:, start + taken].astype(np.float64)).sum(axis=1)


def blocks(source: Array, sums: Array, pairs: Array, out: Array) -> None:
    (rows, columns, samples), (height, width, _) = source.shape, out.shape
    cut = source.astype(np.int64).reshape(height, rows // height, width, columns // width, samples)
    out[...] = cut.sum(axis=(1, 3)) / (cut.shape[1] * cut.shape[3])


def oriented(image: Array, rotation: int, is_flipped: bool) -> Array:
    turned = np.rot90(image, -(rotation // 90))
    return np.ascontiguousarray(turned[:, ::-1] if is_flipped else turned)
