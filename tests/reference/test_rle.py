"""What `rle_encode` writes, read by pydicom, GDCM and DCMTK; and its size beside what they write of the same pixels."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from code_streams import rle, slice_values
from data import data_files, make_instance, pydicom_files
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels import pixel_array

from engine.codec.rle import rle_encode
from engine.dicom.frame_table import join_fragments
from engine.dicom.scan import scan
from engine.limits import Limits

RLE = "1.2.840.10008.1.2.5"
LIMITS = Limits()
SIZE_MAX = 1.01  # of theirs

# python-gdcm puts it beside the interpreter, which need not be in PATH
GDCMCONV = shutil.which("gdcmconv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}") or ""
gdcm = pytest.mark.skipif(not GDCMCONV, reason="gdcmconv is not here (python-gdcm brings it)")
dcmtk = pytest.mark.skipif(
    shutil.which("dcmdrle") is None, reason="dcmdrle and dcmcrle are not here (apt install dcmtk)"
)

VALUES = {
    "16 bits": slice_values(96, 130),
    "16 bits signed": slice_values(64, 64).view(np.int16) - np.int16(1024),
    "8 bits, an odd row": (slice_values(31, 77) >> 4).astype(np.uint8),
    "one pixel": np.array([[7]], np.uint8),
    "noise": np.random.default_rng(5).integers(0, 256, (40, 300), np.uint8),
    "nothing": np.zeros((64, 300), np.uint16),
    "32 bits": slice_values(20, 33).astype(np.uint32) * 70_001,
    "colour": np.dstack([(slice_values(50, 61) >> n).astype(np.uint8) for n in (4, 5, 3)]),
    "colour of 16 bits": np.dstack([slice_values(20, 31) * n for n in (1, 2, 3)]).astype(np.uint16),
}
# what GDCM makes of byte planes that it takes for something else, see tests/unit/codec/test_second_opinion.py
# "one pixel": 3.2 refuses a frame of some bytes, DCMTK's too
NOT_FOR_GDCM = {"colour of 16 bits", "32 bits", "one pixel"}
GDCM_CANNOT_WRITE = {*NOT_FOR_GDCM, "8 bits, an odd row"}  # its encoder aborts


def instance(values: np.ndarray[Any, Any], path: Path) -> pydicom.Dataset:
    """A native instance of these values, written to `path`."""
    samples = values.shape[2] if values.ndim == 3 else 1
    path.write_bytes(make_instance())
    ds = pydicom.dcmread(path)
    ds.Rows, ds.Columns = values.shape[:2]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = samples, "RGB" if samples == 3 else "MONOCHROME2"
    if samples == 3:
        ds.PlanarConfiguration = 0
    ds.BitsAllocated = ds.BitsStored = 8 * values.itemsize
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = int(values.dtype.kind == "i")
    raw = values.tobytes()
    ds.PixelData = raw + b"\0" * (len(raw) % 2)
    ds["PixelData"].VR = "OB" if values.itemsize == 1 else "OW"
    ds.save_as(path)
    return ds


def compressed(values: np.ndarray[Any, Any], path: Path) -> Path:
    """The same instance with what `rle_encode` makes of it."""
    ds = instance(values, path)
    ds.PixelData = encapsulate([rle_encode(values)])
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    ds.file_meta.TransferSyntaxUID = RLE
    ds.save_as(path)
    return path


@pytest.mark.parametrize("name", VALUES)
def test_pydicom_reads_it(name: str, tmp_path: Path) -> None:
    values = VALUES[name]
    got = pixel_array(compressed(values, tmp_path / "rle.dcm"), decoding_plugin="pydicom", raw=True)
    np.testing.assert_array_equal(got.reshape(values.shape), values)


@gdcm
@pytest.mark.parametrize("name", [n for n in VALUES if n not in NOT_FOR_GDCM])
def test_gdcm_reads_it(name: str, tmp_path: Path) -> None:
    values = VALUES[name]
    path = compressed(values, tmp_path / "rle.dcm")
    done = subprocess.run([GDCMCONV, "--raw", path, tmp_path / "raw.dcm"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(pydicom.dcmread(tmp_path / "raw.dcm").pixel_array.reshape(values.shape), values)


@dcmtk
@pytest.mark.parametrize("name", VALUES)
def test_dcmtk_reads_it(name: str, tmp_path: Path) -> None:
    values = VALUES[name]
    path = compressed(values, tmp_path / "rle.dcm")
    done = subprocess.run(["dcmdrle", path, tmp_path / "raw.dcm"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    raw = pydicom.dcmread(tmp_path / "raw.dcm")
    pixels = raw.pixel_array
    if values.ndim == 3 and raw.PlanarConfiguration == 1:
        assert pixels.shape == values.shape  # pydicom puts samples together
    np.testing.assert_array_equal(pixels.reshape(values.shape), values)


def frame_of(path: Path) -> bytes:
    (code,) = generate_frames(pydicom.dcmread(path).PixelData, number_of_frames=1)
    return bytes(code)


@pytest.mark.parametrize("name", VALUES)
def test_it_is_no_larger_than_theirs(name: str, tmp_path: Path) -> None:
    values = VALUES[name]
    ours = len(rle_encode(values))
    sizes = {"pydicom": len(rle(values))}
    native = tmp_path / "native.dcm"
    instance(values, native)
    if shutil.which("dcmcrle"):
        subprocess.run(["dcmcrle", native, tmp_path / "dcmtk.dcm"], check=True, capture_output=True)
        sizes["dcmtk"] = len(frame_of(tmp_path / "dcmtk.dcm"))
    if GDCMCONV and name not in GDCM_CANNOT_WRITE:
        subprocess.run([GDCMCONV, "--rle", native, tmp_path / "gdcm.dcm"], check=True, capture_output=True)
        sizes["gdcm"] = len(frame_of(tmp_path / "gdcm.dcm"))
    assert ours <= SIZE_MAX * min(sizes.values()) + 1, (ours, sizes)


def test_real_frames_packed_again_are_no_larger_and_the_same_to_pydicom(tmp_path: Path) -> None:
    """Every RLE frame of the real files: as large as whoever wrote it had it, or smaller, and pixels as before."""
    compared = 0
    for path in [*data_files(""), *pydicom_files()]:
        if path.stat().st_size > 4 << 20 or RLE.encode() + b"\0" not in (data := path.read_bytes())[:2048]:
            continue
        scanned = scan(data, LIMITS)
        d, table = scanned.frame_descriptor, scanned.frame_table
        if d is None or table is None or d.bits_allocated % 8:
            continue
        span = table[0]
        theirs = bytes(join_fragments(data[span.offset : span.offset + span.length], span.fragment_count))
        values = np.atleast_2d(pixel_array(path, index=0, raw=True, decoding_plugin="pydicom"))
        ours = rle_encode(values)
        assert len(ours) <= SIZE_MAX * len(theirs) + 1, path.name
        again = tmp_path / "again.dcm"
        np.testing.assert_array_equal(
            pixel_array(compressed(values, again), raw=True, decoding_plugin="pydicom").reshape(values.shape), values
        )
        compared += 1
    assert compared >= 5
