"""Another size for an image: the average of an area where it becomes smaller, bicubic where it becomes larger."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.imaging.kernels import resample

Array = npt.NDArray[Any]

_BLOCK_MAX = 1 << 15  # so many 16-bit values add up in 32 bits
_SHARPNESS = -0.5  # of Keys' cubic: exact for what is quadratic, and what Pillow and libvips take


def resized(source: Array, size: tuple[int, int], whole: tuple[int, int], reduce: int) -> Array:
    """float64 (height, width[, samples]) of a C-contiguous image.

    Every pixel of a smaller image is the mean of the area that it covers, parts of pixels counted in part. A larger one is
    interpolated by Keys' cubic, which overshoots beside an edge by up to a fifteenth of its height. Each axis by itself.

    Parameters
    ----------
    size, whole : (width, height) wanted, and of the image before it was halved `reduce` times.
    reduce : sample i is where sample i·2^reduce was, which is half a pixel from where a plain average would be.
    """
    width, height = size
    cube = source if source.ndim == 3 else source[:, :, None]
    rows, columns, samples = cube.shape
    if not reduce and _is_whole_blocks(cube, width, height):
        out = np.empty((height, width, samples))
        sums, pairs = np.empty((2, columns * samples), np.int32)
        resample.blocks(cube, sums, pairs, out)
        return out if source.ndim == 3 else out[:, :, 0]
    steps = [(_down, rows, height, whole[1]), (_across, columns, width, whole[0])]
    # A step across takes some four times as long as one down, whose loop runs along the rows.
    tall, wide = max(rows / height, 4.0), 4.0 * max(columns / width, 4.0)
    if tall * height * columns + wide * height * width > wide * rows * width + tall * height * width:
        steps.reverse()
    for along, have, want, of in steps:
        if have != want or reduce:
            cube = along(cube, *_weights(have, want, of, reduce), source.dtype.kind != "f")
    if cube.dtype != np.float64:
        cube = cube.astype(np.float64)
    return cube if source.ndim == 3 else cube[:, :, 0]


def _is_whole_blocks(cube: Array, width: int, height: int) -> bool:
    rows, columns, _ = cube.shape
    is_exact = cube.dtype.kind != "f" and cube.dtype.itemsize <= 2
    return is_exact and rows % height == 0 and columns % width == 0 and rows * columns < _BLOCK_MAX * height * width


def _down(cube: Array, first: Array, weights: Array, is_plain: bool) -> Array:
    rows, columns, samples = cube.shape
    out = np.empty((len(first), columns * samples))
    resample.down(cube.reshape(rows, columns * samples), first, weights, out)
    return out.reshape(len(first), columns, samples)


def _across(cube: Array, first: Array, weights: Array, is_plain: bool) -> Array:
    out = np.empty((cube.shape[0], len(first), cube.shape[2]))
    resample.across(cube, first, weights, is_plain, out)
    return out


@lru_cache(maxsize=64)
def _weights(source: int, target: int, whole: int, reduce: int) -> tuple[Array, Array]:
    """First source index and weights (they add up to 1) for every target pixel."""
    step = 1 << reduce
    factor = whole / target / step  # source samples a target pixel
    centers = ((np.arange(target) + 0.5) * (whole / target) - 0.5) / step
    reach = 2.0 if factor < 1.0 and not reduce else max(factor, 1.0) / 2 + 0.5
    taps = min(source, int(np.ceil(2 * reach)))
    first = np.clip(np.floor(centers - reach).astype(np.int64) + 1, 0, source - taps)
    away = np.abs(first[:, None] + np.arange(taps) - centers[:, None])
    # For a reduction: how much of each sample, which is one wide, lies in an area of at least one sample.
    weights = _cubic(away) if factor < 1.0 and not reduce else np.clip(reach - away, 0.0, 1.0)
    empty = weights.sum(axis=1) <= 0  # beyond the outermost sample
    weights[empty] = away[empty] == away[empty].min(axis=1, keepdims=True, initial=np.inf)
    return first, weights / weights.sum(axis=1, keepdims=True)


def _cubic(away: Array) -> Array:
    """Keys' convolution kernel."""
    a = _SHARPNESS
    near = ((a + 2.0) * away - (a + 3.0)) * away * away + 1.0
    far = a * (((away - 5.0) * away + 8.0) * away - 4.0)
    return np.where(away < 1.0, near, np.where(away < 2.0, far, 0.0))
