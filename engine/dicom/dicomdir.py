"""The Media Storage Directory of a file-set: reading which files it names, and writing one (PS3.3 annex F, PS3.10 section 8)."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

from engine.dicom.dictionary import tag_of
from engine.dicom.late import load_pydicom
from engine.dicom.part10 import file_meta
from engine.dicom.uid import derived_uid
from engine.errors import MalformedDataSet, NotDicom, TooLarge

DICOMDIR_CLASS = "1.2.840.10008.1.3.10"
_EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
_NUMBER_MAX = 999_999  # six of the eight characters of a file ID's component
_STORAGE = "1.2.840.10008.5.1.4.1.1."
# Record types by SOP Class, the longest beginning first (PS3.3 table F.4-1); every other class is listed as an IMAGE.
_TYPES = {
    "4.2": "SPECTROSCOPY",
    "9.": "WAVEFORM",
    "11.": "PRESENTATION",
    "66": "RAW DATA",
    "66.1": "REGISTRATION",
    "66.2": "FIDUCIAL",
    "66.3": "REGISTRATION",
    "66.4": "IMAGE",
    "66.5": "SURFACE",
    "66.6": "TRACT",
    "67": "VALUE MAP",
    "68.": "SURFACE SCAN",
    "77.1.5.3": "STEREOMETRIC",
    "88.": "SR DOCUMENT",
    "88.59": "KEY OBJECT DOC",
    "104.": "ENCAP DOC",
    "481.2": "RT DOSE",
    "481.3": "RT STRUCTURE SET",
    "481.4": "RT TREAT RECORD",
    "481.5": "RT PLAN",
    "481.6": "RT TREAT RECORD",
    "481.7": "RT TREAT RECORD",
    "481.8": "RT PLAN",
    "481.9": "RT TREAT RECORD",
}
_CONTENT = ("ContentDate", "ContentTime", "InstanceNumber")
_LABELLED = (*_CONTENT, "ContentLabel", "ContentDescription", "ContentCreatorName")
# Keys of each type of record (PS3.3 F.5), those that an instance lacks are left empty.
_KEYS: dict[str, tuple[str, ...]] = {
    "PATIENT": ("PatientName", "PatientID"),
    "STUDY": ("StudyDate", "StudyTime", "AccessionNumber", "StudyDescription", "StudyInstanceUID", "StudyID"),
    "SERIES": ("Modality", "SeriesInstanceUID", "SeriesNumber"),
    "IMAGE": ("InstanceNumber",),
    "RT DOSE": ("InstanceNumber", "DoseSummationType"),
    "RT STRUCTURE SET": ("InstanceNumber", "StructureSetLabel", "StructureSetDate", "StructureSetTime"),
    "RT PLAN": ("InstanceNumber", "RTPlanLabel", "RTPlanDate", "RTPlanTime"),
    "RT TREAT RECORD": ("InstanceNumber", "TreatmentDate", "TreatmentTime"),
    "PRESENTATION": ("PresentationCreationDate", "PresentationCreationTime", *_LABELLED[2:]),
    "SR DOCUMENT": (*_CONTENT, "CompletionFlag", "VerificationFlag", "ConceptNameCodeSequence"),
    "KEY OBJECT DOC": (*_CONTENT, "ConceptNameCodeSequence"),
    "ENCAP DOC": (*_CONTENT, "DocumentTitle", "ConceptNameCodeSequence", "MIMETypeOfEncapsulatedDocument"),
    "SPECTROSCOPY": ("ImageType", *_CONTENT, "NumberOfFrames", "Rows", "Columns", "DataPointRows", "DataPointColumns"),
    "WAVEFORM": _CONTENT,
    "RAW DATA": _CONTENT,
    "SURFACE SCAN": ("ContentDate", "ContentTime"),
    **dict.fromkeys(("REGISTRATION", "FIDUCIAL", "VALUE MAP", "STEREOMETRIC", "SURFACE", "TRACT"), _LABELLED),
}
# Where in an encoded record its two offsets are: they are its first and third elements.
_NEXT_AT, _LOWER_AT = 8, 30

Attributes = Mapping[str, Any]


def is_dicomdir(path: Path) -> bool:
    """Whether this is a Media Storage Directory, by its File Meta Information (its name is only a hint)."""
    try:
        with path.open("rb") as file:
            head = file.read(1024)
    except OSError:
        return False
    return head[128:132] == b"DICM" and DICOMDIR_CLASS.encode() in head


def referenced_file_ids(path: Path) -> list[tuple[str, ...]]:
    """The File IDs that a DICOMDIR names, in its order, as they stand there: they may point anywhere.

    Raises
    ------
    NotDicom, MalformedDataSet
    """
    load_pydicom()
    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError

    try:
        records = dcmread(path).get("DirectoryRecordSequence", None) or []
        values = [record.get("ReferencedFileID") for record in records]
    except InvalidDicomError as error:
        raise NotDicom(str(error)) from error
    except (ValueError, TypeError, AttributeError, KeyError, EOFError, RecursionError, struct.error) as error:
        raise MalformedDataSet(f"the directory records cannot be read ({error})") from error
    except NotImplementedError as error:
        raise MalformedDataSet(str(error)) from error
    return [(value,) if isinstance(value, str) else tuple(map(str, value)) for value in values if value]


@dataclass(slots=True)
class _Node:
    """One directory record, its place among its siblings, and what is below it; `is_file`: it refers to one itself."""

    record: bytearray
    number: int
    is_file: bool = False
    children: dict[tuple[str, ...], _Node] = field(default_factory=dict)
    offset: int = 0


class DirectoryWriter:
    """Collects the records of a file-set: Patient, Study, Series and one for each instance; some 300 bytes each are kept."""

    def __init__(self) -> None:
        self._root = _Node(bytearray(), 0)
        self._digest = hashlib.sha256()  # of what is in it: the File-set's own UID

    def file_id(
        self, document: bytes, study_uid: str, series_uid: str, sop_uid: str, transfer_syntax_uid: str = ""
    ) -> tuple[str, ...]:
        """Where the file of an instance goes: ``PT000001/ST000001/SE000001/IM000001``.

        Each component has the eight characters that PS3.10 8.2 allows; the same instances in the same order get the same
        File IDs.

        Parameters
        ----------
        document : the instance's DICOM JSON. Attributes of a patient, study or series are those of its first instance.
        transfer_syntax_uid : of the file, where the document says another one.

        Raises
        ------
        MalformedDataSet, TooLarge
            It cannot be listed.
        """
        attributes: Attributes = json.loads(document)
        patient = (_text(attributes, "PatientID"), _text(attributes, "PatientName"))
        keys = (patient if any(patient) else ("", "", study_uid), (study_uid,), (series_uid,), (sop_uid,))
        given = {"StudyInstanceUID": study_uid, "SeriesInstanceUID": series_uid}
        node = self._root
        parts: list[str] = []
        for key, prefix, kind in zip(keys, ("PT", "ST", "SE", "IM"), ("PATIENT", "STUDY", "SERIES", ""), strict=True):
            child = node.children.get(key)
            if child is None:
                number = len(node.children) + 1
                if number > _NUMBER_MAX:
                    raise TooLarge("the number of records of one kind", number, _NUMBER_MAX, "PS3.10 8.2")
                child = _Node(bytearray(), number, is_file=not kind)
                parts.append(f"{prefix}{number:06d}")
                extra = {} if kind else _reference(attributes, sop_uid, parts, transfer_syntax_uid)
                child.record = _encode(kind or _record_type(attributes), attributes, given, extra)
                node.children[key] = child
            else:
                parts.append(f"{prefix}{child.number:06d}")
            node = child
        self._digest.update(sop_uid.encode("utf_8", "surrogatepass") + b"\0")
        return tuple(parts)

    def drop(self, file_id: Sequence[str]) -> None:
        """Take the record of an instance whose file could not be written out again; its number is not given twice."""
        node = self._root
        path: list[tuple[_Node, tuple[str, ...]]] = []
        for part in file_id:
            key = next(key for key, child in node.children.items() if child.number == int(part[2:]))
            path.append((node, key))
            node = node.children[key]
        path[-1][0].children[path[-1][1]].record = bytearray()

    def write(self, file: BinaryIO) -> None:
        """The DICOMDIR as a Part 10 file; offsets count from its first byte (PS3.3 F.2.2.2)."""
        roots = _listed(self._root)
        meta = file_meta(
            sop_class_uid=DICOMDIR_CLASS,
            sop_instance_uid=derived_uid("file-set", self._digest.hexdigest()),
            transfer_syntax_uid=_EXPLICIT_LITTLE,
        )
        head = [
            struct.pack("<HH2sH", 0x0004, 0x1130, b"CS", 0),
            struct.pack("<HH2sHI", 0x0004, 0x1200, b"UL", 4, 0),
            struct.pack("<HH2sHI", 0x0004, 0x1202, b"UL", 4, 0),
            struct.pack("<HH2sHH", 0x0004, 0x1212, b"US", 2, 0),
        ]
        start = len(meta) + sum(map(len, head)) + 12
        end = _place(roots, start)
        if end - start > 0xFFFF_FFFE:
            raise TooLarge("the DICOMDIR", end - start, 0xFFFF_FFFE, "PS3.5 7.5")
        head[1] = struct.pack("<HH2sHI", 0x0004, 0x1200, b"UL", 4, roots[0].offset if roots else 0)
        head[2] = struct.pack("<HH2sHI", 0x0004, 0x1202, b"UL", 4, roots[-1].offset if roots else 0)
        file.write(meta + b"".join(head) + struct.pack("<HH2sHI", 0x0004, 0x1220, b"SQ", 0, end - start))
        _write(roots, file)


def _listed(node: _Node) -> list[_Node]:
    """The children that have an instance below them."""
    return [child for child in node.children.values() if child.record and (child.is_file or _listed(child))]


def _place(nodes: list[_Node], at: int) -> int:
    """Give every record its offset, depth first, and tell each where its next and its lower one are; returns the end."""
    for node in nodes:
        node.offset = at
        lower = _listed(node)
        at = _place(lower, at + 8 + len(node.record))
        struct.pack_into("<I", node.record, _LOWER_AT, lower[0].offset if lower else 0)
    for node, following in pairwise(nodes):
        struct.pack_into("<I", node.record, _NEXT_AT, following.offset)
    return at


def _write(nodes: list[_Node], file: BinaryIO) -> None:
    for node in nodes:
        file.write(struct.pack("<HHI", 0xFFFE, 0xE000, len(node.record)) + node.record)
        _write(_listed(node), file)


def _record_type(attributes: Attributes) -> str:
    sop_class = _text(attributes, "SOPClassUID")
    if not sop_class.startswith(_STORAGE):
        return "IMAGE"
    rest = sop_class[len(_STORAGE) :]
    fits = [stem for stem in _TYPES if rest == stem or (stem.endswith(".") and rest.startswith(stem))]
    return _TYPES[max(fits, key=len)] if fits else "IMAGE"


def _reference(
    attributes: Attributes, sop_uid: str, file_id: Sequence[str], transfer_syntax_uid: str
) -> dict[str, Any]:
    return {
        "ReferencedFileID": list(file_id),
        "ReferencedSOPClassUIDInFile": _text(attributes, "SOPClassUID"),
        "ReferencedSOPInstanceUIDInFile": sop_uid,
        "ReferencedTransferSyntaxUIDInFile": transfer_syntax_uid or _text(attributes, "AvailableTransferSyntaxUID"),
    }


def _encode(kind: str, attributes: Attributes, given: Mapping[str, str], extra: Mapping[str, Any]) -> bytearray:
    load_pydicom()
    from pydicom import config
    from pydicom.dataset import Dataset
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_dataset

    out = DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = True, False
    try:
        with config.disable_value_validation():  # what an instance says is repeated, be it odd
            record = Dataset()
            for keyword in _KEYS[kind]:
                _copy(record, keyword, attributes)
            for keyword, value in {**{k: v for k, v in given.items() if k in _KEYS[kind]}, **extra}.items():
                setattr(record, keyword, value)
            record.OffsetOfTheNextDirectoryRecord = 0
            record.RecordInUseFlag = 0xFFFF
            record.OffsetOfReferencedLowerLevelDirectoryEntity = 0
            record.DirectoryRecordType = kind
            record.SpecificCharacterSet = "ISO_IR 192"
            write_dataset(out, record, "utf_8")
    except (ValueError, TypeError, AttributeError, KeyError, OverflowError, struct.error) as error:
        reason = f"no {kind} record of a DICOMDIR can be made of it ({type(error).__name__})"
        raise MalformedDataSet(reason) from error
    return bytearray(out.getvalue())


def _copy(record: Any, keyword: str, attributes: Attributes) -> None:
    """One attribute into a pydicom Dataset; empty where the instance lacks it, or has what its VR does not allow."""
    tag = f"{tag_of(keyword):08X}"
    value = attributes.get(tag)
    if value is not None and "BulkDataURI" not in value:
        try:
            record.update(type(record).from_json({tag: value}, lambda *_: None))
            return
        except (ValueError, TypeError, KeyError, AttributeError):
            record.pop(keyword, None)
    setattr(record, keyword, [] if keyword.endswith("Sequence") else None)


def _text(attributes: Attributes, keyword: str) -> str:
    values = attributes.get(f"{tag_of(keyword):08X}", {}).get("Value") or [""]
    value = values[0]
    if isinstance(value, dict):
        return "=".join(str(v) for v in value.values())
    return str(value or "")
