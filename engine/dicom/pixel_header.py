"""What the header says of its pixel data, once they are coded in another way (PS3.3 C.7.6.3)."""

from __future__ import annotations

from engine.dicom.elements import element_bytes
from engine.dicom.frame import FrameDescriptor
from engine.dicom.rewrite import Header

FLOAT_PIXEL_DATA, PIXEL_DATA = 0x7FE00008, 0x7FE00010
_OFFSET_TABLES = (0x7FE00001, 0x7FE00002, 0x7FE00003)  # extended ones, and the value's total length
_PHOTOMETRIC, _PLANAR = 0x00280004, 0x00280006
_BITS_ALLOCATED, _BITS_STORED, _HIGH_BIT = 0x00280100, 0x00280101, 0x00280102


def described_pixels(header: Header, target: FrameDescriptor) -> dict[int, bytes | None]:
    """Changes to a header that make it fit pixel data of `target`; nothing for what is right already."""
    numbers = {_BITS_ALLOCATED: target.bits_allocated, _BITS_STORED: target.bits_stored, _HIGH_BIT: target.high_bit}
    if target.samples_per_pixel > 1:
        numbers[_PLANAR] = target.planar_configuration
    changes: dict[int, bytes | None] = {
        tag: element_bytes(tag, "US", value.to_bytes(2, "little"))
        for tag, value in numbers.items()
        if header.number(tag) != value
    }
    if header.text(_PHOTOMETRIC) != target.photometric_interpretation:
        changes[_PHOTOMETRIC] = element_bytes(_PHOTOMETRIC, "CS", target.photometric_interpretation.encode())
    return changes | {tag: None for tag in _OFFSET_TABLES if tag in header}
