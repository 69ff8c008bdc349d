"""Approximate beginnings: near the exact smaller image of a numpy wavelet, by a decoder that is not the one that made them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import imagecodecs
import numpy as np
import pytest
from code_streams import GREY12, GREY16, GREY16_SIGNED, RGB8
from wavelet import halved

from engine.codec import approximate
from engine.codec.approximate import BITS_PER_PIXEL, CHEAP, STEPS_MIN, Approximating, halvings
from engine.codec.base import DecodedFrame
from engine.codec.rendition import Rendition, make_rendition
from engine.dicom.frame import FrameDescriptor
from engine.errors import BadFrame
from engine.limits import Limits

SHAPES = [(512, 512), (256, 256), (300, 513), (1024, 1000)]


def noisy(d: FrameDescriptor, seed: int = 1) -> np.ndarray[Any, Any]:
    """Discs with sharp edges up to both ends of 12 bits, a ramp, and noise as CT has it."""
    y, x = np.mgrid[: d.rows, : d.columns] / max(d.rows, d.columns)
    values = 900 + 600 * x + 20 * seed
    values[(y - 0.3) ** 2 + (x - 0.3) ** 2 < 0.02] = 4095
    values[(y - 0.4) ** 2 + (x - 0.6) ** 2 < 0.03] = 0
    values += np.random.default_rng(seed).normal(0, 40, values.shape)
    values = np.clip(values, 0, 4095)
    return (values - 2048).astype(np.int16) if d.pixel_representation else values.astype(np.uint16)


def rendition(d: FrameDescriptor, values: np.ndarray[Any, Any]) -> Rendition:
    return make_rendition(d, DecodedFrame(values, d.photometric_interpretation, 0), Limits())


@pytest.mark.parametrize("form", [GREY12, replace(GREY16_SIGNED, bits_stored=12, high_bit=11), GREY16])
@pytest.mark.parametrize("shape", SHAPES)
def test_what_the_coder_tells_of_the_smaller_image_spares_decoding_it(
    form: FrameDescriptor, shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    d = replace(form, rows=shape[0], columns=shape[1])
    made = rendition(d, noisy(d))
    decoded = Approximating().beginning(d, made.code_stream, made.ends)
    monkeypatch.setattr(approximate, "_decoded", None)
    assert made.smaller is not None
    assert Approximating().beginning(d, made.code_stream, made.ends, made.smaller) == decoded is not None


def openjpeg(code: bytes) -> np.ndarray[Any, Any]:
    return np.asarray(imagecodecs.jpeg2k_decode(code)).astype(np.int32)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "form", [GREY12, replace(GREY16_SIGNED, bits_stored=12, high_bit=11), GREY16, GREY16_SIGNED], ids=("u12", "s12", "u16", "s16")
)  # fmt: skip
def test_it_is_near_the_exact_smaller_image_in_every_size(form: FrameDescriptor, shape: tuple[int, int]) -> None:
    d = replace(form, rows=shape[0], columns=shape[1])
    values = noisy(d)
    made = rendition(d, values)
    found = Approximating().beginning(d, made.code_stream, made.ends)
    assert found is not None
    down = halvings(*shape)
    assert down == (1 if shape == (256, 256) else 2)
    assert len(found.ends) == len(made.ends) - down
    assert found.ends[-1] == len(found.code_stream)
    low, high = (
        (-(1 << (d.bits_stored - 1)), (1 << (d.bits_stored - 1)) - 1)
        if d.pixel_representation
        else (0, (1 << d.bits_stored) - 1)
    )
    exact = np.clip(halved(values, down), low, high)
    span = exact.max() - exact.min()
    error = np.abs(openjpeg(found.code_stream) - exact)
    assert openjpeg(found.code_stream).shape == exact.shape
    assert error.max() <= 2 * span / STEPS_MIN
    assert error.mean() <= span / 100
    for less in range(1, len(found.ends)):
        own = imagecodecs.htj2k_decode(found.code_stream[: found.ends[-1 - less]], skipres=less)
        exact = halved(values, down + less)
        assert own.dtype == np.int16
        assert own.shape == exact.shape
        # Another wavelet: at edges they differ, elsewhere they show the same, at the same place.
        assert np.median(np.abs(own - exact)) <= 4096 / 50
        assert np.corrcoef(own.ravel(), exact.ravel())[0, 1] > 0.98


def test_bytes_stay_near_what_is_wanted_from_slice_to_slice() -> None:
    d = replace(GREY12, rows=512, columns=512)
    approximating, sizes = Approximating(), []
    for seed in range(8):
        made = rendition(d, noisy(d, seed))
        found = approximating.beginning(d, made.code_stream, made.ends)
        assert found is not None
        assert CHEAP * len(found.code_stream) < made.ends[len(found.ends) - 1]
        sizes.append(len(found.code_stream))
    wanted = 128 * 128 * BITS_PER_PIXEL / 8
    assert all(0.5 * wanted < size < 1.5 * wanted for size in sizes), sizes


def test_what_is_cheap_or_small_or_coloured_or_has_no_room_keeps_its_own() -> None:
    d = replace(GREY12, rows=512, columns=512)
    flat = np.full((512, 512), 700, np.uint16)
    flat[100:300, 50:400] = 900
    small = replace(GREY12, rows=128, columns=100)
    colour = replace(RGB8, rows=512, columns=512)
    rng = np.random.default_rng(3)
    full = replace(GREY16, rows=512, columns=512)
    cases = [
        (d, flat),
        (small, noisy(small)),
        (colour, rng.integers(0, 256, (512, 512, 3), np.uint8)),
        (full, (noisy(full).astype(np.uint32) * 16).astype(np.uint16)),  # up to 65 535: an overshoot would wrap
    ]
    for form, values in cases:
        made = rendition(form, values)
        assert Approximating().beginning(form, made.code_stream, made.ends) is None
    made = rendition(d, noisy(d))
    assert Approximating().beginning(d, made.code_stream, made.ends[-1:]) is None, "no resolutions"


def test_a_stream_that_is_cut_is_told() -> None:
    d = replace(GREY12, rows=512, columns=512)
    made = rendition(d, noisy(d))
    with pytest.raises(BadFrame):
        Approximating().beginning(d, made.code_stream[:60], made.ends)
