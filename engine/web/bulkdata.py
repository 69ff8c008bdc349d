"""WADO-RS bulk data: the values that metadata names by BulkDataURI (PS3.18 10.4.1.1.5, 8.7.3)."""

from __future__ import annotations

import re
from functools import partial

from aiohttp import web

from engine.archive.records import InstanceRecord
from engine.dicom.encapsulated_document import ENCAPSULATED_DOCUMENT
from engine.dicom.transfer_syntax import lookup
from engine.errors import InvalidParameter
from engine.stream.content import content_of, document_of
from engine.stream.video import is_stream
from engine.web.contents import send_content
from engine.web.multipart import boundary_for, closing, content_type, part_head
from engine.web.negotiate import OCTET_STREAM, accepted, choose, wants_multipart
from engine.web.pieces import Piece, StoredPiece, answer
from engine.web.services import on, services
from engine.web.wado import record_of

_PATH = re.compile(r"[0-9A-Fa-f]{8}(?:/\d{1,9}/[0-9A-Fa-f]{8})*")
_PIXEL_DATA = 0x7FE00010
_HEADERS = {"Cache-Control": "private, no-cache", "Vary": "Accept"}


async def retrieve_bulk_value(request: web.Request) -> web.StreamResponse:
    """One value, as it is stored; a document and a video also as what they are."""
    record, text = record_of(request), request.match_info["path"]
    if not _PATH.fullmatch(text):
        raise InvalidParameter("path", text[:80], "a tag, or tag/item/tag…, as metadata gives it in BulkDataURI")
    path = [int(part, 10 if i % 2 else 16) for i, part in enumerate(text.split("/"))]
    if path == [ENCAPSULATED_DOCUMENT]:
        return await _document(request, record)
    if path == [_PIXEL_DATA] and is_stream(record):
        return await _video(request, record)
    choose(request, (OCTET_STREAM,))
    return await _value(request, record, path)


async def _value(request: web.Request, record: InstanceRecord, path: list[int]) -> web.StreamResponse:
    s, text = services(request), request.match_info["path"]
    found = await on(request, s.executors.read, "read", partial(s.archive.bulk_span, record, path))
    if found is None:
        raise web.HTTPNotFound(text=f"instance {record.sop_instance_uid} has no value at {text}")
    piece: Piece = found if isinstance(found, bytes) else StoredPiece(record, *found)
    in_parts = wants_multipart(request, OCTET_STREAM)
    boundary = boundary_for("bulk", record.data_set_sha256.hex(), text, in_parts)
    if not in_parts:
        return await answer(request, [piece], OCTET_STREAM, f'"{boundary}"', _HEADERS)
    pieces = [part_head(boundary, OCTET_STREAM), piece, b"\r\n" + closing(boundary)]
    return await answer(request, pieces, content_type(OCTET_STREAM, boundary), f'"{boundary}"', _HEADERS)


async def _document(request: web.Request, record: InstanceRecord) -> web.StreamResponse:
    s = services(request)
    found = await on(request, s.executors.read, "read", partial(document_of, s.archive, record))
    if found is None:
        raise web.HTTPNotFound(text=f"instance {record.sop_instance_uid} has no encapsulated document")
    media_type = choose(request, tuple(dict.fromkeys((found.media_type, OCTET_STREAM))))
    # A browser that follows the address names pages and pictures, and anything else last: to it, parts are of no use.
    is_browser = accepted(request)[0].media_type != "*/*" and not _names(request, media_type)
    in_parts = wants_multipart(request, media_type) and not is_browser
    return await send_content(request, record, found, media_type, in_parts=in_parts)


async def _video(request: web.Request, record: InstanceRecord) -> web.StreamResponse:
    """The bit stream where a type of videos is asked for, else the value in its fragments, as it is stored."""
    s = services(request)
    found = await on(request, s.executors.read, "read", partial(content_of, s.archive, record))
    assert found is not None
    # Its container's type, and the one that PS3.18 table 8.7.3-5 has for its transfer syntax, whatever the container.
    names = tuple(dict.fromkeys(filter(None, (found.media_type, lookup(record.transfer_syntax_uid).media_type))))
    media_type = choose(request, (OCTET_STREAM, *names))
    if media_type == OCTET_STREAM:
        return await _value(request, record, [_PIXEL_DATA])
    in_parts = wants_multipart(request, media_type)
    return await send_content(request, record, found, media_type, in_parts=in_parts)


def _names(request: web.Request, media_type: str) -> bool:
    return any(wanted.media_type == media_type for wanted in accepted(request))
