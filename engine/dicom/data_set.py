"""Stored bytes as a pydicom data set, whatever their transfer syntax; for what is read seldom and whole (PS3.5 section 7)."""

from __future__ import annotations

import io
import zlib
from typing import TYPE_CHECKING

from engine.dicom.attributes import guarded
from engine.dicom.late import load_pydicom
from engine.dicom.transfer_syntax import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from engine.errors import MalformedDataSet
from engine.types import Buffer

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_PIXELS = 0x7FE00000


def read_data_set(
    data_set: Buffer, transfer_syntax_uid: str, bytes_max: int, tags: tuple[int, ...] | None = None
) -> Dataset:
    """The elements in front of the pixels. Any thread; a millisecond, and a second for each megabyte of small items.

    Parameters
    ----------
    data_set : from its first element (`InstanceRecord.data_set_offset`) up to the pixels or further.
    bytes_max : of a deflated one that are inflated.
    tags : only these, of the top level; None: all.

    Raises
    ------
    MalformedDataSet
    """
    load_pydicom()
    from pydicom.filereader import read_dataset

    uid = transfer_syntax_uid
    if uid == DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN:
        try:
            # What stands in front of the pixels is at its start.
            data_set = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data_set, bytes_max)
        except zlib.error as error:
            raise MalformedDataSet(f"the deflated data set cannot be inflated ({error})") from None
    return guarded(
        "the data set",
        lambda: read_dataset(
            io.BytesIO(data_set),
            uid == IMPLICIT_VR_LITTLE_ENDIAN,
            uid != EXPLICIT_VR_BIG_ENDIAN,
            stop_when=lambda tag, vr, length: tag >= _PIXELS,
            specific_tags=None if tags is None else list(tags),
        ),
    )
