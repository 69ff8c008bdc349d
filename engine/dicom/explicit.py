"""A data set in Explicit VR Little Endian, whatever it was written in (PS3.5 annex A): no value changes but for its byte order."""

from __future__ import annotations

import struct

import numpy as np

from engine.dicom.dictionary import vr_of
from engine.dicom.elements import IMPLICIT_LITTLE, Element, Elements, Encoding, element_head
from engine.errors import MalformedDataSet, TooLarge, TruncatedDataSet

PIXEL_REPRESENTATION = 0x00280103
# Tags of VR "US or SS": Pixel Representation says which (PS3.5 A.1 note, PS3.6); their bytes are the same.
_US_OR_SS = frozenset(
    (
        *(0x00189810, 0x00221452, 0x00280071, 0x00280110, 0x00280111, 0x00280120, 0x00280121, 0x00283002),
        *(*range(0x00280104, 0x0028010A), *range(0x00281100, 0x00281104), *range(0x00281111, 0x00281114)),
        *(0x00409211, 0x00409216, 0x00603004, 0x00603006),
    )
)
_WORD_BYTES = {
    **dict.fromkeys(("AT", "OW", "SS", "US"), 2),
    **dict.fromkeys(("FL", "OF", "OL", "SL", "UL"), 4),
    **dict.fromkeys(("FD", "OD", "OV", "SV", "UV"), 8),
}


def explicit_element(elements: Elements, element: Element, is_signed: bool, depth: int = 0) -> bytes:
    """One element in Explicit VR Little Endian, its sequences' items too.

    Parameters
    ----------
    is_signed : Pixel Representation of the data set that it stands in.

    Raises
    ------
    MalformedDataSet, TruncatedDataSet, TooLarge
    """
    if depth > elements.limits.sequence_depth_max:
        raise TooLarge("sequence depth", depth, elements.limits.sequence_depth_max, "limits.sequence_depth_max")
    vr = element.vr or implicit_vr(element.tag, is_signed)
    if vr == "UN" and element.is_undefined:
        # Nothing but a sequence has no length; inside UN it is implicit (PS3.5 6.2.2 note 2).
        inner = IMPLICIT_LITTLE if element.vr == "UN" else elements.encoding
        return _sequence(elements, element, inner, is_signed, depth)
    if vr == "SQ":
        try:
            return _sequence(elements, element, elements.encoding, is_signed, depth)
        except (MalformedDataSet, TruncatedDataSet):
            if element.vr or element.is_undefined:
                raise
            vr = "UN"  # PS3.6 calls it a sequence, its sender did not: the bytes are kept as they are
    value = bytes(elements.data[element.value_at : element.value_end])
    if elements.encoding.is_big_endian:
        value = swapped(value, _WORD_BYTES.get(vr, 1))
    if len(value) % 2:
        value += b"\0" if vr in ("UI", "OB", "UN") else b" "
    return element_head(element.tag, vr, len(value)) + value


def implicit_vr(tag: int, is_signed: bool) -> str:
    """The VR that PS3.6 gives a tag of an implicit data set; ``UN`` for what only its maker knows (PS3.5 6.2.2)."""
    group, number = tag >> 16, tag & 0xFFFF
    if number == 0:
        return "UL"
    if group & 1:
        return "LO" if 0x10 <= number <= 0xFF else "UN"
    if tag in _US_OR_SS:
        return "SS" if is_signed else "US"
    if group & 0xFF00 in (0x5000, 0x6000):  # repeating groups
        tag = (group & 0xFF00) << 16 | number
    # Lookup table data may be longer than US has room for; OW are the same bytes.
    return "OW" if tag == 0x00281200 else vr_of(tag)


def swapped(value: bytes, word_bytes: int) -> bytes:
    """Words of 2, 4 or 8 bytes in the other byte order; what is left over at the end stays as it is."""
    if word_bytes == 1:
        return value
    whole = len(value) - len(value) % word_bytes
    return (
        np.frombuffer(value, f">u{word_bytes}", whole // word_bytes).astype(f"<u{word_bytes}").tobytes() + value[whole:]
    )


def pixel_representation(elements: Elements, at: int, end: int, encoding: Encoding, inherited: bool) -> bool:
    """Whether the data set from `at` to `end` has signed pixels; `inherited` where it does not say."""
    for element in elements.between(at, end, until_pixels=True, encoding=encoding):
        if element.tag == PIXEL_REPRESENTATION and element.value_end - element.value_at >= 2:
            order = ">H" if encoding.is_big_endian else "<H"
            return bool(struct.unpack_from(order, elements.data, element.value_at)[0])
        if element.tag > PIXEL_REPRESENTATION:
            break
    return inherited


def _sequence(elements: Elements, element: Element, encoding: Encoding, is_signed: bool, depth: int) -> bytes:
    inside = elements if encoding == elements.encoding else Elements(elements.data, encoding, elements.limits)
    items = []
    for at, end in inside.items(element):
        signed = pixel_representation(inside, at, end, encoding, is_signed)
        body = b"".join(
            explicit_element(inside, one, signed, depth + 1) for one in inside.between(at, end) if one.tag & 0xFFFF
        )
        items.append(struct.pack("<HHI", 0xFFFE, 0xE000, len(body)) + body)
    value = b"".join(items)
    return element_head(element.tag, "SQ", len(value)) + value
