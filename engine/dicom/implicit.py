"""A data set in Implicit VR Little Endian, out of one in Explicit VR Little Endian: for those who take nothing else (PS3.5 A.1)."""

from __future__ import annotations

import struct

from engine.dicom.elements import EXPLICIT_LITTLE, IMPLICIT_LITTLE, Element, Elements
from engine.errors import TooLarge
from engine.limits import Limits
from engine.types import Buffer


def implicit_elements(data: Buffer, limits: Limits) -> bytes:
    """Whole elements, their sequences' items too. The retired group lengths (PS3.5 7.2) would be wrong, and are left out.

    Raises
    ------
    MalformedDataSet, TruncatedDataSet, TooLarge
    """
    elements = Elements(data, EXPLICIT_LITTLE, limits)
    return b"".join(_element(elements, one, 0) for one in elements.between(0, len(data)) if one.tag & 0xFFFF)


def implicit_head(tag: int, length: int) -> bytes:
    """Tag and length."""
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, length)


def _element(elements: Elements, element: Element, depth: int) -> bytes:
    limits = elements.limits
    if depth > limits.sequence_depth_max:
        raise TooLarge("sequence depth", depth, limits.sequence_depth_max, "limits.sequence_depth_max")
    if element.vr == "SQ" or element.is_undefined:
        # Without a length UN is a sequence, and implicit inside already (PS3.5 6.2.2 note 2).
        value = _items(elements, element, depth)
    else:
        value = bytes(elements.data[element.value_at : element.value_end])
    return implicit_head(element.tag, len(value)) + value


def _items(elements: Elements, element: Element, depth: int) -> bytes:
    if element.vr == "UN":
        elements = Elements(elements.data, IMPLICIT_LITTLE, elements.limits)
    items = []
    for at, end in elements.items(element):
        body = b"".join(_element(elements, one, depth + 1) for one in elements.between(at, end) if one.tag & 0xFFFF)
        items.append(struct.pack("<HHI", 0xFFFE, 0xE000, len(body)) + body)
    return b"".join(items)
