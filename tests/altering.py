"""Instances with more in their header than the makers put in: read, changed and written by pydicom."""

from __future__ import annotations

import io
from typing import Any

import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

STUDY, SERIES = "1.2.3", "1.2.3.4"


def with_attributes(content: bytes, **attributes: Any) -> bytes:
    """The instance with these attributes, by keyword."""
    ds = pydicom.dcmread(io.BytesIO(content))
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return part10(ds)


def part10(ds: FileDataset) -> bytes:
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


def document(
    body: bytes, sop_class: str, sop: str, *, series: str = SERIES, study: str = STUDY, **attributes: Any
) -> bytes:
    """An encapsulated document."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = sop_class, sop
    ds = FileDataset("", Dataset(), file_meta=meta, preamble=bytes(128))
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, sop
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study, series
    ds.PatientName, ds.PatientID, ds.Modality = "DOE^JANE", "P1", "DOC"
    ds.InstanceNumber = 1
    ds.EncapsulatedDocument = body + bytes(len(body) % 2)
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return part10(ds)
