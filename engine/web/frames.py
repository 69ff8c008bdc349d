"""WADO-RS frames: as stored, as native pixels, or coded anew without loss (PS3.18 10.4.1.1.6, 8.7.3)."""

from __future__ import annotations

import re

from aiohttp import web

from engine.archive.records import InstanceRecord
from engine.dicom.frame_table import FrameTableKind
from engine.dicom.transfer_syntax import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN, lookup
from engine.errors import FrameNotFound, InvalidParameter, NotAcceptable, TooLarge
from engine.stream.frames import is_native
from engine.stream.transcoding import possible_frames, recoded_frame
from engine.stream.video import refuse_single_frames, without_pixels
from engine.types import Buffer
from engine.web.multipart import boundary_for, closing, content_type, part_head
from engine.web.negotiate import AS_STORED, accepted, choose_frames, said
from engine.web.sending import SENDFILE_BYTES_MIN, begin, is_known, send, send_stored
from engine.web.services import TIMINGS, services
from engine.web.wado import record_of

_LIST = re.compile(r"[1-9]\d{0,8}(?:,[1-9]\d{0,8})*")
_CACHE = "private, no-cache"


async def retrieve_frames(request: web.Request) -> web.StreamResponse:
    """One frame or several, in the order of the list."""
    record = record_of(request)
    indexes = frame_indexes(request, record)
    refuse_single_frames(record)
    uid, media_type = _stored_kind(record)
    ranges = accepted(request)
    # What a reader who scrolls asks for is as stored, and needs no look at what else there might be.
    choice = choose_frames(ranges[:1], uid, media_type, ())
    choice = choice or choose_frames(ranges, uid, media_type, possible_frames(record))
    if choice is None or (not choice.is_multipart and len(indexes) > 1):
        raise NotAcceptable(said(request), _offers(record, uid))
    if not choice.is_as_stored:
        uid = choice.transfer_syntax_uid
        media_type = lookup(uid).media_type
    identity = (record.data_set_sha256.hex(), request.match_info["frames"], uid)
    etag = f'"{boundary_for("etag", *identity, choice.is_multipart)}"'
    if is_known(request, etag):
        return web.Response(status=304, headers={"ETag": etag, "Cache-Control": _CACHE})
    headers = {"ETag": etag, "Cache-Control": _CACHE}
    part_type = f"{media_type}; transfer-syntax={uid}"
    boundary = boundary_for("frames", *identity)
    if len(indexes) > 1:
        return await _send_list(request, record, indexes, choice.transfer_syntax_uid, part_type, boundary, headers)
    span = _span(record, indexes[0], choice.transfer_syntax_uid)
    head, tail = (part_head(boundary, part_type), b"\r\n" + closing(boundary)) if choice.is_multipart else (b"", b"")
    headers["Content-Type"] = content_type(media_type, boundary) if choice.is_multipart else part_type
    if span is not None and span[1] >= SENDFILE_BYTES_MIN:
        return await _send_long(request, record, span, head, tail, headers)
    if span is not None:
        whole = services(request).archive.read_framed(record, *span, head, tail)
        if whole is not None:
            return web.Response(body=whole, headers=headers)
    body = await _frame(request, record, indexes[0], choice.transfer_syntax_uid)
    return web.Response(body=b"".join((head, body, tail)), headers=headers)


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
        raise without_pixels(record)
    numbers = [int(part) for part in text.split(",")]
    if len(numbers) > limit:
        raise TooLarge("the number of frames", len(numbers), limit, "limits.frames_per_request_max")
    for number in numbers:
        if number > len(record.frame_table):
            raise FrameNotFound(record.sop_instance_uid, number, len(record.frame_table))
    return [number - 1 for number in numbers]


async def _send_long(
    request: web.Request,
    record: InstanceRecord,
    span: tuple[int, int],
    head: bytes,
    tail: bytes,
    headers: dict[str, str],
) -> web.StreamResponse:
    """A frame straight from the stored stream, never in memory whole."""
    response = await begin(request, headers["Content-Type"], len(head) + span[1] + len(tail), headers)
    if request.method != "HEAD":
        if head:
            await send(response, head)
        await send_stored(request, response, record, *span, is_first=not head)
        if tail:
            await send(response, tail)
    await response.write_eof()
    return response


async def _send_list(
    request: web.Request,
    record: InstanceRecord,
    indexes: list[int],
    wanted_uid: str,
    part_type: str,
    boundary: str,
    headers: dict[str, str],
) -> web.StreamResponse:
    # The first frame before the status line: what cannot be decoded at all is still an error with a name.
    body = await _frame(request, record, indexes[0], wanted_uid)
    response = await begin(request, content_type(part_type.partition(";")[0], boundary), None, headers)
    if request.method != "HEAD":
        for place, index in enumerate(indexes):
            if place:
                body = await _frame(request, record, index, wanted_uid)
            await send(response, part_head(boundary, part_type))
            await send(response, body)
            await send(response, b"\r\n")
        await send(response, closing(boundary))
    await response.write_eof()
    return response


async def _frame(request: web.Request, record: InstanceRecord, index: int, wanted_uid: str) -> Buffer:
    s, timings = services(request), request[TIMINGS]
    if wanted_uid == AS_STORED:
        return (await s.frames.stored(record, index, timings)).body
    if wanted_uid == EXPLICIT_VR_LITTLE_ENDIAN:
        return await s.frames.native(record, index, timings)
    limits = s.settings.limits
    return await recoded_frame(s.frames, s.executors, limits, s.metrics, record, index, wanted_uid, timings)


def _stored_kind(record: InstanceRecord) -> tuple[str, str]:
    """Transfer syntax and media type of the frames as they are stored (what `FrameService.stored` gives)."""
    uid = record.transfer_syntax_uid
    is_deflated = record.frame_table is not None and record.frame_table.kind is FrameTableKind.DEFLATED
    if uid == IMPLICIT_VR_LITTLE_ENDIAN or is_deflated:
        uid = EXPLICIT_VR_LITTLE_ENDIAN
    return uid, lookup(uid).media_type


def _span(record: InstanceRecord, index: int, wanted_uid: str) -> tuple[int, int] | None:
    """Start and length of a frame that is sent as it lies in the stored stream; None where it is in fragments or changed."""
    table = record.frame_table
    is_untouched = wanted_uid == AS_STORED or (wanted_uid == EXPLICIT_VR_LITTLE_ENDIAN and is_native(record, index))
    if table is None or not is_untouched or table.kind is FrameTableKind.DEFLATED:
        return None
    span = table[index]
    return (span.offset, span.length) if span.fragment_count <= 1 else None


def _offers(record: InstanceRecord, uid: str) -> tuple[str, ...]:
    return tuple(
        f'multipart/related; type="{lookup(one).media_type}"; transfer-syntax={one}'
        for one in dict.fromkeys((uid, *possible_frames(record)))
    )
