"""The elements of a data set one by one, as places in its bytes, in every encoding of PS3.5 section 7; and new ones as bytes.

What must be known of values the native scanner reads; this is for who copies a data set and changes little of it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from engine.errors import MalformedDataSet, TooLarge, TruncatedDataSet
from engine.limits import Limits
from engine.types import Buffer

ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
PIXEL_TAGS = frozenset((0x7FE00008, 0x7FE00009, 0x7FE00010))
UNDEFINED = 0xFFFF_FFFF
# VRs with a 32-bit length (PS3.5 table 7.1-1).
LONG_VRS = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"))


@dataclass(frozen=True, slots=True)
class Encoding:
    """How elements are written; ``explicit`` and ``little`` in everything this program writes."""

    is_explicit: bool = True
    is_big_endian: bool = False


EXPLICIT_LITTLE, IMPLICIT_LITTLE = Encoding(), Encoding(is_explicit=False)


@dataclass(frozen=True, slots=True)
class Element:
    """Where an element is.

    Attributes
    ----------
    vr : "" in implicit VR.
    start, value_at, end : of the tag, of the value, behind all of it (delimiters too).
    value_end : behind the value, in front of a delimiter.
    is_undefined : its length is, so that a delimiter ends it.
    """

    tag: int
    vr: str
    start: int
    value_at: int
    value_end: int
    end: int
    is_undefined: bool = False


class Elements:
    """Reads one data set that is in memory; one thread.

    Raises (while iterating)
    ------------------------
    MalformedDataSet, TruncatedDataSet, TooLarge
    """

    def __init__(self, data: Buffer, encoding: Encoding, limits: Limits) -> None:
        self.data, self.encoding, self.limits = data, encoding, limits
        self._count = 0

    def between(
        self, at: int, end: int, *, until_pixels: bool = False, encoding: Encoding | None = None
    ) -> Iterator[Element]:
        """Elements from `at` to `end`.

        `until_pixels`: the pixel data element is the last, whether its value is there or not; its `end` is where that begins.
        """
        encoding = encoding or self.encoding
        while at < end:
            element = self._element(at, end, encoding, until_pixels, 0)
            yield element
            if until_pixels and element.tag in PIXEL_TAGS:
                return
            at = element.end

    def items(self, element: Element, *, encoding: Encoding | None = None) -> Iterator[tuple[int, int]]:
        """Start and end of the data set in each item of a sequence."""
        encoding = encoding or self.encoding
        at = element.value_at
        while at < element.value_end:
            tag, length = self._item_head(at, element.value_end, encoding)
            if tag != ITEM:
                raise MalformedDataSet("something else than an item in a sequence", at)
            inner = at + 8
            at = self._behind_item(at, element.value_end, length, encoding, 0)
            yield inner, at - 8 if length == UNDEFINED else at

    def _element(self, at: int, end: int, encoding: Encoding, until_pixels: bool, depth: int) -> Element:
        self._count += 1
        if self._count > self.limits.elements_max:
            raise TooLarge("the number of elements", self._count, self.limits.elements_max, "limits.elements_max")
        data, order = self.data, ">" if encoding.is_big_endian else "<"
        if at + 8 > end:
            raise TruncatedDataSet(at + 8, end, "an element")
        group, number = struct.unpack_from(order + "HH", data, at)
        tag, vr, value_at = group << 16 | number, "", at + 8
        if encoding.is_explicit:
            vr = bytes(data[at + 4 : at + 6]).decode("latin_1")
            if not (vr.isascii() and vr.isalpha() and vr.isupper()):
                raise MalformedDataSet("no VR where one must be", at)
            if vr in LONG_VRS:
                value_at = at + 12
                if value_at > end:
                    raise TruncatedDataSet(value_at, end, "an element")
                (length,) = struct.unpack_from(order + "I", data, at + 8)
            else:
                (length,) = struct.unpack_from(order + "H", data, at + 6)
        else:
            (length,) = struct.unpack_from(order + "I", data, at + 4)
        if until_pixels and tag in PIXEL_TAGS:
            is_undefined = length == UNDEFINED
            return Element(tag, vr, at, value_at, value_at + (0 if is_undefined else length), value_at, is_undefined)
        if length != UNDEFINED:
            if value_at + length > end:
                raise TruncatedDataSet(value_at + length, end, f"element {tag:08X}")
            return Element(tag, vr, at, value_at, value_at + length, value_at + length)
        # A sequence of unknown VR is implicit inside, whatever is around it (PS3.5 6.2.2 note 2, CP-246).
        behind = self._behind_sequence(value_at, end, IMPLICIT_LITTLE if vr == "UN" else encoding, depth + 1)
        return Element(tag, vr, at, value_at, behind - 8, behind, True)

    def _behind_sequence(self, at: int, end: int, encoding: Encoding, depth: int) -> int:
        if depth > self.limits.sequence_depth_max:
            raise TooLarge("sequence depth", depth, self.limits.sequence_depth_max, "limits.sequence_depth_max")
        while True:
            tag, length = self._item_head(at, end, encoding)
            if tag == SEQUENCE_END:
                return at + 8
            if tag != ITEM:
                raise MalformedDataSet("something else than an item in a sequence", at)
            at = self._behind_item(at, end, length, encoding, depth)

    def _behind_item(self, at: int, end: int, length: int, encoding: Encoding, depth: int) -> int:
        at += 8
        if length != UNDEFINED:
            if at + length > end:
                raise TruncatedDataSet(at + length, end, "an item")
            return at + length
        while self._item_head(at, end, encoding)[0] != ITEM_END:
            at = self._element(at, end, encoding, False, depth).end
        return at + 8

    def _item_head(self, at: int, end: int, encoding: Encoding) -> tuple[int, int]:
        if at + 8 > end:
            raise TruncatedDataSet(at + 8, end, "a sequence")
        group, number, length = struct.unpack_from(">HHI" if encoding.is_big_endian else "<HHI", self.data, at)
        return group << 16 | number, length


def element_head(tag: int, vr: str, length: int) -> bytes:
    """Tag, VR and length in explicit VR little endian; as UN where the VR's own length field is too short (PS3.5 6.2.2)."""
    if vr not in LONG_VRS and length > 0xFFFF:
        vr = "UN"
    code = vr.encode("ascii")
    if vr in LONG_VRS:
        return struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, code, 0, length)
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, code, length)


def element_bytes(tag: int, vr: str, value: bytes) -> bytes:
    """An element in explicit VR little endian, its value padded to an even length as its VR wants (PS3.5 6.2)."""
    if len(value) % 2:
        value += b"\0" if vr in ("UI", "OB", "UN") else b" "
    return element_head(tag, vr, len(value)) + value


def sequence_bytes(tag: int, *items: bytes) -> bytes:
    """A sequence of defined length, of items' data sets."""
    return element_bytes(tag, "SQ", b"".join(struct.pack("<HHI", 0xFFFE, 0xE000, len(item)) + item for item in items))
