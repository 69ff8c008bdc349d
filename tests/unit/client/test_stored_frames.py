"""What `voxcast.client` makes of frames as they are stored, against pydicom and its decoders."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from data import pydicom_files
from pydicom.encaps import generate_frames
from pydicom.pixels import pixel_array

from voxcast.client import UndecodableFrame
from voxcast.client.pixels import decode
from voxcast.client.stored import photometric_of
from voxcast.client.table import Cells, FrameEntry

RLE, JPEG, LOSSY_HTJ2K = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.203"
NATIVE, BIG_ENDIAN = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
EXACT = (
    NATIVE, BIG_ENDIAN, RLE, "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.201",
)  # fmt: skip
# Their bytes are not what their headers say; pydicom guesses.
ODD = ("badVR.dcm", "JPEG-lossy.dcm", "MR_truncated.dcm", "emri_small_jpeg_2k_lossless_too_short.dcm")


def entry_of(ds: Any, frame_number: int, size: int, **other: Any) -> FrameEntry:
    is_float = "FloatPixelData" in ds or "DoubleFloatPixelData" in ds
    bits = int(ds.BitsAllocated)
    cells = Cells(
        int(ds.SamplesPerPixel), bits, int(ds.get("BitsStored", bits)), int(ds.get("HighBit", bits - 1)),
        int(ds.get("PixelRepresentation", 0)), int(ds.get("PlanarConfiguration", 0)), is_float,
    )  # fmt: skip
    said = {
        "sop_instance_uid": "1.2.3",
        "frame_number": frame_number,
        "rows": int(ds.Rows),
        "columns": int(ds.Columns),
        "transfer_syntax_uid": str(ds.file_meta.TransferSyntaxUID).replace("1.2.840.10008.1.2", NATIVE)
        if ds.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2"
        else str(ds.file_meta.TransferSyntaxUID),
        "photometric_interpretation": str(ds.PhotometricInterpretation),
        "bits": 0,
        "ends": (size,),
        "cells": cells,
    }
    return FrameEntry(**(said | other))


def frames_of(ds: Any) -> Iterator[bytes]:
    count = int(ds.get("NumberOfFrames", 1))
    if ds.file_meta.TransferSyntaxUID.is_encapsulated:
        yield from generate_frames(ds.PixelData, number_of_frames=count)
        return
    data = ds.get("PixelData") or ds.get("FloatPixelData") or ds.get("DoubleFloatPixelData")
    samples = 2 if ds.PhotometricInterpretation == "YBR_FULL_422" else ds.SamplesPerPixel
    bits = ds.Rows * ds.Columns * samples * ds.BitsAllocated
    for index in range(count):
        yield data[index * bits // 8 : -(-(index + 1) * bits // 8)]


@cache
def cases() -> list[Path]:
    found = []
    for path in pydicom_files():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                ds = pydicom.dcmread(path)
            except Exception:  # noqa: BLE001 - files that are no DICOM are there, too
                continue
        is_whole = (
            "Rows" in ds and "BitsAllocated" in ds and "PhotometricInterpretation" in ds and len(ds.file_meta) > 1
        )
        if is_whole and ds.file_meta.get("TransferSyntaxUID") in (*EXACT, "1.2.840.10008.1.2") and path.name not in ODD:
            found.append(path)
    return found


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", cases(), ids=lambda path: path.name)
def test_frames_of_every_lossless_form_have_the_values_that_pydicom_reads(path: Path) -> None:
    ds = pydicom.dcmread(path)
    for number, data in enumerate(frames_of(ds), 1):
        if number > 3:
            break
        entry = entry_of(ds, number, len(data))
        if entry.transfer_syntax_uid == BIG_ENDIAN and ds.BitsAllocated < 16:
            with pytest.raises(UndecodableFrame, match="swapped"):
                decode(entry, data, 0)
            continue
        expected = pixel_array(ds, raw=True, index=number - 1)
        found = decode(entry, data, 0)
        if entry.photometric_interpretation == "YBR_FULL_422" and not ds.file_meta.TransferSyntaxUID.is_encapsulated:
            assert photometric_of(entry) == "YBR_FULL"
        assert found.shape == expected.shape
        assert np.array_equal(found, expected), "bit for bit"
        assert found.dtype.kind == expected.dtype.kind


def made(values: Any, photometric: str, uid: str, frame: bytes) -> tuple[FrameEntry, bytes]:
    entry = FrameEntry(
        "1.2.3", 1, *values.shape[:2], uid, photometric, 0, (len(frame),),
        cells=Cells(values.shape[2] if values.ndim > 2 else 1, 8 * values.itemsize, 8 * values.itemsize, 7, 0, 0),
    )  # fmt: skip
    return entry, frame


def colours() -> Any:
    ramp = np.arange(64, dtype=np.uint8) * 4
    return np.stack(np.broadcast_arrays(ramp[:, None], ramp[None, :], np.uint8(30)), axis=-1).copy()


def test_a_jpeg_whose_header_says_rgb_is_not_taken_for_ycbcr() -> None:
    """Encoders write RGB without an Adobe marker and call it RGB; libjpeg takes three components for YCbCr."""
    rgb = colours()
    plain = imagecodecs.jpeg8_encode(rgb, level=98, colorspace="RGB", outcolorspace="RGB", subsampling="444")
    at = plain.find(b"\xff\xee")
    if at >= 0:  # without the marker that says it
        plain = plain[:at] + plain[at + 2 + int.from_bytes(plain[at + 2 : at + 4]) :]
    at = plain.find(b"\xff\xc0") + 10  # component ids 1, 2, 3 as those have it
    head = bytearray(plain)
    scan = plain.find(b"\xff\xda") + 5
    for component in range(3):
        head[at + 3 * component] = head[scan + 2 * component] = component + 1
    entry, frame = made(rgb, "RGB", JPEG, bytes(head))
    assert np.abs(decode(entry, frame, 0).astype(int) - rgb).max() < 12
    assert photometric_of(entry) == "RGB"


def test_a_jpeg_of_ycbcr_comes_as_rgb_and_says_so() -> None:
    rgb = colours()
    entry, frame = made(rgb, "YBR_FULL_422", JPEG, imagecodecs.jpeg8_encode(rgb, level=95, subsampling="422"))
    assert np.abs(decode(entry, frame, 0).astype(int) - rgb).mean() < 4
    assert photometric_of(entry) == "RGB"


def test_a_lossy_htj2k_frame_does_not_wrap_black_to_white() -> None:
    hard = np.where(np.indices((64, 64)).sum(0) % 16 < 8, 0, 255).astype(np.uint8)
    frame = bytes(imagecodecs.htj2k_encode(hard, level=0.05, reversible=False))
    wrapped = np.abs(imagecodecs.htj2k_decode(frame).astype(int) - hard).max()
    assert wrapped > 200, "OpenJPH wraps, or this test shows nothing"
    entry, frame = made(hard, "MONOCHROME2", LOSSY_HTJ2K, frame)
    assert np.abs(decode(entry, frame, 0).astype(int) - hard).max() < 100


@pytest.mark.parametrize("damage", [b"", b"\x01\0\0\0", b"\xff\xd8\xff", bytes(64), bytes(200)])
@pytest.mark.parametrize("uid", [RLE, JPEG, LOSSY_HTJ2K, NATIVE, "1.2.840.10008.1.2.8.1", "1.2.3"])
def test_what_cannot_be_decoded_says_so(uid: str, damage: bytes) -> None:
    entry, _ = made(np.zeros((64, 64), np.uint8), "MONOCHROME2", uid, bytes(64))
    with pytest.raises(UndecodableFrame):
        decode(entry, damage, 0)


def test_twelve_bits_allocated_are_read_as_they_are_packed() -> None:
    values = np.arange(30, dtype=np.uint16).reshape(5, 6) * 137 % 4096
    packed = sum(int(value) << (12 * at) for at, value in enumerate(values.ravel())).to_bytes(45, "little")
    entry = FrameEntry("1.2.3", 1, 5, 6, NATIVE, "MONOCHROME2", 0, (45,), cells=Cells(1, 12, 12, 11, 0, 0))
    assert np.array_equal(decode(entry, packed, 0), values)
