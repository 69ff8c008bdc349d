"""Overlay planes: their bits against pydicom's `overlay_array`, their place and frames, and claims that do not hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pictures import ENCODINGS, header_of, image, part10
from pydicom.dataset import Dataset

from engine.dicom.overlay import Overlay
from engine.errors import MalformedDataSet

PIXELS = np.zeros((3, 20, 30), np.uint16)
BITS = np.random.default_rng(3).integers(0, 2, (3, 7, 11)).astype(bool)


def add_overlay(ds: Dataset, bits: np.ndarray[Any, Any], group: int = 0x6000, **more: Any) -> None:
    """Frames of bits, packed one behind the other without a gap."""
    ds.add_new((group, 0x0010), "US", bits.shape[-2])
    ds.add_new((group, 0x0011), "US", bits.shape[-1])
    ds.add_new((group, 0x0040), "CS", "G")
    ds.add_new((group, 0x0050), "SS", more.get("origin", [1, 1]))
    ds.add_new((group, 0x0100), "US", 1)
    ds.add_new((group, 0x0102), "US", 0)
    if bits.ndim == 3:
        ds.add_new((group, 0x0015), "IS", str(len(bits)))
        ds.add_new((group, 0x0051), "US", more.get("first", 1))
    packed = np.packbits(bits.ravel(), bitorder="little").tobytes()
    ds.add_new((group, 0x3000), "OW", packed + bytes(len(packed) % 2))


def read(ds: Any, encoding: str = "explicit") -> tuple[Overlay, ...]:
    return header_of(part10(ds, encoding))[1].overlays


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_bits_in_every_encoding(encoding: str) -> None:
    ds = image(PIXELS)
    add_overlay(ds, BITS[0])
    add_overlay(ds, BITS, 0x6004)
    one, several = read(ds, encoding)
    np.testing.assert_array_equal(one.plane(2), BITS[0])
    for frame in range(3):
        np.testing.assert_array_equal(several.plane(frame), BITS[frame])
    if encoding == "explicit":
        np.testing.assert_array_equal(one.plane(0), ds.overlay_array(0x6000))
        np.testing.assert_array_equal([several.plane(i) for i in range(3)], ds.overlay_array(0x6004))


def test_one_picture_is_for_every_frame_and_several_begin_where_they_say() -> None:
    ds = image(PIXELS)
    add_overlay(ds, BITS[0])
    add_overlay(ds, BITS[:2], 0x6002, first=2, origin=[-2, 5])
    one, several = read(ds)
    assert [one.is_over(i) for i in range(3)] == [True, True, True]
    assert [several.is_over(i) for i in range(3)] == [False, True, True]
    np.testing.assert_array_equal(several.plane(2), BITS[1])
    assert several.origin == (-2, 5)


def test_bits_in_the_pixel_cells_and_groups_with_none() -> None:
    ds = image(PIXELS, BitsStored=12)
    for element, value in ((0x0010, 20), (0x0011, 30), (0x0100, 16), (0x0102, 12)):
        ds.add_new((0x6000, element), "US", value)
    ds.add_new((0x6002, 0x0010), "US", 20)  # what is left over of a plane that someone took away
    (overlay,) = read(ds)
    assert overlay.is_embedded
    assert overlay.bit_position == 12


def test_more_rows_columns_or_frames_than_there_are_bits() -> None:
    ds = image(PIXELS)
    add_overlay(ds, BITS)
    ds[0x6000, 0x0015].value = "400000"
    with pytest.raises(MalformedDataSet, match="overlay 6000"):
        read(ds)
