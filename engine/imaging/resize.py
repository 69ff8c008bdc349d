"""Another size for an image: area average when smaller, bilinear when larger (a triangle as wide as the larger pixel)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.imaging.kernels import resample

Array = npt.NDArray[Any]


def resized(source: Array, size: tuple[int, int], whole: tuple[int, int], reduce: int) -> Array:
    """float64 (height, width[, samples]) of a C-contiguous image.

    Parameters
    ----------
    size, whole : (width, height) wanted, and of the image before it was halved `reduce` times.
    reduce : sample i is where sample i·2^reduce was, which is half a pixel from where a plain average would be.
    """
    width, height = size
    cube = source if source.ndim == 3 else source[:, :, None]
    rows, columns, samples = cube.shape
    over, down = _weights(columns, width, whole[0], reduce), _weights(rows, height, whole[1], reduce)
    if height < rows:  # what makes it smaller first
        cube = _down(cube, *down, height)
    across = np.empty((cube.shape[0], width, samples))
    resample.across(cube, *over, across)
    result = across if height < rows else _down(across, *down, height)
    return result if source.ndim == 3 else result[:, :, 0]


def _down(cube: Array, first: Array, weights: Array, height: int) -> Array:
    rows, columns, samples = cube.shape
    out = np.empty((height, columns * samples))
    resample.down(cube.reshape(rows, columns * samples), first, weights, out)
    return out.reshape(height, columns, samples)


@lru_cache(maxsize=64)
def _weights(source: int, target: int, whole: int, reduce: int) -> tuple[Array, Array]:
    """First source index and weights for every target pixel."""
    step = 1 << reduce
    factor = whole / target
    support = max(factor / step, 1.0)
    taps = min(source, int(np.ceil(2 * support)) + 1)
    centers = ((np.arange(target) + 0.5) * factor - 0.5) / step
    first = np.clip(np.floor(centers - support).astype(np.int64) + 1, 0, source - taps)
    at = first[:, None] + np.arange(taps)
    weights = np.maximum(0.0, 1.0 - np.abs(at - centers[:, None]) / support)
    empty = weights.sum(axis=1) == 0  # beyond the outermost sample
    weights[empty, np.clip(np.round(centers[empty]).astype(int) - first[empty], 0, taps - 1)] = 1.0
    return first, weights / weights.sum(axis=1, keepdims=True)
