"""Metadata and the parts beside it become a Part 10 instance, which then goes the way of all instances (PS3.18 10.5.2)."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass

from engine.dicom.defects import DEFECTS
from engine.dicom.encapsulation import item_head, pixel_data_end, pixel_data_head
from engine.dicom.json_encoding import Encoder, Gap, Piece
from engine.dicom.json_model import Attributes
from engine.dicom.json_values import TEXT_VRS
from engine.dicom.media_types import HEAD_BYTES, TRANSFORMED, transfer_syntax_of
from engine.dicom.part10 import file_meta
from engine.dicom.scanned import ScannedInstance
from engine.dicom.transfer_syntax import EXPLICIT_VR_LITTLE_ENDIAN, lookup
from engine.errors import BadBulkData, EngineError, MissingUid
from engine.ingest.accept import Accepted, Acceptor, Check, SpoolWriter
from engine.ingest.bulk import BulkPart, BulkParts
from engine.ingest.coded_pixels import (
    NUMBER_OF_FRAMES,
    PIXEL_DATA,
    Pictures,
    PixelReader,
    completed,
    lacks_macro,
    number_in,
    part_file,
    said_lossy,
)
from engine.limits import Limits
from engine.types import Source

_OFFSET_TABLES = ("7FE00001", "7FE00002", "7FE00003")
# What an instance that came whole may be; of one that is put together here it means that the parts do not belong together.
_UNFIT = frozenset(("data-set-damaged", "pixel-data-short", "pixel-data-long"))
_FRAGMENT_MAX = 0xFFFF_FFFE


def uid_in(attributes: Attributes, tag: str) -> str:
    """A UID that metadata has; "" where it has none that is usable."""
    values = attributes.get(tag)
    values = values.get("Value") if isinstance(values, dict) else None
    return values[0].strip(" \0") if isinstance(values, list) and values and isinstance(values[0], str) else ""


@dataclass(frozen=True, slots=True)
class _Pixels:
    """How Pixel Data is written: as the header has it, or as the pieces of the element that is `made`."""

    transfer_syntax_uid: str = EXPLICIT_VR_LITTLE_ENDIAN
    made: Iterator[bytes] | None = None


class Assembly:
    """One instance of metadata and parts.

    Attributes
    ----------
    is_coerced : a value had to be shortened to what its VR may hold (PS3.18 table I.2-1, B000).
    """

    def __init__(self, attributes: Attributes, parts: BulkParts, limits: Limits, reader: PixelReader) -> None:
        self._attributes, self._parts, self._limits, self._reader = attributes, parts, limits, reader
        self._encoder = Encoder(self._length_of, limits)

    @property
    def is_coerced(self) -> bool:
        return self._encoder.is_coerced

    def store(self, acceptor: Acceptor, source: Source, check: Check) -> Future[Accepted]:
        """Write it and hand it in; blocks for as long as that takes.

        Raises
        ------
        BadBulkData, MissingUid, MalformedDataSet, TooLarge, ArchiveFault, and what `Acceptor.submit` raises
        """
        # The type of an instance without a class cannot be known, and without an instance UID it cannot be referred to.
        for keyword, tag in (("SOPClassUID", "00080016"), ("SOPInstanceUID", "00080018"),
                             ("StudyInstanceUID", "0020000D"), ("SeriesInstanceUID", "0020000E")):  # fmt: skip
            if not uid_in(self._attributes, tag).isascii() or not uid_in(self._attributes, tag):
                raise MissingUid(keyword)
        pixels = self._pixels()
        head = file_meta(
            sop_class_uid=uid_in(self._attributes, "00080016"),
            sop_instance_uid=uid_in(self._attributes, "00080018"),
            transfer_syntax_uid=pixels.transfer_syntax_uid,
        )
        elements = self._encoder.elements(self._header(pixels.made is not None))
        pixel_data = pixels.made
        writer = acceptor.open_spool(source)
        try:
            writer.write(head)
            for number, pieces in elements:
                if pixel_data is not None and number > int(PIXEL_DATA, 16):
                    _write_all(writer, pixel_data)
                    pixel_data = None
                _write_all(writer, self._filled(pieces))
            if pixel_data is not None:
                _write_all(writer, pixel_data)
        except BaseException:
            writer.abort()
            raise

        def fits(scanned: ScannedInstance) -> None:
            check(scanned)
            for defect in scanned.defects:
                if defect.code in _UNFIT:
                    raise BadBulkData("of the pixels", DEFECTS[defect.code])

        return writer.finish(fits)

    def _header(self, are_pixels_made: bool) -> Attributes:
        """All elements that are written as they are."""
        if are_pixels_made:
            return {tag: one for tag, one in self._attributes.items() if tag not in (PIXEL_DATA, *_OFFSET_TABLES)}
        pixels = self._attributes.get(PIXEL_DATA)
        if isinstance(pixels, dict) and number_in(self._attributes, "00280100") > 8:
            # Frames that were encapsulated are OB; native ones of more than 8 bits are words (PS3.5 A.2).
            return {**self._attributes, PIXEL_DATA: {**pixels, "vr": "OW"}}
        return self._attributes

    def _pixels(self) -> _Pixels:
        """What stands where Pixel Data is; the header is completed by it."""
        pixels = self._attributes.get(PIXEL_DATA)
        uri = pixels.get("BulkDataURI") if isinstance(pixels, dict) else None
        if not isinstance(uri, str):
            return _Pixels()
        parts = self._found(uri)
        if all(part.media_type in TRANSFORMED for part in parts):
            pictures = Pictures(uri, parts, self._parts, self._reader)
            self._attributes = pictures.described(self._attributes)
            return _Pixels(made=pictures.pixel_data())
        transfer_syntax_uid = self._transfer_syntax_of(uri, parts)
        if not transfer_syntax_uid:
            return _Pixels()
        frames = max(1, number_in(self._attributes, NUMBER_OF_FRAMES))
        count = 1 if lookup(transfer_syntax_uid).is_video else frames  # one stream of all frames
        if len(parts) != count:
            raise BadBulkData(uri, f"{len(parts)} parts came for {count} frames")
        for part in parts:
            if not part.length or part.length > _FRAGMENT_MAX:
                raise BadBulkData(uri, f"a frame of {part.length} bytes cannot be a fragment")
        if lacks_macro(self._attributes):
            try:
                claims = self._reader.claims(transfer_syntax_uid, part_file(self._parts, parts[0]))
            except EngineError as error:
                raise BadBulkData(uri, f"the header does not describe the pixels, and {error}") from error
            ratio = claims.frame_bytes * frames / sum(part.length for part in parts)
            self._attributes = completed(self._attributes, claims, uri)
            self._attributes = said_lossy(self._attributes, transfer_syntax_uid, ratio)
        return _Pixels(transfer_syntax_uid, self._encapsulated(parts, transfer_syntax_uid))

    def _transfer_syntax_of(self, uri: str, parts: list[BulkPart]) -> str:
        """That of all parts; "" for native pixels."""
        found = set()
        for part in parts:
            head = self._parts.read(part.offset, min(HEAD_BYTES, part.length))
            try:
                found.add(transfer_syntax_of(part.media_type, part.transfer_syntax_uid, head))
            except ValueError as error:
                raise BadBulkData(uri, str(error)) from None
        if len(found) > 1:
            raise BadBulkData(uri, "its frames are in several transfer syntaxes")
        return found.pop()

    def _encapsulated(self, frames: list[BulkPart], transfer_syntax_uid: str) -> Iterator[bytes]:
        """One fragment for each frame (PS3.5 A.4); its offset table is empty for a stream of many."""
        is_video = lookup(transfer_syntax_uid).is_video
        yield pixel_data_head([] if is_video else [frame.length for frame in frames])
        for frame in frames:
            yield item_head(frame.length + frame.length % 2)
            yield from self._parts.pieces(frame)
            yield bytes(frame.length % 2)
        yield pixel_data_end()

    def _length_of(self, uri: str) -> int:
        return self._one(uri).length

    def _one(self, uri: str) -> BulkPart:
        parts = self._found(uri)
        if len(parts) > 1:
            raise BadBulkData(uri, "several parts came for one value")
        return parts[0]

    def _found(self, uri: str) -> list[BulkPart]:
        parts = self._parts.find(uri)
        if not parts:
            raise BadBulkData(uri, "no part has this Content-Location")
        return parts

    def _filled(self, pieces: list[Piece]) -> Iterator[bytes]:
        for piece in pieces:
            if isinstance(piece, Gap):
                yield from self._value(piece)
            else:
                yield piece

    def _value(self, gap: Gap) -> Iterator[bytes]:
        part = self._one(gap.uri)
        check = codecs.getincrementaldecoder("utf_8")()
        for data in self._parts.pieces(part):
            if gap.vr in TEXT_VRS:
                try:
                    check.decode(data)
                except UnicodeDecodeError:
                    raise BadBulkData(gap.uri, "text that is not UTF-8") from None
            yield data
        if gap.length > part.length:
            yield b"\0" if gap.vr in ("UI", "OB", "UN") else b" "


def _write_all(writer: SpoolWriter, pieces: Iterator[bytes]) -> None:
    for piece in pieces:
        writer.write(piece)
