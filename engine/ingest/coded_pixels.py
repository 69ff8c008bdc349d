"""Pixels that come beside metadata: what the header leaves to the code stream, and pictures that become native (PS3.18 10.5.2)."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import BinaryIO, Protocol, cast

from engine.dicom.coded_pixels import MACRO, PLANAR_CONFIGURATION, NativePixels, PixelClaims
from engine.dicom.derivation import method_of
from engine.dicom.elements import element_head
from engine.dicom.json_model import Attributes
from engine.dicom.transfer_syntax import lookup
from engine.errors import BadBulkData, EngineError
from engine.ingest.bulk import BulkPart, BulkParts
from engine.types import Buffer

NUMBER_OF_FRAMES, PIXEL_DATA = "00280008", "7FE00010"
_SIZE = ("00280002", "00280010", "00280011")  # samples, rows, columns: of these a header and its pixels cannot differ
_BITS_ALLOCATED = "00280100"
_LOSSY, _RATIO, _METHOD = "00282110", "00282112", "00282114"


class PixelReader(Protocol):
    """The codecs, which no room of this one knows; any thread."""

    def claims(self, transfer_syntax_uid: str, source: BinaryIO) -> PixelClaims:
        """What a frame's code stream, or a video, says of itself; raises BadFrame, UnsupportedPixels."""
        ...

    def native(self, media_type: str, source: BinaryIO) -> NativePixels:
        """A picture file of a type of `media_types.TRANSFORMED`; raises BadFrame, TooLarge."""
        ...


def lacks_macro(attributes: Attributes) -> bool:
    """Whether a header leaves anything of the Image Pixel Description Macro to its pixels."""
    return any(tag not in attributes for tag in MACRO if tag != PLANAR_CONFIGURATION)


def completed(attributes: Attributes, claims: PixelClaims, uri: str, must_agree: Sequence[str] = _SIZE) -> Attributes:
    """With what it lacks; what it has stays, and must not be another image's. Raises BadBulkData."""
    macro = claims.macro()
    for tag in must_agree:
        if tag in attributes and (said := number_in(attributes, tag)) != macro[tag]:
            raise BadBulkData(uri, f"its pixels have {macro[tag]} where {tag} says {said}")
    return attributes | {tag: _of(MACRO[tag], value) for tag, value in macro.items() if tag not in attributes}


def said_lossy(attributes: Attributes, transfer_syntax_uid: str, ratio: float) -> Attributes:
    """With the marks of what lost something on its way (PS3.3 C.7.6.1.1.5), where it has none of its own."""
    if lookup(transfer_syntax_uid).is_lossless or _LOSSY in attributes:
        return attributes
    marks = {_LOSSY: _of("CS", "01"), _RATIO: _of("DS", f"{ratio:.5g}")}
    if method := method_of(transfer_syntax_uid):
        marks[_METHOD] = _of("CS", method)
    return attributes | marks


class Pictures:
    """Parts that are picture files, as one native value: a part for each frame, or one that has them all.

    Raises
    ------
    BadBulkData, BadFrame, TooLarge
    """

    def __init__(self, uri: str, parts: list[BulkPart], source: BulkParts, reader: PixelReader) -> None:
        self._uri, self._parts, self._source, self._reader = uri, parts, source, reader
        first = self._open(parts[0])
        self._claims = first.claims
        self._count = first.number_of_frames if len(parts) == 1 else len(parts)

    def described(self, attributes: Attributes) -> Attributes:
        """The header with what the pictures say."""
        said = number_in(attributes, NUMBER_OF_FRAMES)
        if said not in (0, self._count):
            raise BadBulkData(self._uri, f"{self._count} pictures came for {said} frames")
        if not said and self._count > 1:
            attributes = attributes | {NUMBER_OF_FRAMES: _of("IS", self._count)}
        return completed(attributes, self._claims, self._uri, (*_SIZE, _BITS_ALLOCATED))

    def pixel_data(self) -> Iterator[bytes]:
        """The element; one frame in memory."""
        length = self._claims.frame_bytes * self._count
        yield element_head(int(PIXEL_DATA, 16), "OW" if self._claims.bits_allocated > 8 else "OB", length + length % 2)
        for part in self._parts:
            pixels = self._open(part)
            if pixels.claims != self._claims or (len(self._parts) > 1 and pixels.number_of_frames != 1):
                raise BadBulkData(self._uri, "its pictures are not alike")
            yield from pixels.frames
        yield bytes(length % 2)

    def _open(self, part: BulkPart) -> NativePixels:
        try:
            return self._reader.native(part.media_type, part_file(self._source, part))
        except EngineError as error:
            raise BadBulkData(self._uri, str(error)) from error


class _PartFile(io.RawIOBase):
    """A part as a seekable file. One thread at a time."""

    def __init__(self, source: BulkParts, part: BulkPart) -> None:
        self._source, self._part, self._at = source, part, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._part.length}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Buffer) -> int:  # type: ignore[override]
        room = memoryview(buffer).cast("B")
        count = max(0, min(len(room), self._part.length - self._at))
        room[:count] = self._source.read(self._part.offset + self._at, count)
        self._at += count
        return count


def part_file(source: BulkParts, part: BulkPart) -> BinaryIO:
    """A part for those that read files; nothing is copied before it is read."""
    return cast(BinaryIO, io.BufferedReader(_PartFile(source, part), 64 * 1024))


def number_in(attributes: Attributes, tag: str) -> int:
    """The first value of a number; 0 where there is none."""
    found = attributes.get(tag)
    values = found.get("Value") if isinstance(found, dict) else None
    try:
        return int(values[0]) if isinstance(values, list) and values else 0
    except (ValueError, TypeError):
        return 0


def _of(vr: str, value: int | str) -> dict[str, object]:
    return {"vr": vr, "Value": [value]}
