"""Lossless HTJ2K: the bytes that OpenJPH makes, values that OpenJPEG reads, and the smaller image that is in them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import imagecodecs
import numpy as np
import pytest
from code_streams import GREY8, GREY12, GREY16, GREY16_SIGNED, RGB8, ROOT, image
from hypothesis import given, settings
from hypothesis import strategies as st
from wavelet import halved

import engine.codec.encoding.htj2k as htj2k
from engine._native import htj2k_encode
from engine.codec.base import stored_dtype
from engine.codec.encoding.base import LOSSLESS
from engine.codec.encoding.htj2k import Htj2kEncoder
from engine.dicom.frame import FrameDescriptor

ENCODER = Htj2kEncoder()
SIGNED_12 = replace(GREY16_SIGNED, bits_stored=12, high_bit=11)
SIGNED_8 = replace(GREY8, pixel_representation=1)
FORMS = {"u8": GREY8, "s8": SIGNED_8, "u12": GREY12, "s12": SIGNED_12, "u16": GREY16, "s16": GREY16_SIGNED}
SHAPES = [(48, 64), (512, 512), (17, 65), (129, 127), (200, 1100), (31, 18)]


def of(form: FrameDescriptor, rows: int, columns: int) -> FrameDescriptor:
    return ENCODER.described(replace(form, transfer_syntax_uid=ROOT + ".4.202", rows=rows, columns=columns), LOSSLESS)


def levels_of(rows: int, columns: int) -> int:
    levels = 5
    while max(rows, columns) >> levels > 64:
        levels += 1
    return levels


def openjph(d: FrameDescriptor, values: np.ndarray[Any, Any]) -> bytes:
    """What OpenJPH makes of values centred in 16 bits, with their precision in SIZ; as they are where they fill their type."""
    levels = levels_of(d.rows, d.columns)
    options = {"reversible": True, "tlm": True, "tilepart": 1, "resolutions": levels}
    if d.bits_stored == 8 * values.itemsize:
        return bytes(imagecodecs.htj2k_encode(values, **options))
    middle = 0 if d.pixel_representation else 1 << (d.bits_stored - 1)
    code = bytearray(imagecodecs.htj2k_encode((values.astype(np.int32) - middle).astype(np.int16), **options))
    code[42] = d.pixel_representation << 7 | (d.bits_stored - 1)
    return bytes(code)


def pictures(d: FrameDescriptor, seed: int) -> dict[str, np.ndarray[Any, Any]]:
    """Noise up to every bit, of a few bits, sparse dots, areas of one value, half of it nothing, and what is smooth."""
    random = np.random.default_rng(seed)
    shape, bits = (d.rows, d.columns), d.bits_stored
    low = -(1 << (bits - 1)) if d.pixel_representation else 0
    high = low + (1 << bits) - 1
    y, x = np.mgrid[: d.rows, : d.columns]
    found: dict[str, Any] = {
        "noise": random.integers(low, high, shape, endpoint=True),
        "little noise": (low + high) // 2 + random.normal(0, 4, shape),
        "dots": np.where(random.random(shape) < 0.01, high, low),
        "areas": random.integers(low, high, (9, 9))[y * 9 // d.rows, x * 9 // d.columns],
        "half": np.where(x > d.columns // 2, random.normal((low + high) / 2, 20, shape), low),
        "smooth": low + (high - low) * (np.sin(y / 40) * np.cos(x / 60) + 1) / 2,
        "nothing": np.zeros(shape),
    }
    return {name: np.clip(values, low, high).astype(stored_dtype(d)) for name, values in found.items()}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("form", FORMS)
def test_the_bytes_are_those_of_openjph_and_openjpeg_reads_them(form: str, shape: tuple[int, int]) -> None:
    d = of(FORMS[form], *shape)
    for name, values in pictures(d, seed=len(form) + shape[0]).items():
        code = ENCODER.encode(values, d, LOSSLESS)
        assert code == openjph(d, values), name
        back = np.asarray(imagecodecs.jpeg2k_decode(code))
        np.testing.assert_array_equal(back.astype(np.int64), values.astype(np.int64), name)


@settings(max_examples=150, deadline=None)
@given(
    shape=st.tuples(st.integers(17, 140), st.integers(17, 140)),
    seed=st.integers(0, 2**32 - 1),
    spread=st.floats(0.1, 20_000),
    share=st.floats(0, 1),
)
def test_any_image_has_the_bytes_of_openjph(shape: tuple[int, int], seed: int, spread: float, share: float) -> None:
    """Every codeword of tables C.1 and C.2 comes up, with blocks that are empty, and of every width."""
    d, random = of(GREY16_SIGNED, *shape), np.random.default_rng(seed)
    values = np.where(random.random(shape) < share, random.normal(0, spread, shape), 0)
    values = np.clip(values, -32_768, 32_767).astype(np.int16)
    values[: seed % shape[0]] = seed % 7
    assert ENCODER.encode(values, d, LOSSLESS) == openjph(d, values)


@pytest.mark.parametrize("form", ["u8", "u12", "s12", "u16", "s16"])
@pytest.mark.parametrize("shape", [(512, 512), (129, 127), (301, 90)])
def test_the_smaller_image_is_that_of_the_wavelet(form: str, shape: tuple[int, int]) -> None:
    d = of(FORMS[form], *shape)
    values = pictures(d, seed=3)["noise"]
    middle = 0 if d.pixel_representation else 1 << (d.bits_stored - 1)
    for times in (1, 2, 3):
        code, smaller = ENCODER.pyramid(values, d, times)
        assert code == ENCODER.encode(values, d, LOSSLESS)
        assert smaller is not None
        np.testing.assert_array_equal(smaller, halved(values.astype(np.int64) - middle, times))
    assert ENCODER.pyramid(values, d, 99)[1] is None


@pytest.mark.parametrize("shape", [(1, 1), (3, 400), (16, 16), (2, 2), (400, 5)])
def test_what_is_too_small_for_the_wavelet_is_coded_all_the_same(shape: tuple[int, int]) -> None:
    d = of(GREY12, *shape)
    values = pictures(d, seed=1)["noise"]
    code, smaller = ENCODER.pyramid(values, d, 1)
    assert code == openjph(d, values)
    assert smaller is None


def test_colour_is_openjphs_and_grey_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, ...]] = []
    theirs = htj2k._by_openjph

    def by_openjph(samples: Any, levels: int, is_rgb: bool | None) -> bytes:
        seen.append(samples.shape)
        return theirs(samples, levels, is_rgb)

    monkeypatch.setattr(htj2k, "_by_openjph", by_openjph)
    colour = of(RGB8, 100, 120)
    code = ENCODER.encode(image(replace(RGB8, rows=100, columns=120)), colour, LOSSLESS)
    np.testing.assert_array_equal(imagecodecs.jpeg2k_decode(code), image(replace(RGB8, rows=100, columns=120)))
    assert seen == [(100, 120, 3)]
    htj2k._main_header.cache_clear()
    for _ in range(3):
        ENCODER.encode(pictures(of(GREY12, 100, 120), 1)["noise"], of(GREY12, 100, 120), LOSSLESS)
    assert seen == [(100, 120, 3), (64, 64)], "only the header is asked for, once"


def header(levels: int = 5) -> bytes:
    return htj2k._main_header("i2", levels, 64, 64)


@pytest.mark.parametrize(
    ("at", "value"),
    [(0, 0), (11, 63), (15, 9), (23, 1), (27, 1), (31, 32), (41, 2), (42, 0x90), (60, 1), (61, 1), (63, 2), (64, 0), (64, 17),
     (65, 5), (66, 5), (67, 0), (68, 0), (69, 0), (73, 0x22), (74, 0)],
)  # fmt: skip
def test_a_header_that_says_something_else_is_refused(at: int, value: int) -> None:
    """What is coded must be what the header says: another size, order, block, wavelet, quantisation."""
    samples = np.zeros((64, 64), np.int16)
    htj2k_encode(samples, 64, 64, header())
    changed = bytearray(header())
    assert changed[at] != value
    changed[at] = value
    with pytest.raises(ValueError, match="header"):
        htj2k_encode(samples, 64, 64, bytes(changed))


def test_arrays_and_headers_that_do_not_fit_are_refused() -> None:
    samples = np.zeros((64, 64), np.int16)
    for cut in range(len(header())):
        with pytest.raises(ValueError, match="header"):
            htj2k_encode(samples, 64, 64, header()[:cut])
    for rows, columns in ((64, 65), (65, 64), (0, 64), (1 << 40, 1 << 40)):
        with pytest.raises(ValueError):
            htj2k_encode(samples, rows, columns, header())
    with pytest.raises(ValueError, match="halvings"):
        htj2k_encode(samples, 64, 64, header(), 6)
