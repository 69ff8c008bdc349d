"""Identifiers and attribute lists between their bytes in a presentation context and pydicom's objects (PS3.7 6.3.1)."""

from __future__ import annotations

import zlib
from io import BytesIO

from pydicom import Dataset
from pydicom.uid import UID
from pynetdicom.dsutils import decode as _decode
from pynetdicom.dsutils import encode as _encode

from engine.dimse.association import Message
from engine.errors import MalformedDataSet
from engine.limits import MIB

_INFLATED_BYTES_MAX = 16 * MIB


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


def encode(ds: Dataset, transfer_syntax_uid: str) -> bytes:
    """Raises ValueError for values that cannot be encoded; ours can."""
    syntax = UID(transfer_syntax_uid)
    encoded = _encode(ds, syntax.is_implicit_VR, syntax.is_little_endian, syntax.is_deflated)
    if encoded is None:
        raise ValueError("the data set cannot be encoded")
    return bytes(encoded)
