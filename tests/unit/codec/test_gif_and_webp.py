"""GIF and WebP pictures and animations, read by Pillow and by giflib."""

from __future__ import annotations

import io

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageSequence

from engine.codec import gif
from engine.codec.icc import profile, with_profile
from engine.codec.webp import encode_webp
from engine.errors import UnsupportedPixels

RNG = np.random.default_rng(5)


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (17, 31), (600, 513)])
def test_grey_values_of_a_gif_are_kept(shape: tuple[int, int]) -> None:
    values = RNG.integers(0, 256, shape, dtype=np.uint8)
    made = gif.encode_gif(values)
    np.testing.assert_array_equal(np.asarray(opened(made).convert("L")), values)
    assert gif.size_of(made) == (shape[1], shape[0])


def test_few_colours_are_kept() -> None:
    colours = RNG.integers(0, 256, (256, 3), dtype=np.uint8)
    values = colours[RNG.integers(0, 256, (64, 80))]
    np.testing.assert_array_equal(np.asarray(opened(gif.encode_gif(values)).convert("RGB")), values)


def test_a_thin_line_of_its_own_colour_is_seen() -> None:
    """A palette is chosen by a sample of the pixels: one column of 512 must be in it, whatever the width."""
    for width in (511, 512, 520):
        grey = RNG.integers(60, 200, (512, width, 1), dtype=np.uint8)
        values = np.clip(grey + RNG.integers(-9, 10, (512, width, 3)), 0, 255).astype(np.uint8)
        values[:, 300] = (255, 0, 0)
        shown = np.asarray(opened(gif.encode_gif(values)).convert("RGB")).astype(int)
        line = shown[:, 300].mean(axis=0)
        assert line[0] > 180
        assert line[1:].max() < 60


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_animations_of_any_pictures(data: st.DataObject) -> None:
    height, width = data.draw(st.integers(1, 20)), data.draw(st.integers(1, 20))
    frames, blocks = [], []
    for hundredths in data.draw(st.lists(st.integers(2, 1000), min_size=2, max_size=5)):
        shape = (height, width, 3) if data.draw(st.booleans()) else (height, width)
        values = np.random.default_rng(data.draw(st.integers(0, 9))).integers(0, 256, shape, dtype=np.uint8)
        values = values // 128 * 255 if len(shape) == 3 else values  # of few colours, so that it is exact
        frames.append((values if len(shape) == 3 else np.repeat(values[..., None], 3, -1), hundredths * 10))
        blocks.append(gif.frame(gif.encode_gif(values), (width, height), hundredths))
    is_looping = data.draw(st.booleans())
    whole = gif.opening(width, height, is_looping=is_looping) + b"".join(blocks) + gif.CLOSING
    image = opened(whole)
    assert ("loop" in image.info) == is_looping
    found = [frame.info["duration"] for frame in ImageSequence.Iterator(image)]
    assert found == [ms for _, ms in frames]
    for (values, _), shown in zip(frames, imagecodecs.gif_decode(whole), strict=True):
        np.testing.assert_array_equal(shown[..., :3], values)


@pytest.mark.parametrize("colour", [False, True])
def test_webp_is_near_and_carries_a_profile(colour: bool) -> None:
    y, x = np.mgrid[:61, :83]
    values = np.stack((x * 3, y * 4, x + y), axis=-1).astype(np.uint8)
    values = values if colour else values[..., 0]
    made = encode_webp(values, 95)
    expected = values if colour else np.repeat(values[..., None], 3, -1)
    tagged = with_profile(made, profile("adobergb"))
    for picture in (made, tagged):
        shown = np.asarray(opened(picture).convert("RGB")).astype(int)
        assert np.abs(shown - expected).mean() < 4
    assert opened(tagged).info["icc_profile"] == profile("adobergb")
    assert "icc_profile" not in opened(made).info
    assert opened(tagged).size == (83, 61)


def test_sides_that_do_not_fit() -> None:
    with pytest.raises(UnsupportedPixels, match="image/webp"):
        encode_webp(np.zeros((16384, 1), np.uint8), 90)
    with pytest.raises(UnsupportedPixels, match="image/gif"):
        gif.encode_gif(np.zeros((1, 65536), np.uint8))
