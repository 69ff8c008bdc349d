"""WADO-RS frames: as stored, as native pixels, or coded anew without loss (PS3.18 10.4.1.1.6, 8.7.3)."""

from __future__ import annotations

from aiohttp import web

from engine.archive.records import InstanceRecord
from engine.dicom.transfer_syntax import EXPLICIT_VR_LITTLE_ENDIAN, lookup
from engine.errors import NotAcceptable
from engine.stream.beginnings import HTJ2K
from engine.stream.frame_size import Whole
from engine.stream.transcoding import HTJ2K_SYNTAXES, possible_frames, recoded_frame
from engine.stream.video import refuse_single_frames
from engine.types import Buffer
from engine.web.form_answer import Form
from engine.web.frame_answer import CACHING, FrameAnswer, frame_answer, quick_choice, stored_kind
from engine.web.frame_forms import send_form, wanted_size
from engine.web.frame_list import frame_indexes
from engine.web.negotiate import AS_STORED, accepted, choose_frames, said
from engine.web.ordered import ordering
from engine.web.passport import learn
from engine.web.pieces import Piece, StoredPiece, answer
from engine.web.sending import SENDFILE_BYTES_MIN, begin, is_known, send
from engine.web.services import TIMINGS, services
from engine.web.wado import record_of


async def retrieve_frames(request: web.Request) -> web.StreamResponse:
    """One frame or several, in the order of the list."""
    if "fsiz" in request.query:
        return await send_form(request, Form("frames", HTJ2K, wanted_size(request.query["fsiz"], Whole())))
    record = record_of(request)
    indexes = frame_indexes(request, record)
    refuse_single_frames(record)
    ranges = accepted(request)
    if len(indexes) > 1:
        ranges = tuple(wanted for wanted in ranges if wanted.takes_parts)
    choice = quick_choice(record, ranges) or choose_frames(ranges, *stored_kind(record), possible_frames(record))
    if choice is None:
        raise NotAcceptable(said(request), _offers(record))
    said_of = frame_answer(record, request.match_info["frames"], indexes, choice)
    if len(indexes) == 1 and (said_of.spans is not None or choice.transfer_syntax_uid in HTJ2K_SYNTAXES):
        learn(request, ranges)
    if len(indexes) == 1 and said_of.spans is not None:
        quick = _quick(request, record, said_of)
        if quick is not None:
            return quick
    if said_of.spans is None and len(indexes) > 1:
        return await _send_list(request, record, indexes, choice.transfer_syntax_uid, said_of)
    pieces: list[Piece] = [said_of.head]
    for place, index in enumerate(indexes):
        if place:
            pieces += b"\r\n", said_of.head
        if said_of.spans is not None:
            pieces.append(StoredPiece(record, *said_of.spans[place]))
        elif not is_known(request, said_of.etag):
            pieces.append(await _frame(request, record, index, choice.transfer_syntax_uid))
    pieces.append(said_of.tail)
    return await answer(
        request, [piece for piece in pieces if len(piece)], said_of.content_type, said_of.etag, dict(CACHING)
    )


def _quick(request: web.Request, record: InstanceRecord, said_of: FrameAnswer) -> web.Response | None:
    """The only frame in one read and one write, where it is short, in memory, and wanted whole."""
    assert said_of.spans is not None
    [span] = said_of.spans
    if (
        span[1] >= SENDFILE_BYTES_MIN
        or "Range" in request.headers
        or is_known(request, said_of.etag)
        or ordering(request)
    ):
        return None
    whole = services(request).archive.read_framed(record, *span, said_of.head, said_of.tail)
    return None if whole is None else web.Response(body=whole, headers=said_of.headers)


async def _send_list(
    request: web.Request, record: InstanceRecord, indexes: list[int], wanted_uid: str, said_of: FrameAnswer
) -> web.StreamResponse:
    """Frames of which some are made; the length of all is known only when the last one is."""
    headers = {"ETag": said_of.etag, **CACHING}
    if is_known(request, said_of.etag):
        return web.Response(status=304, headers=headers)
    # The first frame before the status line: what cannot be decoded at all is still an error with a name.
    body = await _frame(request, record, indexes[0], wanted_uid)
    response = await begin(request, said_of.content_type, None, headers)
    if request.method != "HEAD":
        for place, index in enumerate(indexes):
            if place:
                body = await _frame(request, record, index, wanted_uid)
            await send(response, said_of.head)
            await send(response, body)
            await send(response, said_of.tail if place == len(indexes) - 1 else b"\r\n")
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
