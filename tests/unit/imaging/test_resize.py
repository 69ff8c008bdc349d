"""Changes of size against Pillow, which resamples 32-bit floats by the same two filters."""

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
    """Pillow's BILINEAR is a triangle as wide as the larger pixel, too."""
    return np.asarray(Image.fromarray(values.astype(np.float32)).resize(size, Image.Resampling.BILINEAR))


@pytest.mark.parametrize(
    "size", [(64, 48), (32, 24), (16, 12), (50, 40), (7, 5), (1, 1), (65, 49), (128, 96), (200, 31)]
)
def test_equal_to_pillows_triangle(size: tuple[int, int]) -> None:
    values = slice_values()
    ours = resized(values, size, (64, 48), 0)
    assert ours.shape == size[::-1]
    assert np.abs(ours - by_pillow(values, size)).max() < 0.01


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_close_to_an_area_average(factor: int) -> None:
    """A smooth image: any good average gives the same, to a thousandth of its range."""
    y, x = np.mgrid[:64, :96]
    values = (2000 + 1500 * np.sin(x / 25) * np.cos(y / 19)).astype(np.uint16)
    ours = resized(values, (96 // factor, 64 // factor), (96, 64), 0)
    box = np.asarray(Image.fromarray(values.astype(np.float32)).reduce(factor))
    assert np.abs(ours - box)[1:-1, 1:-1].max() < 0.001 * 3000 * factor**2


@pytest.mark.parametrize("size", [(64, 48), (9, 7), (300, 200), (1, 40)])
def test_what_is_flat_stays_flat_and_nothing_overshoots(size: tuple[int, int]) -> None:
    np.testing.assert_allclose(resized(np.full((48, 64), 1234, np.int16), size, (64, 48), 0), 1234.0)
    values = slice_values()
    out = resized(values, size, (64, 48), 0)
    assert out.min() >= values.min() and out.max() <= values.max()


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
    assert gap.mean() < 2.5  # only at the disc's edge do the two filters differ
    assert np.median(gap) <= 1
    assert Image.open(io.BytesIO(imagecodecs.png_encode(small))).size == (width, width)
