"""The phantom's data sets: Part 10 CT Image Storage instances (PS3.3 A.3), labelled as a phantom."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from engine.cli.phantom.body import Body
from engine.cli.phantom.regions import EXTENT_MM, FIELD_MM
from engine.dicom.part10 import file_meta
from engine.dicom.uid import derived_uid

CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"

_INTERCEPT = -1024  # stored values are 12 bits, unsigned


@dataclass(frozen=True, slots=True, kw_only=True)
class PhantomSeries:
    """One series. Equal fields give equal bytes, on every machine; other fields give other UIDs.

    Attributes
    ----------
    slices : the same 375 mm of the body in so many slices; slice 0 is the top one.
    rows, columns : of each slice, at least 16; the larger side is 380 mm.
    seed : another seed is another body.
    study_number, series_number : several studies of one patient, several series of one study.
    study_date, study_time : DA and TM.
    """

    slices: int = 300
    rows: int = 512
    columns: int = 512
    seed: int = 1
    study_number: int = 1
    series_number: int = 1
    patient_name: str = "PHANTOM^CT"
    patient_id: str = "PHANTOM-1"
    study_date: str = "20240229"
    study_time: str = "093000"
    study_description: str = "CT phantom, chest and upper abdomen"

    def __post_init__(self) -> None:
        if self.slices < 1 or not all(16 <= n <= 4096 for n in (self.rows, self.columns)):
            raise ValueError("a phantom has at least 1 slice of 16 to 4096 rows and columns")

    @property
    def study_instance_uid(self) -> str:
        return derived_uid("phantom study", self.patient_id, str(self.study_number))

    @property
    def series_instance_uid(self) -> str:
        shape = (self.series_number, self.seed, self.slices, self.rows, self.columns)
        return derived_uid("phantom series", self.study_instance_uid, *(str(n) for n in shape))

    def sop_instance_uid(self, index: int) -> str:
        return derived_uid("phantom instance", self.series_instance_uid, str(index))

    @property
    def spacing_mm(self) -> float:
        """Between the slices."""
        return EXTENT_MM / self.slices


def generate(series: PhantomSeries) -> Iterator[bytes]:
    """All instances of a series, from the head down; about 17 ms each at 512×512 on one core."""
    for index in range(series.slices):
        yield instance(series, index)


def instance(series: PhantomSeries, index: int) -> bytes:
    """The Part 10 bytes of slice `index` (0-based), whatever was generated before. May be called from several threads."""
    if not 0 <= index < series.slices:
        raise IndexError(f"slice {index} of {series.slices}")
    body = _body(series.rows, series.columns, series.seed)
    modality_values = body.noisy(-index * series.spacing_mm, index)
    modality_values -= _INTERCEPT
    stored_values = np.clip(np.rint(modality_values), 0, 4095).astype("<u2")
    return header(series, index) + stored_values.tobytes()


@lru_cache(maxsize=2)
def _body(rows: int, columns: int, seed: int) -> Body:
    return Body(rows, columns, seed)


def header(series: PhantomSeries, index: int) -> bytes:
    """Everything of an instance up to the value of its Pixel Data."""
    sop_instance_uid = series.sop_instance_uid(index)
    spacing, pixel = series.spacing_mm, FIELD_MM / max(series.rows, series.columns)
    position = (-(series.columns - 1) / 2 * pixel, -(series.rows - 1) / 2 * pixel, -index * spacing)
    when = {0x20: series.study_date, 0x21: series.study_date, 0x22: series.study_date, 0x23: series.study_date}
    at = {0x30: series.study_time, 0x31: series.study_time, 0x32: series.study_time, 0x33: series.study_time}
    elements: list[tuple[int, str, str | int]] = [
        (0x00080005, "CS", "ISO_IR 192"),
        # Not the direct result of an examination (PS3.3 C.7.6.1.1.2), and none at all: Synthetic Data says so.
        (0x00080008, "CS", r"DERIVED\SECONDARY\AXIAL"),
        (0x00080012, "DA", series.study_date),
        (0x00080013, "TM", series.study_time),
        (0x00080016, "UI", CT_IMAGE_STORAGE),
        (0x00080018, "UI", sop_instance_uid),
        (0x0008001C, "CS", "YES"),
        *((0x00080000 | element, "DA", value) for element, value in when.items()),
        *((0x00080000 | element, "TM", value) for element, value in at.items()),
        (0x00080050, "SH", ""),
        (0x00080060, "CS", "CT"),
        (0x00080070, "LO", "voxcast"),
        (0x00080090, "PN", ""),
        (0x00081030, "LO", series.study_description),
        (0x0008103E, "LO", f"generated phantom {spacing:.3g} mm, arterial"),
        (0x00081090, "LO", "generated phantom"),
        (0x00082111, "ST", "Computed from a mathematical model; shows no patient and comes from no scanner."),
        (0x00100010, "PN", series.patient_name),
        (0x00100020, "LO", series.patient_id),
        (0x00100030, "DA", ""),
        (0x00100040, "CS", "O"),
        (0x00180015, "CS", "CHESTABDOMEN"),
        (0x00180050, "DS", _ds(spacing)),
        (0x00180060, "DS", "120"),
        (0x00180088, "DS", _ds(spacing)),
        (0x00181100, "DS", _ds(FIELD_MM)),
        (0x00181120, "DS", "0"),
        (0x00181210, "SH", "MODEL"),
        (0x00185100, "CS", "HFS"),
        (0x0020000D, "UI", series.study_instance_uid),
        (0x0020000E, "UI", series.series_instance_uid),
        (0x00200010, "SH", str(series.study_number)),
        (0x00200011, "IS", str(series.series_number)),
        (0x00200012, "IS", "1"),
        (0x00200013, "IS", str(index + 1)),
        (0x00200032, "DS", "\\".join(map(_ds, position))),
        (0x00200037, "DS", r"1\0\0\0\1\0"),
        (0x00200052, "UI", derived_uid("phantom frame of reference", series.study_instance_uid)),
        (0x00201040, "LO", ""),
        (0x00201041, "DS", _ds(position[2])),
        (0x00280002, "US", 1),
        (0x00280004, "CS", "MONOCHROME2"),
        (0x00280010, "US", series.rows),
        (0x00280011, "US", series.columns),
        (0x00280030, "DS", f"{_ds(pixel)}\\{_ds(pixel)}"),
        (0x00280100, "US", 16),
        (0x00280101, "US", 12),
        (0x00280102, "US", 11),
        (0x00280103, "US", 0),
        (0x00280300, "CS", "YES"),  # Quality Control Image: of a phantom
        (0x00280301, "CS", "NO"),  # Burned In Annotation
        (0x00281050, "DS", r"40\-600"),
        (0x00281051, "DS", r"400\1500"),
        (0x00281052, "DS", str(_INTERCEPT)),
        (0x00281053, "DS", "1"),
        (0x00281054, "LO", "HU"),
        (0x00281055, "LO", r"SOFT TISSUE\LUNG"),
    ]
    meta = file_meta(
        sop_class_uid=CT_IMAGE_STORAGE,
        sop_instance_uid=sop_instance_uid,
        transfer_syntax_uid=EXPLICIT_VR_LITTLE_ENDIAN,
    )
    pixel_data = struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, series.rows * series.columns * 2)
    return meta + b"".join(_element(*element) for element in elements) + pixel_data


def _element(tag: int, vr: str, value: str | int) -> bytes:
    """Explicit VR little endian (PS3.5 7.1.2), of the VRs that have a 16-bit length."""
    if isinstance(value, int):
        return struct.pack("<HH2sHH", tag >> 16, tag & 0xFFFF, vr.encode(), 2, value)
    content = value.encode()
    if len(content) % 2:
        content += b"\0" if vr == "UI" else b" "
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), len(content)) + content


def _ds(value: float) -> str:
    """A decimal string of at most 16 characters (PS3.5 6.2)."""
    return f"{round(value, 6) + 0.0:.10g}"
