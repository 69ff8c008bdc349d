"""A study as viewers meet it: a CT series, its segmentation, a multi-frame image and a PDF, all made by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
from pictures import image, part10
from presenting import code, image_reference, item, segmentation_of
from pydicom import FileDataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import EncapsulatedPDFStorage, ExplicitVRLittleEndian, UltrasoundMultiFrameImageStorage

ROOT = Path(__file__).resolve().parents[1]
OHIF = ROOT / "build" / "clients" / "ohif"
LIBRARIES = ROOT / "build" / "clients" / "node_modules"

STUDY, CT_SERIES, SEG_SERIES, PDF_SERIES, US_SERIES = "1.2.40", "1.2.40.1", "1.2.40.2", "1.2.40.3", "1.2.40.4"
FRAME_OF_REFERENCE = "1.2.40.9"
SIDE, SLICES = 128, 12
PATIENT = "Nightingale^Florence"
BONE, WATER, AIR = 1000, 40, -1000


def _describe(ds: FileDataset, series: str, number: int, description: str) -> None:
    ds.StudyInstanceUID, ds.SeriesInstanceUID = STUDY, series
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = PATIENT, "N1820", "18200512", "F"
    ds.StudyDate, ds.StudyTime, ds.StudyID, ds.AccessionNumber = "20240229", "101500", "1", "A1"
    ds.StudyDescription, ds.SeriesDescription, ds.SeriesNumber = "Thorax for viewers", description, number


def disk(index: int) -> np.ndarray:
    """Where the bright disk is in a slice: it wanders from left to right and is smaller than the one around it."""
    y, x = np.mgrid[:SIDE, :SIDE]
    return np.hypot(x - (40 + 4 * index), y - 64) < 10


def ct_slice(index: int) -> FileDataset:
    """A disk of bone in a disk of water, with every tag that volumes and windows need."""
    y, x = np.mgrid[:SIDE, :SIDE]
    values = np.where(np.hypot(x - 64, y - 64) < 50, WATER, AIR)
    values[disk(index)] = BONE
    ds = image((values + 1024).astype(np.uint16), "CT")
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"{CT_SERIES}.{index + 1}"
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    _describe(ds, CT_SERIES, 1, "Disk")
    ds.InstanceNumber, ds.FrameOfReferenceUID = index + 1, FRAME_OF_REFERENCE
    ds.ImageType, ds.AcquisitionNumber, ds.KVP = ["ORIGINAL", "PRIMARY", "AXIAL"], 1, "120"
    ds.ImagePositionPatient, ds.ImageOrientationPatient = [-128, -128, 3 * index], [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing, ds.SliceThickness, ds.SpacingBetweenSlices = [2, 2], 3, 3
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = -1024, 1, "HU"
    ds.WindowCenter, ds.WindowWidth = 40, 400
    return ds


def segmentation() -> FileDataset:
    """The bright disk of every slice as one binary segment."""
    sources = [image_reference(f"{CT_SERIES}.{i + 1}") for i in range(SLICES)]
    masks = np.stack([disk(i) for i in range(SLICES)]).astype(np.uint8)
    ds = segmentation_of(planes=tuple(3.0 * i for i in range(SLICES)), segments=(1,), values=masks, spacing=(2.0, 2.0))
    ds.Rows = ds.Columns = SIDE
    ds.FrameOfReferenceUID, ds.SegmentsOverlap = FRAME_OF_REFERENCE, "NO"
    ds.SegmentSequence[0].SegmentLabel = "Wandering disk"
    ds.SegmentSequence[0].RecommendedDisplayCIELabValue = [
        34734,
        53456,
        50115,
    ]  # red: L 53, a 80, b 67 (PS3.3 C.10.7.1.1)
    ds.ReferencedSeriesSequence = [item(SeriesInstanceUID=CT_SERIES, ReferencedInstanceSequence=sources)]
    for index, group in enumerate(ds.PerFrameFunctionalGroupsSequence):
        group.PlanePositionSequence[0].ImagePositionPatient = [-128, -128, 3 * index]
        source = group.DerivationImageSequence[0].SourceImageSequence[0]
        source.ReferencedSOPInstanceUID = sources[index].ReferencedSOPInstanceUID
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"{SEG_SERIES}.1"
    _describe(ds, SEG_SERIES, 2, "Segments")
    return ds


def pdf_of(text: str) -> bytes:
    """A PDF of one page that says `text` in large letters; its table of objects is right."""
    content = f"BT /F1 48 Tf 40 700 Td ({text}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    # A remark makes it too long for the metadata to hold it: viewers have to fetch it as bulk data.
    body, places = b"%PDF-1.4\n%" + b"-" * 100_000 + b"\n", []
    for number, one in enumerate(objects, 1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, one)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return body + (
        b"xref\n0 6\n0000000000 65535 f \n%strailer << /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
        % (table, len(body))
    )


def document() -> FileDataset:
    """An Encapsulated PDF (PS3.3 A.45.1)."""
    ds = FileDataset("", {}, file_meta=FileMetaDataset(), preamble=b"\0" * 128)
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = EncapsulatedPDFStorage
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"{PDF_SERIES}.1"
    _describe(ds, PDF_SERIES, 3, "Report")
    ds.Modality, ds.InstanceNumber, ds.ConversionType, ds.BurnedInAnnotation = "DOC", 1, "WSD", "NO"
    ds.DocumentTitle, ds.MIMETypeOfEncapsulatedDocument = "Report", "application/pdf"
    ds.ConceptNameCodeSequence = [code("18748-4", "LN", "Diagnostic Imaging Report")]
    content = pdf_of("All is well")
    ds.EncapsulatedDocumentLength = len(content)
    ds.EncapsulatedDocument = content + b"\0" * (len(content) % 2)
    return ds


def multi_frame() -> FileDataset:
    """Ultrasound of five frames, each with as many bright bars as its number."""
    frames = np.full((5, SIDE, SIDE), 30, np.uint8)
    for index in range(5):
        for bar in range(index + 1):
            frames[index, 20:108, 10 + 24 * bar : 22 + 24 * bar] = 230
    ds = image(frames, "US", NumberOfFrames=5, FrameTime="200", FrameIncrementPointer=0x00181063)
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"{US_SERIES}.1"
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = UltrasoundMultiFrameImageStorage
    _describe(ds, US_SERIES, 4, "Five frames")
    ds.InstanceNumber = 1
    return ds


def viewers_study() -> list[bytes]:
    """Part 10 bytes of the whole study."""
    return [part10(ds) for ds in (*map(ct_slice, range(SLICES)), segmentation(), document(), multi_frame())]


def borrowed(name: str, series: str) -> bytes:
    """A document of pydicom's, as one of our patient's."""
    ds = dcmread(Path(pydicom.__file__).parent / "data" / "test_files" / name)
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID = STUDY, series, f"{series}.1"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = "Nightingale^Florence", "N1820", "18200512", "F"
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    return part10(ds)
