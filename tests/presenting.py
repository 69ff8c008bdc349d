"""Presentation states and segmentations for tests, made with pydicom, and DCMTK's rendering of them."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from engine.dicom.frame import FrameDescriptor
from engine.dicom.plane import Plane, plane_of
from engine.dicom.presentation import FramePresentation, PresentationState, StateKind
from engine.dicom.presentation_reading import read_presentation
from engine.dicom.scan import scan
from engine.limits import Limits

Array = np.ndarray[Any, Any]
LIMITS = Limits()
IMAGE_UID, SERIES_UID, STUDY_UID, FRAME_OF_REFERENCE_UID = "1.2.3.4.1", "1.2.3.4", "1.2.3", "1.2.3.9"
CT_UID = "1.2.840.10008.5.1.4.1.1.2"

needs_dcmtk = pytest.mark.skipif(shutil.which("dcmp2pgm") is None, reason="dcmp2pgm (Debian: dcmtk) is not installed")
needs_dciodvfy = pytest.mark.skipif(
    shutil.which("dciodvfy") is None, reason="dciodvfy (Debian: dicom3tools) is not installed"
)


def item(**attributes: Any) -> Dataset:
    """An item with these attributes."""
    ds = Dataset()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def code(value: str, scheme: str, meaning: str) -> Dataset:
    return item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def image_reference(uid: str = IMAGE_UID, frames: list[int] | None = None) -> Dataset:
    ds = item(ReferencedSOPClassUID=CT_UID, ReferencedSOPInstanceUID=uid)
    if frames:
        ds.ReferencedFrameNumber = frames
    return ds


def ct_image(values: Array, *, uid: str = IMAGE_UID, bits_stored: int = 16, **attributes: Any) -> Dataset:
    """A CT image that other programs take; `values` (rows, columns) or (frames, rows, columns) of 16 bits."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = CT_UID, uid
    ds.SOPClassUID, ds.SOPInstanceUID = CT_UID, uid
    ds.StudyInstanceUID, ds.SeriesInstanceUID = STUDY_UID, SERIES_UID
    ds.FrameOfReferenceUID = FRAME_OF_REFERENCE_UID
    ds.Modality, ds.PatientName, ds.PatientID = "CT", "DOE^JANE", "P1"
    ds.PatientBirthDate = ds.PatientSex = ds.StudyDate = ds.StudyTime = ds.AccessionNumber = ds.StudyID = ""
    ds.ReferringPhysicianName = ds.Manufacturer = ""
    ds.SeriesNumber, ds.InstanceNumber = 1, 1
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.ImagePositionPatient, ds.ImageOrientationPatient = [0, 0, 0], [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing, ds.SliceThickness = [1, 1], 1
    ds.Rows, ds.Columns = values.shape[-2:]
    if values.ndim == 3:
        ds.NumberOfFrames = len(values)
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, bits_stored, bits_stored - 1
    ds.PixelRepresentation = int(values.dtype.kind == "i")
    ds.RescaleIntercept, ds.RescaleSlope = 0, 1
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    ds.PixelData = np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<")).tobytes()
    return ds


def state_of(image: Dataset, kind: StateKind = StateKind.GRAYSCALE, **attributes: Any) -> Dataset:
    """A presentation state for one image: no rescale, no window, all of it."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = str(kind), "1.2.3.5.1"
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID, ds.SOPInstanceUID = str(kind), "1.2.3.5.1"
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyDate"):
        setattr(ds, keyword, image.get(keyword))
    ds.StudyTime = ds.AccessionNumber = ds.StudyID = ds.ReferringPhysicianName = ""
    ds.SeriesInstanceUID, ds.SeriesNumber, ds.InstanceNumber, ds.Modality = "1.2.3.5", 2, 1, "PR"
    ds.Manufacturer, ds.Laterality = "none", ""
    ds.ContentLabel, ds.ContentDescription, ds.ContentCreatorName = "TEST", "", ""
    ds.PresentationCreationDate, ds.PresentationCreationTime = "20200131", "120000"
    reference = item(ReferencedSOPClassUID=image.SOPClassUID, ReferencedSOPInstanceUID=image.SOPInstanceUID)
    ds.ReferencedSeriesSequence = [item(SeriesInstanceUID=image.SeriesInstanceUID, ReferencedImageSequence=[reference])]
    ds.DisplayedAreaSelectionSequence = [area((1, 1), (int(image.Columns), int(image.Rows)))]
    if kind is StateKind.GRAYSCALE:
        ds.PresentationLUTShape = "IDENTITY"
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def area(top_left: tuple[int, int], bottom_right: tuple[int, int], **attributes: Any) -> Dataset:
    ds = item(
        DisplayedAreaTopLeftHandCorner=list(top_left),
        DisplayedAreaBottomRightHandCorner=list(bottom_right),
        PresentationSizeMode="SCALE TO FIT",
        PresentationPixelAspectRatio=[1, 1],
    )
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    if "PresentationPixelSpacing" in attributes:
        del ds.PresentationPixelAspectRatio
    return ds


def window(center: float, width: float, function: str = "") -> Dataset:
    ds = item(WindowCenter=center, WindowWidth=width)
    if function:
        ds.VOILUTFunction = function
    return ds


def lut_item(first: int, entries: Array, bits: int = 16, *, signed: bool = False) -> Dataset:
    """An item of a LUT sequence with its entries in words."""
    ds = Dataset()
    ds.add_new("LUTDescriptor", "SS" if signed else "US", [len(entries), first, bits])
    ds.add_new("LUTData", "OW", entries.astype("<u2").tobytes())
    return ds


def written(ds: Dataset) -> bytes:
    """Part 10 bytes."""
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def reread(ds: Dataset) -> Dataset:
    """As it comes from a file: with raw elements and inherited character sets."""
    return pydicom.dcmread(io.BytesIO(written(ds)))


def read(ds: Dataset) -> PresentationState:
    return read_presentation(reread(ds), LIMITS)


def for_frame(ds: Dataset, uid: str = IMAGE_UID, frame_number: int = 1) -> FramePresentation:
    state = read(ds).for_frame(uid, frame_number)
    assert state is not None
    return state


def descriptor_of(image: Dataset) -> FrameDescriptor:
    found = scan(written(image), LIMITS).frame_descriptor
    assert found is not None
    return found


def by_dcmtk(image: Dataset, state: Dataset, folder: Path, frame_number: int = 1) -> Array:
    """Grey of ``dcmp2pgm``: modality, VOI and presentation LUT, rotation and flip; no shutter, area or annotation."""
    (folder / "image.dcm").write_bytes(written(image))
    (folder / "state.dcm").write_bytes(written(state))
    run = subprocess.run(
        ["dcmp2pgm", "-f", str(frame_number), "-p", folder / "state.dcm", folder / "image.dcm", folder / "out.pgm"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0 and (folder / "out.pgm").exists(), run.stderr
    head, pixels = (folder / "out.pgm").read_bytes().split(b" 255\n", 1)
    width, height = (int(n) for n in head.split()[1:3])
    return np.frombuffer(pixels, np.uint8).reshape(height, width)


def complaints(ds: Dataset, folder: Path) -> list[str]:
    """Errors that ``dciodvfy`` reports."""
    path = folder / "check.dcm"
    path.write_bytes(written(ds))
    run = subprocess.run(["dciodvfy", "-new", path], capture_output=True, text=True, timeout=60, check=False)
    return [line for line in (run.stdout + run.stderr).splitlines() if line.startswith("Error")]


SEGMENT_ROWS, SEGMENT_COLUMNS = 6, 8


def segmentation_of(
    kind: str = "BINARY",
    *,
    planes: tuple[float, ...] = (0.0, 1.0),
    segments: tuple[int, ...] = (1, 2),
    sources: bool = True,
    spacing: tuple[float, float] = (1.0, 1.0),
    values: Array | None = None,
) -> Dataset:
    """A frame for each segment in each of the planes (z in mm), made from images ``IMAGE_UID`` and ``….2`` at these places."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    uid = "1.2.840.10008.5.1.4.1.1.66.7" if kind == "LABELMAP" else "1.2.840.10008.5.1.4.1.1.66.4"
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = uid, "1.2.3.6.1"
    ds.SOPClassUID, ds.SOPInstanceUID, ds.Modality = uid, "1.2.3.6.1", "SEG"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = STUDY_UID, "1.2.3.6"
    ds.PatientName, ds.PatientID = "DOE^JANE", "P1"
    ds.PatientBirthDate = ds.PatientSex = ds.StudyDate = ds.StudyTime = ds.AccessionNumber = ds.StudyID = ""
    ds.ReferringPhysicianName = ds.PositionReferenceIndicator = ds.ContentDescription = ds.ContentCreatorName = ""
    ds.Manufacturer = ds.ManufacturerModelName = ds.DeviceSerialNumber = ds.SoftwareVersions = "none"
    ds.SeriesNumber, ds.InstanceNumber, ds.ContentLabel = 3, 1, "SEGMENTATION"
    ds.ContentDate, ds.ContentTime, ds.ImageType = "20200131", "120000", ["DERIVED", "PRIMARY"]
    ds.LossyImageCompression, ds.SegmentsOverlap = "00", "YES"
    ds.FrameOfReferenceUID = FRAME_OF_REFERENCE_UID
    dimensions = "1.2.3.7"
    ds.DimensionOrganizationSequence = [item(DimensionOrganizationUID=dimensions)]
    ds.DimensionIndexSequence = [
        item(DimensionOrganizationUID=dimensions, DimensionIndexPointer=pointer, FunctionalGroupPointer=group)
        for pointer, group in ((0x0062000B, 0x0062000A), (0x00200032, 0x00209113))
    ]
    reference = [image_reference(IMAGE_UID if i == 0 else f"{SERIES_UID}.{i + 1}") for i in range(len(planes))]
    ds.ReferencedSeriesSequence = [item(SeriesInstanceUID=SERIES_UID, ReferencedInstanceSequence=reference)]
    ds.SegmentationType, ds.Rows, ds.Columns = kind, SEGMENT_ROWS, SEGMENT_COLUMNS
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    ds.BitsAllocated = ds.BitsStored = 1 if kind == "BINARY" else 8
    ds.HighBit = ds.BitsStored - 1
    if kind == "FRACTIONAL":
        ds.SegmentationFractionalType, ds.MaximumFractionalValue = "PROBABILITY", 200
    ds.SegmentSequence = [
        item(SegmentNumber=n, SegmentLabel=f"segment {n}", SegmentAlgorithmType="MANUAL",
             SegmentedPropertyCategoryCodeSequence=[code("85756007", "SCT", "Tissue")],
             SegmentedPropertyTypeCodeSequence=[code("10200004", "SCT", "Liver")])
        for n in segments
    ]  # fmt: skip
    ds.SegmentSequence[0].RecommendedDisplayCIELabValue = [0xFFFF, 0x8080, 0x8080]
    measures = item(PixelSpacing=list(spacing), SliceThickness=1)
    orientation = item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    ds.SharedFunctionalGroupsSequence = [item(PixelMeasuresSequence=[measures], PlaneOrientationSequence=[orientation])]
    groups = []
    for number in (0,) if kind == "LABELMAP" else segments:
        for index, z in enumerate(planes):
            group = item(PlanePositionSequence=[item(ImagePositionPatient=[0, 0, z])])
            group.FrameContentSequence = [item(DimensionIndexValues=[max(number, 1), index + 1])]
            if number:
                group.SegmentIdentificationSequence = [item(ReferencedSegmentNumber=number)]
            if sources:
                source = image_reference(IMAGE_UID if index == 0 else f"{SERIES_UID}.{index + 1}")
                source.PurposeOfReferenceCodeSequence = [
                    code("121322", "DCM", "Source image for image processing operation")
                ]
                derivation = item(SourceImageSequence=[source])
                derivation.DerivationCodeSequence = [code("113076", "DCM", "Segmentation")]
                group.DerivationImageSequence = [derivation]
            groups.append(group)
    ds.PerFrameFunctionalGroupsSequence, ds.NumberOfFrames = groups, len(groups)
    if values is None:
        values = np.zeros((len(groups), SEGMENT_ROWS, SEGMENT_COLUMNS), np.uint8)
    packed = np.packbits(values.ravel(), bitorder="little") if kind == "BINARY" else values
    ds.PixelData = packed.tobytes() + b"\0" * (packed.nbytes % 2)
    return ds


def plane_at(z: float, frame_of_reference_uid: str = FRAME_OF_REFERENCE_UID) -> Plane:
    found = plane_of(frame_of_reference_uid, (0.0, 0.0, z), (1.0, 0, 0, 0, 1.0, 0), (1.0, 1.0))
    assert found is not None
    return found
