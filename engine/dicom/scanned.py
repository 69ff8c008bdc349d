"""What one pass over the bytes of an instance gives: everything that filing, finding and showing it needs."""

from __future__ import annotations

from dataclasses import dataclass

from engine.dicom.frame import FrameDescriptor
from engine.dicom.frame_table import FrameTable


@dataclass(frozen=True, slots=True)
class Defect:
    """Something odd about an instance that is stored all the same; searchable by `code`."""

    code: str  # kebab-case, listed in dicom/defects.py
    detail: str = ""  # a tag, a number; never a patient's value


@dataclass(frozen=True, slots=True, kw_only=True)
class ScannedInstance:
    """The result of `scan`.

    The ``_json`` fields are DICOM JSON objects (PS3.18 annex F) in UTF-8 with the attributes that the index keeps
    for that level (tables in `dicom/levels.py`), keys in tag order, absent attributes absent.

    Attributes
    ----------
    study_instance_uid, series_instance_uid, sop_instance_uid : str
        As in the data set, stripped of padding; may be odd (`dicom.uid.is_valid` tells) but never empty.
    data_set_offset : int
        Where the data set begins in the Part 10 stream (behind preamble and File Meta).
    header_length : int
        Bytes from the start of the stream that hold everything before the pixel data element's value; reading
        just these is enough for metadata. The whole length for instances without pixels.
    slice_key : bytes
        At most 24 bytes whose byte order is the slice order inside a series (`dicom/geometry.py`).
    frame_descriptor, frame_table
        None for an instance without pixel data, or whose pixels cannot be described (then a defect says why).
    """

    transfer_syntax_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    data_set_offset: int
    header_length: int
    patient_json: bytes
    study_json: bytes
    series_json: bytes
    instance_json: bytes
    slice_key: bytes
    frame_descriptor: FrameDescriptor | None = None
    frame_table: FrameTable | None = None
    defects: tuple[Defect, ...] = ()
