"""Identifiers and attribute lists between their bytes in a presentation context and pydicom's objects (PS3.7 6.3.1)."""

from __future__ import annotations

import zlib
from io import BytesIO
from typing import Any

from pydicom import DataElement, Dataset
from pydicom.dataelem import empty_value_for_VR
from pydicom.sequence import Sequence
from pydicom.uid import UID
from pynetdicom.dsutils import decode as _decode
from pynetdicom.dsutils import encode as _encode

from engine.dimse.association import Message
from engine.errors import MalformedDataSet
from engine.limits import MIB

_INFLATED_BYTES_MAX = 16 * MIB
Attributes = dict[str, Any]


def decode(message: Message) -> Dataset:
    """The data set of `message`; an empty one where it has none.

    Raises
    ------
    MalformedDataSet : it cannot be read.
    TooLarge : it was longer than identifiers may be.
    """
    if message.error is not None:
        raise message.error
    if message.data is None:
        return Dataset()
    syntax = UID(message.context.transfer_syntax)
    try:
        data: bytes | memoryview = message.data
        if syntax.is_deflated:
            data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(
                data, _INFLATED_BYTES_MAX
            )  # more is cut off, and is malformed
        ds = _decode(BytesIO(data), syntax.is_implicit_VR, syntax.is_little_endian)
        ds.decode()  # every text: what cannot be read has to fail here
    except Exception as error:
        raise MalformedDataSet(f"the data set cannot be read ({type(error).__name__})") from error
    return ds


def from_attributes(attributes: Attributes) -> Dataset:
    """DICOM JSON (PS3.18 annex F) as a data set."""
    ds = Dataset()
    for key, attribute in attributes.items():
        ds.add(element_of(key, attribute))
    return ds


def element_of(key: str, attribute: Attributes) -> DataElement:
    """One attribute of DICOM JSON; without its value where that is none of its VR: an odd number must not cost the whole answer."""
    vr: str = attribute["vr"]
    if vr == "SQ":
        return DataElement(
            int(key, 16), vr, Sequence(from_attributes(item or {}) for item in attribute.get("Value", ()))
        )
    name = next((one for one in ("Value", "InlineBinary") if one in attribute), None)
    try:
        return DataElement.from_json(Dataset, key, vr, attribute[name] if name else "", name)
    except (ValueError, TypeError, ArithmeticError, KeyError, AttributeError):
        return DataElement(int(key, 16), vr, empty_value_for_VR(vr))


def encode(ds: Dataset, transfer_syntax_uid: str) -> bytes:
    """Raises ValueError for values that cannot be encoded; ours can."""
    syntax = UID(transfer_syntax_uid)
    encoded = _encode(ds, syntax.is_implicit_VR, syntax.is_little_endian, syntax.is_deflated)
    if encoded is None:
        raise ValueError("the data set cannot be encoded")
    return bytes(encoded)
