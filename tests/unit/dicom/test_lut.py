"""Lookup tables read from every way that headers write them, against pydicom and against tables worked out by hand."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import ENCODINGS, add_palette, header_of, image, lut_item, part10
from pydicom.dataset import Dataset
from pydicom.pixels.processing import _expand_segmented_lut

from engine.dicom.lut import Lut, Palette
from engine.errors import EngineError, MalformedDataSet, UnsupportedPixels

PIXELS = np.arange(64, dtype=np.uint16).reshape(8, 8)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("vr", ["US", "OW"])
@pytest.mark.parametrize(("first", "signed"), [(0, False), (40000, False), (-1024, True), (-1, True)])
def test_a_table_means_the_same_in_every_encoding(encoding: str, vr: str, first: int, signed: bool) -> None:
    values = np.arange(300) * 7 % 4096
    pixels = PIXELS.astype(np.int16) if signed else PIXELS
    ds = image(pixels, ModalityLUTSequence=[lut_item(first, values, 12, "ramp", vr)])
    _, header = header_of(part10(ds, encoding))
    lut = header.modality_lut
    assert lut is not None
    assert (lut.first, lut.bits, lut.explanation) == (first, 12, "ramp")
    np.testing.assert_array_equal(lut.values, values)


def test_65536_entries_are_written_as_none() -> None:
    values = np.arange(65536)[::-1]
    ds = image(PIXELS, VOILUTSequence=[lut_item(0, values, 16, vr="OW")])
    (lut,) = header_of(part10(ds))[1].voi_luts(0)
    assert len(lut.values) == 65536
    np.testing.assert_array_equal(lut.values, values)


@pytest.mark.parametrize("vr", ["US", "SS"])
def test_the_first_value_has_the_sign_of_the_input_whatever_its_vr(vr: str) -> None:
    item = lut_item(0, np.arange(16), 8)
    item.add_new("LUTDescriptor", vr, [16, 0xFC00 if vr == "US" else -1024, 8])
    assert Lut.from_dataset(item, signed=True).first == -1024
    assert Lut.from_dataset(item, signed=False).first == 0xFC00


def test_bytes_in_pairs_and_bytes_in_words() -> None:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [5, 0, 8])
    item.add_new("LUTData", "OW", bytes([1, 2, 3, 4, 5, 0]))  # five bytes and one to make it even
    assert Lut.from_dataset(item, signed=False).values.tolist() == [1, 2, 3, 4, 5]
    item.add_new("LUTData", "OW", np.array([1, 2, 3, 4, 5], "<u2").tobytes())
    assert Lut.from_dataset(item, signed=False).values.tolist() == [1, 2, 3, 4, 5]


def test_a_descriptor_with_too_few_bits_is_not_believed() -> None:
    assert Lut.from_dataset(lut_item(0, np.array([0, 4095]), 8), signed=False).bits == 12
    assert Lut.from_dataset(lut_item(0, np.array([0, 255]), 0), signed=False).bits == 8
    assert Lut.from_dataset(lut_item(0, np.array([0, 100]), 12), signed=False).bits == 12


def test_the_full_table_goes_on_at_both_ends() -> None:
    lut = Lut(-2, np.array([7, 8, 9], np.uint16), 8)
    assert lut.full_table(-4, 3).tolist() == [7, 7, 7, 8, 9, 9, 9, 9]


@pytest.mark.parametrize(
    ("descriptor", "data"),
    [(None, b"\0\0"), ([4, 0], b"\0" * 8), ([4, 0, 16], b"\0" * 6), ([4, 0, 16], None), ([300, 0, 8], b"\0" * 299)],
)
def test_a_table_that_is_not_there_is_an_error(descriptor: Any, data: bytes | None) -> None:
    item = Dataset()
    if descriptor is not None:
        item.add_new("LUTDescriptor", "US", descriptor)
    if data is not None:
        item.add_new("LUTData", "OW", data)
    with pytest.raises(MalformedDataSet):
        Lut.from_dataset(item, signed=False)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(("bits", "first"), [(8, 0), (16, 0), (16, 100), (16, -50)])
def test_palettes_of_every_encoding(encoding: str, bits: int, first: int) -> None:
    rgb = np.random.default_rng(1).integers(0, 1 << bits, (200, 3))
    ds = image(PIXELS.astype(np.int16) if first < 0 else PIXELS, photometric="PALETTE COLOR")
    add_palette(ds, rgb, first, bits)
    palette = header_of(part10(ds, encoding))[1].palette
    assert palette is not None
    assert palette.first == first
    np.testing.assert_array_equal(palette.rgb(), rgb >> (bits - 8))


def test_eight_bits_in_words_of_sixteen_are_not_all_black() -> None:
    ds = image(PIXELS, photometric="PALETTE COLOR")
    add_palette(ds, np.arange(256)[:, None].repeat(3, axis=1), 0, 16)
    palette = header_of(part10(ds))[1].palette
    assert palette is not None
    assert palette.rgb()[:, 0].tolist() == list(range(256))


def segmented(data: list[int], bits: int, count: int) -> np.ndarray[Any, Any]:
    ds = Dataset()
    for colour in ("Red", "Green", "Blue"):
        ds.add_new(f"{colour}PaletteColorLookupTableDescriptor", "US", [count & 0xFFFF, 0, bits])
        raw = np.array(data, "<u2" if bits > 8 else "u1").tobytes()
        ds.add_new(f"Segmented{colour}PaletteColorLookupTableData", "OW", raw + bytes(len(raw) % 2))
    return Palette.from_dataset(ds, signed=False).red.values


def test_segments_by_hand() -> None:
    # the example of PS3.3 C.7.9.2: discrete, linear up and down
    assert segmented([0, 1, 0, 1, 5, 1000, 0, 2, 7, 9, 1, 2, 5], 16, 10).tolist() == [
        0, 200, 400, 600, 800, 1000, 7, 9, 7, 5,
    ]  # fmt: skip
    # an indirect segment repeats the two that begin at byte 0: its linear one goes on from what stands before it
    assert segmented([0, 1, 10, 1, 2, 30, 2, 2, 0, 0], 16, 6).tolist() == [10, 20, 30, 10, 20, 30]
    # the same in bytes: an offset of four of them
    assert segmented([0, 1, 10, 1, 2, 30, 2, 1, 3, 0, 0, 0], 8, 5).tolist() == [10, 20, 30, 30, 30]


@settings(max_examples=100, deadline=None)
@given(data=st.data(), bits=st.sampled_from([8, 16]))
def test_segments_equal_pydicoms(data: st.DataObject, bits: int) -> None:
    value = st.integers(0, (1 << bits) - 1)
    numbers = [0, 1, data.draw(value)]
    for _ in range(data.draw(st.integers(0, 6))):
        if data.draw(st.booleans()):
            some = data.draw(st.lists(value, min_size=1, max_size=5))
            numbers += [0, len(some), *some]
        else:
            numbers += [1, data.draw(st.integers(1, 200)), data.draw(value)]
    want = _expand_segmented_lut(tuple(numbers), "<H" if bits > 8 else "<B")
    ours = segmented(numbers, bits, len(want)).astype(int)
    # half way between two numbers, pydicom's steps end on either side
    assert np.abs(ours - want).max() <= 1
    assert np.count_nonzero(ours != want) <= len(want) // 2


@settings(max_examples=200, deadline=None)
@given(data=st.lists(st.one_of(st.integers(0, 3), st.integers(0, 65535)), max_size=60), count=st.integers(1, 65536))
def test_hostile_segments_end_in_a_table_or_one_error(data: list[int], count: int) -> None:
    with contextlib.suppress(EngineError):
        assert len(segmented(data, 16, count)) == count


def test_segments_that_repeat_themselves_without_end_are_refused() -> None:
    with pytest.raises(MalformedDataSet, match="unknown kind 2"):
        segmented([0, 1, 5, 2, 1, 6, 0], 16, 60000)  # points at itself
    with pytest.raises(MalformedDataSet, match="more than the 100"):
        segmented([0, 1, 5, 1, 60000, 9], 16, 100)


def test_tables_that_do_not_agree_are_refused() -> None:
    ds = image(PIXELS, photometric="PALETTE COLOR")
    add_palette(ds, np.zeros((8, 3), int))
    ds.GreenPaletteColorLookupTableDescriptor = [4, 0, 16]
    with pytest.raises(UnsupportedPixels, match="palette"):
        _ = header_of(part10(ds))[1].palette
    del ds.GreenPaletteColorLookupTableData, ds.GreenPaletteColorLookupTableDescriptor
    with pytest.raises(MalformedDataSet, match="Green"):
        _ = header_of(part10(ds))[1].palette
