"""WADO-RS frames: as stored, or as native pixels in Explicit VR Little Endian (PS3.18 10.4.1.1.6, 8.7.3)."""

from __future__ import annotations

import re

from aiohttp import web

from engine.archive.records import InstanceRecord
from engine.dicom.frame_table import FrameTableKind
from engine.dicom.transfer_syntax import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN, lookup
from engine.errors import FrameNotFound, InvalidParameter, NoPixels, NotAcceptable, TooLarge
from engine.stream.frames import is_decodable, is_native
from engine.types import Buffer
from engine.web.multipart import boundary_for, closing, content_type, join, part_head
from engine.web.negotiate import OCTET_STREAM, accepted, choose_frames, said
from engine.web.sending import SENDFILE_BYTES_MIN, begin, is_known, send, send_stored
from engine.web.services import TIMINGS, services
from engine.web.wado import record_of

_LIST = re.compile(r"[1-9]\d{0,8}(?:,[1-9]\d{0,8})*")
_CACHE = "private, no-cache"


async def retrieve_frames(request: web.Request) -> web.StreamResponse:
    """One frame or several, in the order of the list."""
    record = record_of(request)
    indexes = frame_indexes(request, record)
    uid, media_type = _stored_kind(record)
    choice = choose_frames(accepted(request), uid, media_type, is_decodable(record))
    if choice is None or (not choice.is_multipart and len(indexes) > 1):
        raise NotAcceptable(said(request), _offers(record, uid, media_type))
    if not choice.is_as_stored:
        uid, media_type = EXPLICIT_VR_LITTLE_ENDIAN, OCTET_STREAM
    identity = (record.data_set_sha256.hex(), request.match_info["frames"], uid)
    etag = f'"{boundary_for("etag", *identity, choice.is_multipart)}"'
    if is_known(request, etag):
        return web.Response(status=304, headers={"ETag": etag, "Cache-Control": _CACHE})
    headers = {"ETag": etag, "Cache-Control": _CACHE}
    part_type = f"{media_type}; transfer-syntax={uid}"
    boundary = boundary_for("frames", *identity)
    if len(indexes) > 1:
        return await _send_list(request, record, indexes, choice.is_as_stored, part_type, boundary, headers)
    span = _long_span(record, indexes[0], choice.is_as_stored)
    if span is not None:
        head, tail = (
            (part_head(boundary, part_type), b"\r\n" + closing(boundary)) if choice.is_multipart else (b"", b"")
        )
        kind = content_type(media_type, boundary) if choice.is_multipart else part_type
        response = await begin(request, kind, len(head) + span[1] + len(tail), headers)
        if request.method != "HEAD":
            if head:
                await send(response, head)
            await send_stored(request, response, record, *span, is_first=not head)
            if tail:
                await send(response, tail)
        await response.write_eof()
        return response
    body = await _frame(request, record, indexes[0], choice.is_as_stored)
    if not choice.is_multipart:
        return web.Response(body=bytes(body), headers={"Content-Type": part_type, **headers})
    headers["Content-Type"] = content_type(media_type, boundary)
    return web.Response(body=join(boundary, part_type, [body]), headers=headers)


def frame_indexes(request: web.Request, record: InstanceRecord) -> list[int]:
    """0-based frame indexes of the address's list; every one is there.

    Raises
    ------
    NoPixels, FrameNotFound, InvalidParameter, TooLarge
    """
    text, limit = request.match_info["frames"], services(request).settings.limits.frames_per_request_max
    if not _LIST.fullmatch(text):
        raise InvalidParameter("frames", text[:80], "frame numbers from 1, separated by commas")
    if record.frame_table is None:
        raise NoPixels(record.sop_instance_uid)
    numbers = [int(part) for part in text.split(",")]
    if len(numbers) > limit:
        raise TooLarge("the number of frames", len(numbers), limit, "limits.frames_per_request_max")
    for number in numbers:
        if number > len(record.frame_table):
            raise FrameNotFound(record.sop_instance_uid, number, len(record.frame_table))
    return [number - 1 for number in numbers]


async def _send_list(
    request: web.Request,
    record: InstanceRecord,
    indexes: list[int],
    is_as_stored: bool,
    part_type: str,
    boundary: str,
    headers: dict[str, str],
) -> web.StreamResponse:
    # The first frame before the status line: what cannot be decoded at all is still an error with a name.
    body = await _frame(request, record, indexes[0], is_as_stored)
    response = await begin(request, content_type(part_type.partition(";")[0], boundary), None, headers)
    if request.method != "HEAD":
        for place, index in enumerate(indexes):
            if place:
                body = await _frame(request, record, index, is_as_stored)
            await send(response, part_head(boundary, part_type))
            await send(response, body)
            await send(response, b"\r\n")
        await send(response, closing(boundary))
    await response.write_eof()
    return response


async def _frame(request: web.Request, record: InstanceRecord, index: int, is_as_stored: bool) -> Buffer:
    service = services(request).frames
    if is_as_stored:
        return (await service.stored(record, index, request[TIMINGS])).body
    return await service.native(record, index, request[TIMINGS])


def _stored_kind(record: InstanceRecord) -> tuple[str, str]:
    """Transfer syntax and media type of the frames as they are stored (what `FrameService.stored` gives)."""
    uid = record.transfer_syntax_uid
    is_deflated = record.frame_table is not None and record.frame_table.kind is FrameTableKind.DEFLATED
    if uid == IMPLICIT_VR_LITTLE_ENDIAN or is_deflated:
        uid = EXPLICIT_VR_LITTLE_ENDIAN
    return uid, lookup(uid).media_type


def _long_span(record: InstanceRecord, index: int, is_as_stored: bool) -> tuple[int, int] | None:
    """Start and length of a frame that is sent straight from the stored stream; None for a short one, or one in fragments."""
    table = record.frame_table
    is_untouched = is_as_stored or is_native(record, index)
    if table is None or not is_untouched or table.kind is FrameTableKind.DEFLATED:
        return None
    span = table[index]
    return (span.offset, span.length) if span.length >= SENDFILE_BYTES_MIN and span.fragment_count <= 1 else None


def _offers(record: InstanceRecord, uid: str, media_type: str) -> tuple[str, ...]:
    native = f'multipart/related; type="{OCTET_STREAM}"; transfer-syntax={EXPLICIT_VR_LITTLE_ENDIAN}'
    stored = f'multipart/related; type="{media_type}"; transfer-syntax={uid}'
    return (stored, native) if is_decodable(record) and stored != native else (stored,)
