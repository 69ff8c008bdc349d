"""A data set of the DICOM JSON Model as Explicit VR Little Endian, values that are elsewhere left as gaps (PS3.18 F.2, PS3.5 7)."""

from __future__ import annotations

import base64
import binascii
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from engine.dicom.dictionary import vr_of
from engine.dicom.elements import UNDEFINED, element_bytes, element_head
from engine.dicom.json_values import TEXT_VRS, WORDS, coded, word_bytes_of
from engine.errors import MalformedDataSet, TooLarge
from engine.limits import Limits

_SPECIFIC_CHARACTER_SET = 0x00080005
_UTF_8 = element_bytes(_SPECIFIC_CHARACTER_SET, "CS", b"ISO_IR 192")
_BINARY_VRS = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "UN"))
_TAG = re.compile(r"[0-9A-Fa-f]{8}")
# What describes an answer or a file and is no part of the instance: Available Transfer Syntax UID.
_NOT_STORED = frozenset((0x00083002,))


@dataclass(frozen=True, slots=True)
class Gap:
    """A value whose bytes come from somewhere else, `length` of them (with padding).

    Attributes
    ----------
    vr : tells the padding byte, and that text must be UTF-8.
    """

    uri: str
    vr: str
    length: int


Piece = bytes | Gap


class Encoder:
    """Encodes one data set; one thread.

    Parameters
    ----------
    length_of : bytes of the value behind a ``BulkDataURI``; raises where there is none.

    Attributes
    ----------
    is_coerced : a value was shortened to what its VR may hold.

    Raises (from `elements`)
    ------------------------
    MalformedDataSet, TooLarge, and what `length_of` raises
    """

    def __init__(self, length_of: Callable[[str], int], limits: Limits) -> None:
        self._length_of, self._limits = length_of, limits
        self._has_text = False  # outside ASCII, or not known to be inside
        self._count = 0
        self.is_coerced = False

    def elements(self, attributes: Mapping[str, Any]) -> list[tuple[int, list[Piece]]]:
        """Each element of the top level in the order of tags, with Specific Character Set where there is text that needs it.

        All text becomes UTF-8, whatever the sender calls it: JSON is nothing else (PS3.18 F.2).
        """
        found = self._data_set(attributes, 0)
        if self._has_text:
            others = [one for one in found if one[0] != _SPECIFIC_CHARACTER_SET]
            found = sorted([*others, (_SPECIFIC_CHARACTER_SET, [_UTF_8])], key=lambda one: one[0])
        return found

    def _data_set(self, attributes: Mapping[str, Any], depth: int) -> list[tuple[int, list[Piece]]]:
        found: dict[int, list[Piece]] = {}
        for name, attribute in attributes.items():
            if not _TAG.fullmatch(name):
                raise MalformedDataSet(f"{name[:40]!r} is no tag of eight hexadecimal digits")
            tag = int(name, 16)
            group, number = tag >> 16, tag & 0xFFFF
            if number == 0 or group in (0, 2) or (depth == 0 and tag in _NOT_STORED):
                continue  # group lengths, commands and File Meta Information are no data
            if group >= 0xFFFE:
                raise MalformedDataSet(f"{name.upper()} cannot be in a data set")
            if tag in found:
                raise MalformedDataSet(f"{name.upper()} stands twice in a data set")
            self._count += 1
            if self._count > self._limits.elements_max:
                raise TooLarge("the number of elements", self._count, self._limits.elements_max, "limits.elements_max")
            found[tag] = self._element(tag, attribute, depth)
        return sorted(found.items())

    def _element(self, tag: int, attribute: object, depth: int) -> list[Piece]:
        if not isinstance(attribute, dict):
            raise MalformedDataSet(f"{tag:08X} is no JSON object")
        vr = attribute.get("vr") or vr_of(tag)
        if not isinstance(vr, str) or vr not in WORDS:
            raise MalformedDataSet(f"{tag:08X} has a vr that is none")
        given = [key for key in ("Value", "InlineBinary", "BulkDataURI") if attribute.get(key) is not None]
        if len(given) > 1:
            raise MalformedDataSet(f"{tag:08X} has {' and '.join(given)}")
        if given and tag == _SPECIFIC_CHARACTER_SET:
            return [_UTF_8]
        if not given:
            return [element_head(tag, vr, 0)]
        content = attribute[given[0]]
        match given[0]:
            case "Value":
                return self._sequence(tag, content, depth) if vr == "SQ" else [self._value(tag, vr, content)]
            case "InlineBinary":
                return [element_bytes(tag, vr, _inline(tag, vr, content))]
            case _:
                return self._gap(tag, vr, content)

    def _value(self, tag: int, vr: str, values: object) -> bytes:
        if vr in _BINARY_VRS:
            raise MalformedDataSet(f"{tag:08X} ({vr}) wants InlineBinary or BulkDataURI, not Value")
        if not isinstance(values, list):
            raise MalformedDataSet(f"the Value of {tag:08X} is no array")
        try:
            value, is_coerced = coded(vr, values)
        except (ValueError, OverflowError, struct.error) as error:
            raise MalformedDataSet(f"a value of {tag:08X} is no {vr} ({type(error).__name__})") from None
        self.is_coerced |= is_coerced
        self._has_text |= WORDS[vr] == 0 and not value.isascii()
        return element_bytes(tag, vr, value)

    def _gap(self, tag: int, vr: str, uri: object) -> list[Piece]:
        if not isinstance(uri, str) or vr == "SQ":
            raise MalformedDataSet(f"{tag:08X} cannot have this BulkDataURI")
        length = self._length_of(uri)
        _check_words(tag, vr, length)
        padded = length + length % 2
        if padded >= UNDEFINED:
            raise MalformedDataSet(f"{tag:08X} is longer than an element's length can say")
        self._has_text |= vr in TEXT_VRS
        return [element_head(tag, vr, padded), Gap(uri, vr, padded)]

    def _sequence(self, tag: int, items: object, depth: int) -> list[Piece]:
        if depth >= self._limits.sequence_depth_max:
            raise TooLarge("sequence depth", depth + 1, self._limits.sequence_depth_max, "limits.sequence_depth_max")
        if not isinstance(items, list):
            raise MalformedDataSet(f"the Value of {tag:08X} is no array of items")
        value: list[Piece] = []
        for item in items:
            if not isinstance(item, dict | None):
                raise MalformedDataSet(f"an item of {tag:08X} is no JSON object")
            body = [piece for _, pieces in self._data_set(item or {}, depth + 1) for piece in pieces]
            value += [struct.pack("<HHI", 0xFFFE, 0xE000, _length(tag, body)), *body]
        joined = _joined(value)
        return [element_head(tag, "SQ", _length(tag, joined)), *joined]


def _joined(pieces: list[Piece]) -> list[Piece]:
    """Bytes that stand side by side as one piece."""
    if not any(isinstance(piece, Gap) for piece in pieces):
        return [b"".join(pieces)]  # type: ignore[arg-type]
    return pieces


def _length(tag: int, pieces: list[Piece]) -> int:
    length = sum(piece.length if isinstance(piece, Gap) else len(piece) for piece in pieces)
    if length >= UNDEFINED:
        raise MalformedDataSet(f"the sequence {tag:08X} is longer than its length can say")
    return length


def _inline(tag: int, vr: str, content: object) -> bytes:
    if vr not in _BINARY_VRS or not isinstance(content, str):
        raise MalformedDataSet(f"{tag:08X} ({vr}) cannot have this InlineBinary")
    try:
        value = base64.b64decode(re.sub(r"[ \t\r\n]+", "", content), validate=True)
    except (binascii.Error, ValueError):
        raise MalformedDataSet(f"the InlineBinary of {tag:08X} is no base64") from None
    _check_words(tag, vr, len(value))
    return value


def _check_words(tag: int, vr: str, length: int) -> None:
    if length % word_bytes_of(vr):
        raise MalformedDataSet(f"{tag:08X} ({vr}) has {length} bytes, no multiple of {word_bytes_of(vr)}")
