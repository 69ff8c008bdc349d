"""The header of a stored instance in Explicit VR Little Endian, a few of its elements changed, all others as they were."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from engine.dicom.elements import EXPLICIT_LITTLE, PIXEL_TAGS, Element, Elements, Encoding
from engine.dicom.explicit import PIXEL_REPRESENTATION, explicit_element
from engine.dicom.transfer_syntax import EXPLICIT_VR_BIG_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from engine.limits import Limits
from engine.types import Buffer

# Tag → the element's bytes, or None to leave it out.
Changes = Mapping[int, bytes | None]


class Header:
    """What stands in front of the pixels, with each element's place; one thread.

    Attributes
    ----------
    pixels : the pixel data element (its value is not part of this); None in an instance without.
    is_signed : Pixel Representation.

    Raises
    ------
    MalformedDataSet, TruncatedDataSet, TooLarge
    """

    def __init__(self, data: Buffer, start: int, end: int, transfer_syntax_uid: str, limits: Limits) -> None:
        self.data, self.encoding = data, encoding_of(data, start, transfer_syntax_uid)
        self.elements = Elements(data, self.encoding, limits)
        self._top = list(self.elements.between(start, end, until_pixels=True))
        self.pixels = self._top.pop() if self._top and self._top[-1].tag in PIXEL_TAGS else None
        # Few senders do not keep to the order of tags (PS3.5 7.1); what is new goes in between those before and behind it.
        self._top.sort(key=lambda element: element.tag)
        self._by_tag = {element.tag: element for element in self._top}
        self.is_signed = bool(self.number(PIXEL_REPRESENTATION))

    def __contains__(self, tag: int) -> bool:
        return tag in self._by_tag

    def tags(self) -> Iterable[int]:
        return self._by_tag.keys()

    def element(self, tag: int) -> bytes | None:
        """An element as Explicit VR Little Endian has it."""
        found = self._by_tag.get(tag)
        return None if found is None else self._bytes(found)

    def text(self, tag: int) -> str:
        """A value of characters, without its padding; "" where there is none."""
        found = self._by_tag.get(tag)
        if found is None or found.is_undefined:
            return ""
        return bytes(self.data[found.value_at : found.value_end]).rstrip(b"\0 ").decode("latin_1")

    def number(self, tag: int) -> int | None:
        """The first value of a US element."""
        found = self._by_tag.get(tag)
        if found is None or found.value_end - found.value_at < 2:
            return None
        order = "big" if self.encoding.is_big_endian else "little"
        return int.from_bytes(self.data[found.value_at : found.value_at + 2], order)  # type: ignore[arg-type]

    def items(self, tag: int) -> list[bytes]:
        """The data sets in the items of a sequence, in Explicit VR Little Endian; empty where there is none."""
        whole = self.element(tag)
        if whole is None:
            return []
        inside = Elements(whole, EXPLICIT_LITTLE, self.elements.limits)
        [element] = inside.between(0, len(whole))
        return [whole[at:end] for at, end in inside.items(element)]

    def rewritten(self, changes: Changes) -> list[Buffer]:
        """The data set up to the pixels, in pieces, with these elements put in, replaced or left out.

        What needs no change is not copied. The retired group lengths (PS3.5 7.2) of a group that changes are left out.
        """
        is_explicit = self.encoding == EXPLICIT_LITTLE
        groups = {tag >> 16 for tag in changes}
        pieces: list[Buffer] = []
        view = memoryview(self.data)
        waiting = sorted(changes, reverse=True)
        kept_from = kept_to = -1  # a run of elements that stay as they are

        def flush() -> None:
            nonlocal kept_from
            if kept_from >= 0:
                pieces.append(view[kept_from:kept_to])
                kept_from = -1

        for element in self._top:
            while waiting and waiting[-1] <= element.tag:
                flush()
                pieces.append(changes[waiting.pop()] or b"")
            is_group_length = not element.tag & 0xFFFF
            if element.tag in changes or (is_group_length and (not is_explicit or element.tag >> 16 in groups)):
                flush()
            elif not is_explicit:
                pieces.append(explicit_element(self.elements, element, self.is_signed))
            elif element.start == kept_to and kept_from >= 0:
                kept_to = element.end
            else:
                flush()
                kept_from, kept_to = element.start, element.end
        flush()
        pieces += [changes[tag] or b"" for tag in reversed(waiting)]
        return pieces

    def _bytes(self, element: Element) -> bytes:
        if self.encoding == EXPLICIT_LITTLE:
            return bytes(self.data[element.start : element.end])
        return explicit_element(self.elements, element, self.is_signed)


def rewritten_tail(data: Buffer, encoding: Encoding, is_signed: bool, limits: Limits) -> bytes:
    """What stands behind the pixels, in Explicit VR Little Endian. Zeros that fill up a file are no elements."""
    if not bytes(data).strip(b"\0"):
        return b""
    if encoding == EXPLICIT_LITTLE:
        return bytes(data)
    elements = Elements(data, encoding, limits)
    return b"".join(
        explicit_element(elements, one, is_signed) for one in elements.between(0, len(data)) if one.tag & 0xFFFF
    )


def encoding_of(data: Buffer, start: int, transfer_syntax_uid: str) -> Encoding:
    """How a data set is encoded: as its first element looks, where that contradicts its transfer syntax (the scanner does so)."""
    first = bytes(data[start : start + 6])
    looks_explicit = first[4:6].isalpha() and first[4:6].isupper()
    looks_big = first[:1] == b"\0" and first[1:2] != b"\0"
    if transfer_syntax_uid == EXPLICIT_VR_BIG_ENDIAN:
        return Encoding(True, looks_big or not looks_explicit)
    if len(first) < 6:
        return Encoding(transfer_syntax_uid != IMPLICIT_VR_LITTLE_ENDIAN)
    return Encoding(looks_explicit)
