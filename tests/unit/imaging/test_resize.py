"""Changes of size against Pillow's bicubic filter and block averages, and against areas counted in the smallest common parts."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import imagecodecs
import numpy as np
import pytest
from code_streams import GREY16, ROOT, slice_values
from PIL import Image

from engine.codec.registry import decode_frame
from engine.dicom.frame import Window
from engine.imaging.plan import plan, reduction
from engine.imaging.render import render
from engine.imaging.resize import resized
from engine.imaging.spec import RenderSpec
from engine.limits import Limits

LIMITS = Limits()
Array = np.ndarray[Any, Any]


def by_pillow(values: Array, size: tuple[int, int]) -> Array:
    """Pillow's BICUBIC is Keys' cubic with -0.5, in 32-bit floats."""
    return np.asarray(Image.fromarray(values.astype(np.float32)).resize(size, Image.Resampling.BICUBIC))


def by_parts(values: Array, size: tuple[int, int]) -> Array:
    """Every pixel cut into so many parts that a target pixel has whole ones, and those averaged."""
    (width, height), (rows, columns) = size, values.shape
    parts = np.kron(values.astype(float), np.ones((height, width)))
    return parts.reshape(height, rows, width, columns).mean(axis=(1, 3))


@pytest.mark.parametrize("size", [(64, 48), (65, 49), (128, 96), (200, 150), (64, 100), (90, 48), (640, 480)])
def test_larger_is_pillows_bicubic(size: tuple[int, int]) -> None:
    values = slice_values()
    ours = resized(values, size, (64, 48), 0)
    assert ours.shape == size[::-1]
    assert np.abs(ours - by_pillow(values, size)).max() < 0.01


@pytest.mark.parametrize(
    "size", [(64, 48), (32, 24), (16, 12), (8, 6), (50, 40), (7, 5), (1, 1), (63, 47), (32, 48), (64, 5)]
)
@pytest.mark.parametrize("kind", ["u2", "i2", "i4", "f4"])
def test_smaller_is_the_average_of_an_area(size: tuple[int, int], kind: str) -> None:
    values = slice_values().astype(kind)
    np.testing.assert_allclose(resized(values, size, (64, 48), 0), by_parts(values, size), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("factor", [2, 3, 4, 8])
def test_whole_blocks_are_pillows(factor: int) -> None:
    values = slice_values(48, 72)
    ours = resized(values, (72 // factor, 48 // factor), (72, 48), 0)
    np.testing.assert_allclose(ours, np.asarray(Image.fromarray(values.astype(np.float32)).reduce(factor)), rtol=1e-6)


@pytest.mark.parametrize("size", [(64, 48), (9, 7), (300, 200), (1, 40)])
def test_what_is_flat_stays_flat(size: tuple[int, int]) -> None:
    np.testing.assert_allclose(resized(np.full((48, 64), 1234, np.int16), size, (64, 48), 0), 1234.0)


def test_an_average_does_not_overshoot_and_a_cubic_does_so_by_little() -> None:
    values = slice_values()
    low, high = int(values.min()), int(values.max())
    small = resized(values, (41, 33), (64, 48), 0)
    assert small.min() >= low and small.max() <= high
    large = resized(values, (300, 200), (64, 48), 0)
    beyond = (high - low) / 7  # a fifteenth of an edge's height in each direction, where a corner has two edges
    assert large.min() >= low - beyond and large.max() <= high + beyond


def test_colour_is_three_greys() -> None:
    cube = np.dstack([slice_values(), slice_values()[::-1], slice_values()[:, ::-1]])
    out = resized(np.ascontiguousarray(cube), (30, 20), (64, 48), 0)
    for sample in range(3):
        np.testing.assert_allclose(
            out[:, :, sample], resized(np.ascontiguousarray(cube[:, :, sample]), (30, 20), (64, 48), 0)
        )


def test_what_is_not_a_number_stays_where_it_is() -> None:
    values = slice_values().astype(np.float32)
    values[10, 10] = np.nan
    bad = np.argwhere(np.isnan(resized(values, (16, 12), (64, 48), 0)))
    assert 1 <= len(bad) <= 9


@pytest.mark.parametrize("reduce", [1, 2, 3])
def test_a_halved_image_is_not_moved(reduce: int) -> None:
    """Samples of a halved image stand at every other sample's place, not between two: a ramp must come out the same."""
    ramp = np.arange(256, dtype=np.float64)[None, :].repeat(64, axis=0)
    small = np.ascontiguousarray(ramp[:: 1 << reduce, :: 1 << reduce])
    size = (256 >> reduce, 64 >> reduce)
    np.testing.assert_allclose(
        resized(small, size, (256, 64), reduce)[:, 1:-2], resized(ramp, size, (256, 64), 0)[:, 1:-2], atol=1e-9
    )


@pytest.mark.parametrize("width", [16, 32, 50, 64])
def test_a_thumbnail_from_a_halved_frame_looks_like_one_from_the_whole(width: int) -> None:
    d = replace(GREY16, rows=256, columns=256, transfer_syntax_uid=ROOT + ".4.90", windows=((Window(1800, 3600),),))
    values = slice_values(256, 256)
    stream = imagecodecs.jpeg2k_encode(values, level=0, reversible=True, codecformat="j2k")
    spec = RenderSpec(width=width)
    by = reduction(d, 0, spec, LIMITS)
    decoded = decode_frame(d, stream, LIMITS, reduce=by)
    assert decoded.reduce == min(by, 4) > 0
    what = plan(d, 0, "MONOCHROME2", spec, LIMITS)
    whole, small = render(what, values), render(what, decoded.stored_values, decoded.reduce)
    assert whole.shape == small.shape
    gap = np.abs(whole.astype(int) - small)
    assert gap.mean() < 3.5  # only at the disc's edge do the two filters differ, which is a fifth of the smallest one
    assert np.median(gap) <= 1
    assert Image.open(io.BytesIO(imagecodecs.png_encode(small))).size == (width, width)
