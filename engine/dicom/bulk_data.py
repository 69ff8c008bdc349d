"""An instance without its bulk data: all else of it in Explicit VR Little Endian (PS3.4 Z.1.3)."""

from __future__ import annotations

from collections.abc import Iterator

from engine.dicom.elements import EXPLICIT_LITTLE, Elements, sequence_bytes
from engine.dicom.instance import StoredInstance
from engine.dicom.part10 import file_meta
from engine.dicom.rewrite import Header
from engine.dicom.transfer_syntax import EXPLICIT_VR_LITTLE_ENDIAN
from engine.types import Buffer

# Beside the pixels: their tables, Pixel Data Provider URL, Spectroscopy Data, Encapsulated Document.
_BULK = frozenset((0x7FE00001, 0x7FE00002, 0x7FE00003, 0x00287FE0, 0x56000020, 0x00420011))
_REPEATING = {0x3000: (0x60, 0x50), 0x200C: (0x50,)}  # Overlay and Curve Data, Audio Sample Data
_WAVEFORMS, _WAVEFORM_DATA = 0x54000100, 0x54001010


def without_bulk_data(source: StoredInstance) -> Iterator[Buffer]:
    """The Part 10 stream, with the instance's own UIDs.

    Raises
    ------
    MalformedDataSet, TruncatedDataSet, TooLarge
    """
    header, about = source.header, source.about
    changes: dict[int, bytes | None] = {tag: None for tag in header.tags() if _is_bulk(tag)}
    if _WAVEFORMS in header:
        changes[_WAVEFORMS] = sequence_bytes(
            _WAVEFORMS, *(_without_data(item, header) for item in header.items(_WAVEFORMS))
        )
    yield file_meta(
        sop_class_uid=about.sop_class_uid,
        sop_instance_uid=about.sop_instance_uid,
        transfer_syntax_uid=EXPLICIT_VR_LITTLE_ENDIAN,
    )
    yield from header.rewritten(changes)
    yield source.tail()


def _is_bulk(tag: int) -> bool:
    return tag in _BULK or (tag >> 24 in _REPEATING.get(tag & 0xFFFF, ()) and not tag >> 16 & 1)


def _without_data(item: bytes, header: Header) -> bytes:
    elements = Elements(item, EXPLICIT_LITTLE, header.elements.limits).between(0, len(item))
    return b"".join(item[one.start : one.end] for one in elements if one.tag != _WAVEFORM_DATA)
