"""Instances with display attributes, made by pydicom, and the picture that the program makes of one."""

from __future__ import annotations

import copy
import io
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from engine.codec.registry import decode_frame
from engine.dicom.display import DisplayHeader, read_header
from engine.dicom.frame import FrameDescriptor
from engine.dicom.frame_table import join_fragments
from engine.dicom.scan import scan
from engine.imaging.plan import needs_header, plan
from engine.imaging.render import render
from engine.imaging.spec import RenderSpec
from engine.limits import Limits

Array = np.ndarray[Any, Any]
LIMITS = Limits()
ENCODINGS = {"explicit": ExplicitVRLittleEndian, "implicit": ImplicitVRLittleEndian, "big": ExplicitVRBigEndian}
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


def image(values: Array, modality: str = "OT", photometric: str = "MONOCHROME2", **attributes: Any) -> FileDataset:
    """An instance of (frames,) rows, columns (, 3) integer pixels; `attributes` are set on it as they are."""
    samples = 3 if values.shape[-1] == 3 and photometric not in ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR") else 1
    shape = values.shape if samples == 1 else values.shape[:-1]
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SECONDARY_CAPTURE
    meta.MediaStorageSOPInstanceUID = "1.2.3.4.1"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    ds.SOPClassUID, ds.SOPInstanceUID = SECONDARY_CAPTURE, "1.2.3.4.1"
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.Modality = "1.2.3", "1.2.3.4", modality
    ds.PatientID, ds.PatientName = "P1", "DOE^JANE"
    ds.SamplesPerPixel, ds.PhotometricInterpretation = samples, photometric
    ds.Rows, ds.Columns = shape[-2:]
    if len(shape) == 3:
        ds.NumberOfFrames = shape[0]
    ds.BitsAllocated = ds.BitsStored = 8 * values.dtype.itemsize
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = int(values.dtype.kind == "i")
    if samples == 3:
        ds.PlanarConfiguration = 0
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    if "BitsStored" in attributes and "HighBit" not in attributes:
        ds.HighBit = ds.BitsStored - 1
    ds.PixelData = values.tobytes() + bytes(values.nbytes % 2)
    ds["PixelData"].VR = "OW" if values.dtype.itemsize > 1 else "OB"
    return ds


def lut_item(first: int, values: Array, bits: int, explanation: str = "", vr: str = "US") -> Dataset:
    """An item of a LUT sequence; the descriptor's 0 stands for 65 536 entries."""
    item = Dataset()
    item.add_new("LUTDescriptor", "SS" if first < 0 else "US", [len(values) & 0xFFFF, first, bits])
    if explanation:
        item.LUTExplanation = explanation
    data = values.astype("<u2")
    item.add_new("LUTData", vr, data.tolist() if vr == "US" else data.tobytes())
    return item


def add_palette(ds: Dataset, rgb: Array, first: int = 0, bits: int = 16) -> None:
    """Palette tables of (entries, 3) values."""
    for index, colour in enumerate(("Red", "Green", "Blue")):
        name = f"{colour}PaletteColorLookupTable"
        ds.add_new(f"{name}Descriptor", "SS" if first < 0 else "US", [len(rgb) & 0xFFFF, first, bits])
        column = rgb[:, index].astype("<u2" if bits > 8 else "u1").tobytes()
        ds.add_new(f"{name}Data", "OW", column + bytes(len(column) % 2))


def part10(ds: FileDataset, encoding: str = "explicit") -> bytes:
    """As a file of one of `ENCODINGS`. Words of OW are swapped here, which pydicom leaves to its caller."""
    ds = copy.deepcopy(ds)
    ds.file_meta.TransferSyntaxUID = ENCODINGS[encoding]
    if encoding == "big":
        _swap(ds)
    buffer = io.BytesIO()
    dcmwrite(buffer, ds, enforce_file_format=True)
    return buffer.getvalue()


def _swap(ds: Dataset) -> None:
    for element in ds:
        if element.VR == "SQ":
            for item in element.value:
                _swap(item)
        elif element.VR == "OW":
            element.value = np.frombuffer(element.value, "<u2").astype(">u2").tobytes()


def header_of(content: bytes) -> tuple[FrameDescriptor, DisplayHeader]:
    """Descriptor and display attributes of an instance, whether or not a plan would ask for them."""
    scanned = scan(content, LIMITS)
    assert scanned.frame_descriptor is not None
    data_set = memoryview(content)[scanned.data_set_offset :]
    return scanned.frame_descriptor, read_header(data_set, scanned.frame_descriptor, LIMITS)


def picture(content: bytes, spec: RenderSpec = RenderSpec(), frame_index: int = 0) -> Array:  # noqa: B008 - frozen
    """What the program shows of one frame: scanned, decoded, planned and rendered as the server does it."""
    scanned = scan(content, LIMITS)
    d, table = scanned.frame_descriptor, scanned.frame_table
    assert d is not None and table is not None, scanned.defects
    header = None
    if needs_header(d, spec):
        header = read_header(memoryview(content)[scanned.data_set_offset : scanned.header_length], d, LIMITS)
    span = table[frame_index]
    code = join_fragments(memoryview(content)[span.offset : span.offset + span.length], span.fragment_count)
    decoded = decode_frame(d, code, LIMITS, first_bit=span.first_bit)
    what = plan(d, frame_index, decoded.photometric_interpretation, spec, LIMITS, header)
    return render(what, decoded.stored_values)
