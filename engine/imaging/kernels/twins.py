"""The kernels again in plain numpy: slow, obviously right, and what the compiled ones are tested against."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def linear(stored: Array, low: float, scale: float, inverted: bool, out: Array) -> None:
    with np.errstate(all="ignore"):
        value = np.clip((stored.astype(np.float64) - low) * scale, 0.0, 255.0)
    grey = (np.where(np.isnan(value), 0.0, value) + 0.5).astype(np.uint8)
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
    luma, blue, red = (ybr[..., i].astype(np.float64) - (0.0, 128.0, 128.0)[i] for i in range(3))
    rgb = (
        luma + 1.402 * red,
        luma - (0.114 * 1.772 / 0.587) * blue - (0.299 * 1.402 / 0.587) * red,
        luma + 1.772 * blue,
    )
    for i in range(3):
        out[..., i] = (np.clip(rgb[i], 0.0, 255.0) + 0.5).astype(np.uint8)


def down(source: Array, first: Array, weights: Array, out: Array) -> None:
    for i, start in enumerate(first):
        taken = np.flatnonzero(weights[i])
        out[i] = (weights[i, taken][:, None] * source[start + taken].astype(np.float64)).sum(axis=0)


def across(source: Array, first: Array, weights: Array, out: Array) -> None:
    for i, start in enumerate(first):
        taken = np.flatnonzero(weights[i])
        out[:, i] = (weights[i, taken][:, None] * source[:, start + taken].astype(np.float64)).sum(axis=1)
