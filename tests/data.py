"""Where tests find DICOM: the shared real files when they are there, and small ones made by hand."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from engine.dicom.part10 import file_meta

DATA = Path(os.environ.get("VOXCAST_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"the real DICOM files are not at {DATA} (VOXCAST_TEST_DATA)")

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"


def data_files(*folders: str) -> list[Path]:
    """Every file below these folders of the shared data, in order; none when the data is not there."""
    return sorted(p for folder in folders for p in (DATA / folder).rglob("*") if p.is_file())


def pydicom_files() -> list[Path]:
    """Every test file that pydicom's package carries."""
    import pydicom

    return sorted(p for p in (Path(pydicom.__file__).parent / "data" / "test_files").rglob("*") if p.is_file())


def element(tag: int, vr: str, value: bytes) -> bytes:
    """One element in explicit VR little endian, padded to an even length."""
    if len(value) % 2:
        value += b"\0" if vr in ("UI", "OB") else b" "
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr.encode())
    if vr in ("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"):
        return head + struct.pack("<HI", 0, len(value)) + value
    return head + struct.pack("<H", len(value)) + value


def us(value: int) -> bytes:
    return struct.pack("<H", value)


def make_instance(
    sop: str = "1.2.3.4.1",
    *,
    study: str = "1.2.3",
    series: str = "1.2.3.4",
    number: int = 1,
    patient: str = "DOE^JANE",
    patient_id: str = "P1",
    date: str = "20200131",
    modality: str = "CT",
    z: float | None = None,
    rows: int = 4,
    columns: int = 4,
    frames: int = 1,
    pixels: bytes | None = None,
    extra: bytes = b"",
) -> bytes:
    """A Part 10 CT instance of 16-bit pixels; `extra` elements (behind 0020,0013) are put in as they are."""
    if pixels is None:
        pixels = b"".join(us((number * 31 + i) & 0xFFF) for i in range(rows * columns * frames))
    body = b"".join(
        (
            element(0x00080016, "UI", CT.encode()),
            element(0x00080018, "UI", sop.encode()),
            element(0x00080020, "DA", date.encode()),
            element(0x00080060, "CS", modality.encode()),
            element(0x00100010, "PN", patient.encode()),
            element(0x00100020, "LO", patient_id.encode()),
            element(0x0020000D, "UI", study.encode()),
            element(0x0020000E, "UI", series.encode()),
            element(0x00200013, "IS", str(number).encode()),
            b""
            if z is None
            else element(0x00200032, "DS", f"0\\0\\{z}".encode()) + element(0x00200037, "DS", b"1\\0\\0\\0\\1\\0"),
            extra,
            element(0x00280002, "US", us(1)),
            element(0x00280004, "CS", b"MONOCHROME2"),
            b"" if frames == 1 else element(0x00280008, "IS", str(frames).encode()),
            element(0x00280010, "US", us(rows)),
            element(0x00280011, "US", us(columns)),
            element(0x00280100, "US", us(16)),
            element(0x00280101, "US", us(12)),
            element(0x00280102, "US", us(11)),
            element(0x00280103, "US", us(0)),
            element(0x7FE00010, "OW", pixels),
        )
    )
    return file_meta(sop_class_uid=CT, sop_instance_uid=sop, transfer_syntax_uid=EXPLICIT) + body
