"""Data sets from any door as DICOM JSON of one form: by way of their bytes, so that the one scanner reads all (PS3.18 annex F)."""

from __future__ import annotations

import json
from typing import Any

from engine.dicom.json_encoding import Encoder
from engine.dicom.part10 import file_meta
from engine.dicom.scan import dicom_json
from engine.dicom.transfer_syntax import EXPLICIT_VR_LITTLE_ENDIAN
from engine.errors import MalformedDataSet, TooLarge
from engine.limits import Limits
from engine.types import Buffer

Attributes = dict[str, Any]
_LIMIT = "limits.json_value_bytes_max"

# Specific Character Set (all text is UTF-8 here), SOP Class and Instance UID, Available Transfer Syntax UID: of a file or a
# message, not of what it is about.
_OF_THE_MESSAGE = ("00080005", "00080016", "00080018", "00083002")


def from_json(attributes: Attributes, limits: Limits) -> Attributes:
    """What a client sent as DICOM JSON, checked and in the form in which everything is kept.

    Raises
    ------
    MalformedDataSet, TooLarge
    """
    encoded = b"".join(
        piece
        for _, pieces in Encoder(_refused, limits).elements(attributes)
        for piece in pieces
        if isinstance(piece, bytes)  # gaps were refused
    )
    return from_data_set(encoded, EXPLICIT_VR_LITTLE_ENDIAN, limits)


def from_data_set(data_set: Buffer, transfer_syntax_uid: str, limits: Limits) -> Attributes:
    """A data set as a DIMSE message carries it.

    Raises
    ------
    TruncatedDataSet, MalformedDataSet, TooLarge
    """
    if not len(data_set):
        return {}
    meta = file_meta(sop_class_uid="", sop_instance_uid="", transfer_syntax_uid=transfer_syntax_uid)
    return from_part10(meta + bytes(data_set), limits)


def from_part10(content: Buffer, limits: Limits) -> Attributes:
    """A file, with File Meta Information or without.

    Raises
    ------
    NotDicom, TruncatedDataSet, MalformedDataSet, TooLarge
    """
    document = dicom_json(content, limits, "")
    if b'"BulkDataURI"' in document:  # inside a text the quotation marks would have backslashes
        raise TooLarge("a value", limits.json_value_bytes_max + 1, limits.json_value_bytes_max, _LIMIT)
    found: Attributes = json.loads(document)
    return {key: value for key, value in found.items() if key not in _OF_THE_MESSAGE}


def _refused(uri: str) -> int:
    raise MalformedDataSet(f"values must be in the document itself, not at {uri[:200]!r}")
