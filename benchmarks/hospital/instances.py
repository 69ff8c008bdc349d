"""What modalities send: data sets that cost nothing to make, for a thousand a second have to come from few cores."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass

import numpy as np
from pydicom import Dataset
from pynetdicom.dsutils import encode

from benchmarks.hospital.trace import Examination, Kind

_EXPLICIT = "1.2.840.10008.1.2.1"


@dataclass(frozen=True, slots=True)
class Made:
    """A data set in Explicit VR Little Endian, in two pieces: the second is every instance's of its kind."""

    sop_instance_uid: str
    pieces: tuple[bytes, bytes]

    @property
    def sha256(self) -> bytes:
        digest = hashlib.sha256(self.pieces[0])
        digest.update(self.pieces[1])
        return digest.digest()


def make(examination: Examination, instance: int) -> Made:
    kind, uid = examination.kind, examination.sop_instance_uid(instance)
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = kind.sop_class_uid, uid
    ds.StudyInstanceUID = examination.study_instance_uid
    ds.SeriesInstanceUID = examination.study_instance_uid + ".1"
    ds.StudyDate, ds.StudyTime, ds.Modality = "20260101", "120000", kind.modality
    ds.AccessionNumber, ds.StudyID = f"A{examination.number:06}", str(examination.number)
    ds.PatientName, ds.PatientID = f"TRACE^{examination.number:06}", f"T{examination.number:06}"
    ds.PatientBirthDate, ds.PatientSex, ds.StationName = "19700101", "O", examination.station
    ds.StudyDescription, ds.ReferringPhysicianName = f"{kind.modality} examination", ""
    ds.SeriesNumber, ds.InstanceNumber = 1, instance + 1
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = kind.rows, kind.columns
    ds.BitsAllocated = 8 * kind.bytes_per_pixel
    ds.BitsStored = 12 if kind.bytes_per_pixel == 2 else 8
    ds.HighBit, ds.PixelRepresentation = ds.BitsStored - 1, 0
    header = encode(ds, False, True)
    assert header is not None
    return Made(uid, (header, _pixels(kind)))


@functools.cache
def _pixels(kind: Kind) -> bytes:
    """The element, of noise on a slope: neither empty nor all chance."""
    count = kind.rows * kind.columns
    values = np.linspace(0, 3000 if kind.bytes_per_pixel == 2 else 200, count) + np.random.default_rng(1).normal(
        0, 8, count
    )
    pixels = values.clip(0, 4095 if kind.bytes_per_pixel == 2 else 255).astype(f"<u{kind.bytes_per_pixel}").tobytes()
    vr = b"OW" if kind.bytes_per_pixel == 2 else b"OB"
    return b"\xe0\x7f\x10\x00" + vr + b"\0\0" + len(pixels).to_bytes(4, "little") + pixels
