"""Modality, VOI and Presentation LUTs and palettes in a picture, against pydicom's functions over the same data set."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import ENCODINGS, add_palette, image, lut_item, part10, picture
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut
from pydicom.pixels.processing import apply_voi

from engine.dicom.frame import VoiLutFunction, Window
from engine.errors import UnsupportedPixels
from engine.imaging.spec import RenderSpec

Array = np.ndarray[Any, Any]
EXACT = VoiLutFunction.LINEAR_EXACT
VALUES = np.random.default_rng(9).integers(0, 4096, (40, 50)).astype(np.uint16)
SIGNED = VALUES.astype(np.int16) - 2048


def to_grey(values: Array, full: float) -> Array:
    return np.floor(values.astype(np.float64) * 255.0 / full + 0.5).astype(np.uint8)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(("values", "first"), [(VALUES, 0), (VALUES, 700), (SIGNED, -2048), (SIGNED, 5)])
def test_a_modality_lut_and_a_window_in_its_values(values: Array, first: int, encoding: str) -> None:
    table = (1000 + 3000 * np.sqrt(np.arange(3000) / 3000)).astype(int)
    ds = image(values, BitsStored=16, ModalityLUTSequence=[lut_item(first, table, 16)])
    want = np.clip((apply_modality_lut(values, ds).astype(float) - 2000) / 1500, 0, 1) * 255
    got = picture(part10(ds, encoding), RenderSpec(window=Window(2750, 1500, EXACT)))
    np.testing.assert_array_equal(got, np.floor(want + 0.5))


def test_a_modality_lut_without_a_window_shows_the_range_of_its_values() -> None:
    table = np.arange(4096)[::-1] * 2 + 100
    ds = image(VALUES, BitsStored=12, ModalityLUTSequence=[lut_item(0, table, 16)])
    modality = apply_modality_lut(VALUES, ds).astype(float)
    want = (modality - modality.min()) / (modality.max() - modality.min()) * 255
    assert np.abs(picture(part10(ds)) - want).max() <= 0.5 + 1e-9


@settings(max_examples=40, deadline=None)
@given(
    bits=st.sampled_from([8, 10, 12, 14, 16]),
    entries=st.integers(2, 5000),
    first=st.integers(-3000, 3000),
    slope=st.sampled_from(["1", "2", "-1"]),
    intercept=st.integers(-2000, 2000),
    seed=st.integers(0, 1000),
    inverted=st.booleans(),
)
def test_a_voi_lut_equals_pydicoms(
    bits: int, entries: int, first: int, slope: str, intercept: int, seed: int, inverted: bool
) -> None:
    table = np.random.default_rng(seed).integers(0, 1 << bits, entries)
    ds = image(
        VALUES,
        BitsStored=12,
        photometric="MONOCHROME1" if inverted else "MONOCHROME2",
        RescaleSlope=slope,
        RescaleIntercept=str(intercept),
        VOILUTSequence=[lut_item(first, table, bits)],
    )
    lowest = min(v * int(slope) + intercept for v in (0, 4095))
    if first < 0 <= lowest:
        return  # a negative first value for an input that never is: read as a large one (PS3.3 C.11.2.1.1)
    modality = apply_modality_lut(VALUES, ds).astype(np.int64)
    # pydicom looks 8-bit entries up by numbers of 8 bits, and begins again after 256 of them
    found = apply_voi(modality, ds) if bits > 8 else table[np.clip(modality - first, 0, entries - 1)]
    want = to_grey(found, (1 << bits) - 1)
    np.testing.assert_array_equal(picture(part10(ds)), 255 - want if inverted else want)


def test_both_luts_one_after_the_other() -> None:
    modality, voi = np.arange(4096) * 4, (65535 * (np.arange(2000) / 1999) ** 3).astype(int)
    ds = image(
        VALUES,
        BitsStored=12,
        ModalityLUTSequence=[lut_item(0, modality, 16)],
        VOILUTSequence=[lut_item(9000, voi, 16)],
    )
    want = to_grey(apply_voi_lut(apply_modality_lut(VALUES, ds), ds), 65535)
    np.testing.assert_array_equal(picture(part10(ds)), want)


def test_averages_go_through_the_luts_and_not_the_other_way_round() -> None:
    """Half the size: the mean of four modality values, then the VOI LUT."""
    values = np.repeat(np.repeat(np.array([[100, 900], [400, 1600]], np.uint16), 8, axis=0), 8, axis=1)
    modality, voi = np.arange(4096) * 2, np.arange(8192) ** 2 // 1024
    luts = {"ModalityLUTSequence": [lut_item(0, modality, 16)], "VOILUTSequence": [lut_item(0, voi, 16)]}
    ds = image(values, BitsStored=12, **luts)
    small = picture(part10(ds), RenderSpec(width=1, height=1))
    mean = round(2 * (100 + 900 + 400 + 1600) / 4)
    assert abs(int(small[0, 0]) - int(to_grey(voi[[mean]], 65535)[0])) <= 1
    large = picture(part10(ds), RenderSpec(width=32, height=32))
    assert large[2, 2] == to_grey(voi[[200]], 65535)[0]


@pytest.mark.parametrize("kind", [np.uint32, np.int32])
def test_luts_of_pixels_that_are_wider_than_a_table(kind: Any) -> None:
    values = (VALUES.astype(np.int64) * 3 - (5000 if kind is np.int32 else 0)).astype(kind)
    ds = image(values, VOILUTSequence=[lut_item(100, np.arange(4000), 12)])
    # the number of entries and the first value are 16 bits, what comes in is not
    want = to_grey(np.clip(values.astype(np.int64) - 100, 0, 3999), 4095)
    np.testing.assert_array_equal(picture(part10(ds)), want)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_a_presentation_lut_takes_what_the_window_gives(photometric: str) -> None:
    """PS3.3 C.11.6.1: the window's range is that of the table; the table alone decides what is dark."""
    table = (65535 * (np.arange(1024) / 1023) ** 2).astype(int)
    ds = image(VALUES, BitsStored=12, photometric=photometric, PresentationLUTSequence=[lut_item(0, table, 16)])
    fraction = np.clip((VALUES.astype(float) - 1000) / 2000, 0, 1)
    want = to_grey(table[np.rint(fraction * 1023).astype(int)], 65535)
    np.testing.assert_array_equal(picture(part10(ds), RenderSpec(window=Window(2000, 2000, EXACT))), want)
    sigmoid = picture(part10(ds), RenderSpec(window=Window(2000, 800, VoiLutFunction.SIGMOID)))
    fraction = 1 / (1 + np.exp(-4 * (VALUES.astype(float) - 2000) / 800))
    assert np.abs(sigmoid - to_grey(table[np.rint(fraction * 1023).astype(int)], 65535).astype(int)).max() <= 1


@pytest.mark.parametrize("luts", ["modality", "voi", "presentation"])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("width", [None, 25])
def test_padding_is_black_behind_any_table(luts: str, photometric: str, width: int | None) -> None:
    table = np.arange(4096)[::-1]
    keyword = {"modality": "ModalityLUTSequence", "voi": "VOILUTSequence", "presentation": "PresentationLUTSequence"}
    ds = image(VALUES.copy(), BitsStored=12, photometric=photometric, **{keyword[luts]: [lut_item(0, table, 12)]})
    values = VALUES.copy()
    values[:10] = 17
    ds.PixelData = values.tobytes()
    ds.add_new("PixelPaddingValue", "US", 17)
    got = picture(part10(ds), RenderSpec(width=width))
    assert (got[: 10 if width is None else 4] == 0).all()
    assert got[12:].mean() > 60


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(("bits", "first"), [(8, 0), (16, 0), (16, 1000)])
def test_palette_colours_equal_pydicoms(bits: int, first: int, encoding: str) -> None:
    ds = image(VALUES, BitsStored=12, photometric="PALETTE COLOR")
    rgb = np.random.default_rng(2).integers(0, 1 << bits, (2500, 3))
    add_palette(ds, rgb, first, bits)
    # pydicom looks 8-bit entries up by numbers of 8 bits, and begins again after 256 of them
    want = apply_color_lut(VALUES, ds) >> 8 if bits > 8 else rgb[np.clip(VALUES.astype(int) - first, 0, 2499)]
    np.testing.assert_array_equal(picture(part10(ds, encoding)), want)


def test_signed_palette_pixels() -> None:
    ds = image(SIGNED, photometric="PALETTE COLOR")
    rgb = np.random.default_rng(2).integers(0, 256, (4096, 3))
    add_palette(ds, rgb * 257, -2048)
    np.testing.assert_array_equal(picture(part10(ds)), rgb[SIGNED.astype(int) + 2048])


def test_a_small_picture_of_a_palette_averages_colours_not_their_numbers() -> None:
    ds = image(np.array([[0, 2], [0, 2]] * 2, np.uint8), photometric="PALETTE COLOR")
    add_palette(ds, np.array([[200, 0, 0], [0, 255, 0], [0, 0, 100]]), 0, 8)
    small = picture(part10(ds), RenderSpec(width=1, height=1)).ravel()
    assert np.abs(small.astype(int) - [100, 0, 50]).max() <= 1


def test_a_supplemental_palette_colours_what_is_above_its_first_value() -> None:
    rgb = np.random.default_rng(4).integers(0, 256, (96, 3))
    ds = image(VALUES, "MR", BitsStored=12, PixelPresentation="MIXED", WindowCenter="1000", WindowWidth="2000")
    add_palette(ds, rgb * 257, 4000)
    got = picture(part10(ds))
    is_colour = VALUES >= 4000
    np.testing.assert_array_equal(got[is_colour], rgb[VALUES[is_colour] - 4000])
    ds.PixelPresentation = "MONOCHROME"
    grey = picture(part10(ds))
    assert grey.ndim == 2
    np.testing.assert_array_equal(got[~is_colour], grey[~is_colour][:, None].repeat(3, axis=1))


def test_pixels_of_a_palette_that_is_not_there() -> None:
    with pytest.raises(UnsupportedPixels, match="without a palette"):
        picture(part10(image(VALUES, photometric="PALETTE COLOR")))


def test_colour_of_sixteen_bits_and_names_left_over_from_jpeg_2000() -> None:
    rgb = np.random.default_rng(6).integers(0, 65536, (6, 6, 3)).astype(np.uint16)
    np.testing.assert_array_equal(picture(part10(image(rgb, photometric="RGB"))), to_grey(rgb, 65535))
    small = (rgb >> 8).astype(np.uint8)
    for name in ("RGB", "YBR_RCT", "YBR_ICT"):
        np.testing.assert_array_equal(picture(part10(image(small, photometric=name))), small)


def test_ybr_of_sixteen_bits() -> None:
    ybr = np.random.default_rng(6).integers(0, 65536, (16, 16, 3)).astype(np.uint16)
    luma, blue, red = (ybr[..., i].astype(float) - (0, 32768, 32768)[i] for i in range(3))
    rgb = np.stack([luma + 1.402 * red, luma - 0.344136 * blue - 0.714136 * red, luma + 1.772 * blue], axis=-1)
    want = np.clip(rgb / 65535, 0, 1) * 255
    assert np.abs(picture(part10(image(ybr, photometric="YBR_FULL"))) - want).max() <= 0.51


@pytest.mark.parametrize("name", ["CMYK", "ARGB", "HSV"])
def test_retired_colour_spaces_say_so(name: str) -> None:
    pixels = np.zeros((4, 4, 3), np.uint8)
    with pytest.raises(UnsupportedPixels, match="retired"):
        picture(part10(image(pixels, photometric=name)))
