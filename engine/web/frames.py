"""WADO-RS frames: as stored, as native pixels, or coded anew without loss (PS3.18 10.4.1.1.6, 8.7.3)."""

from __future__ import annotations

import re

from aiohttp import web

from engine.archive.records import InstanceRecord
from engine.dicom.transfer_syntax import EXPLICIT_VR_LITTLE_ENDIAN, lookup
from engine.errors import FrameNotFound, InvalidParameter, NotAcceptable, TooLarge
from engine.stream.transcoding import possible_frames, recoded_frame
from engine.stream.video import refuse_single_frames, without_pixels
from engine.types import Buffer
from engine.web.door import learn
from engine.web.frame_answer import FrameAnswer, frame_answer, quick_choice, stored_kind
from engine.web.negotiate import AS_STORED, accepted, choose_frames, said
from engine.web.sending import SENDFILE_BYTES_MIN, begin, is_known, send, send_stored
from engine.web.services import TIMINGS, services
from engine.web.wado import record_of

_LIST = re.compile(r"[1-9]\d{0,8}(?:,[1-9]\d{0,8})*")


async def retrieve_frames(request: web.Request) -> web.StreamResponse:
    """One frame or several, in the order of the list."""
    record = record_of(request)
    indexes = frame_indexes(request, record)
    refuse_single_frames(record)
    ranges = accepted(request)
    choice = quick_choice(record, ranges) or choose_frames(ranges, *stored_kind(record), possible_frames(record))
    if choice is None or (not choice.is_multipart and len(indexes) > 1):
        raise NotAcceptable(said(request), _offers(record))
    answer = frame_answer(record, request.match_info["frames"], indexes, choice)
    headers = answer.headers
    if is_known(request, answer.etag):
        return web.Response(status=304, headers={"ETag": answer.etag, "Cache-Control": headers["Cache-Control"]})
    if len(indexes) > 1:
        return await _send_list(request, record, indexes, choice.transfer_syntax_uid, answer)
    if answer.span is not None:
        learn(request, ranges)
        if answer.span[1] >= SENDFILE_BYTES_MIN:
            return await _send_long(request, record, answer.span, answer)
        whole = services(request).archive.read_framed(record, *answer.span, answer.head, answer.tail)
        if whole is not None:
            return web.Response(body=whole, headers=headers)
    body = await _frame(request, record, indexes[0], choice.transfer_syntax_uid)
    return web.Response(body=b"".join((answer.head, body, answer.tail)), headers=headers)


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
    request: web.Request, record: InstanceRecord, span: tuple[int, int], answer: FrameAnswer
) -> web.StreamResponse:
    """A frame straight from the stored stream, never in memory whole."""
    head, tail, headers = answer.head, answer.tail, answer.headers
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
    request: web.Request, record: InstanceRecord, indexes: list[int], wanted_uid: str, answer: FrameAnswer
) -> web.StreamResponse:
    # The first frame before the status line: what cannot be decoded at all is still an error with a name.
    body = await _frame(request, record, indexes[0], wanted_uid)
    response = await begin(request, answer.headers["Content-Type"], None, answer.headers)
    if request.method != "HEAD":
        for place, index in enumerate(indexes):
            if place:
                body = await _frame(request, record, index, wanted_uid)
            await send(response, answer.head)
            await send(response, body)
            await send(response, answer.tail if place == len(indexes) - 1 else b"\r\n")
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


def _offers(record: InstanceRecord) -> tuple[str, ...]:
    return tuple(
        f'multipart/related; type="{lookup(one).media_type}"; transfer-syntax={one}'
        for one in dict.fromkeys((stored_kind(record)[0], *possible_frames(record)))
    )
