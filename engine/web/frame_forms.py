"""Frames in another form than a client would get by its ``Accept``: smaller, as HTJ2K, as JPEG-LS, with a loss.

No part of PS3.18. The addresses are those that cornerstone3D's ``framesPath`` and ``urlArguments`` lead to, and that viewers know
from Static DICOMweb; ``fsiz`` is that of JPIP (ISO/IEC 15444-9 C.4.2). docs/dicomweb.md has their rules.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl

from aiohttp import web

from engine.archive.records import InstanceRecord
from engine.errors import InvalidParameter, NotAcceptable, UnsupportedPixels
from engine.stream.beginnings import HTJ2K, beginning
from engine.stream.frame_size import FrameSize, Rounding, WantedSize, Whole
from engine.stream.jpegls_frames import JpegLsFrames
from engine.stream.video import refuse_single_frames
from engine.types import Buffer
from engine.web.form_answer import FORMS, Form, FormAnswer, etag_of, form_answer, is_possible, range_for
from engine.web.frame_answer import CACHING, stored_kind
from engine.web.frame_list import frame_indexes
from engine.web.negotiate import MediaRange, accepted, said
from engine.web.passport import learn
from engine.web.pieces import Piece, answer
from engine.web.sending import is_known
from engine.web.services import TIMINGS, services
from engine.web.wado import record_of

_FSIZ = re.compile(r"(\d{1,6}),(\d{1,6})(?:,(round-up|round-down|closest))?")
# What cornerstone3D makes of framesPath "/jpip?target=" and urlArguments "fsiz=128,128": jpip?target=1?fsiz=128,128
_TARGET = re.compile(r"(?:/?frames/)?([1-9]\d{0,8})(?:\?(.*))?")


@dataclass(frozen=True, slots=True)
class _Made:
    body: Buffer
    transfer_syntax_uid: str
    halvings: int = 0
    near: int = 0


async def retrieve_htj2k(request: web.Request) -> web.StreamResponse:
    """A frame as HTJ2K, whatever it is stored as; the beginning that has the size of ``fsiz``."""
    return await send_form(request, _sized(request, FORMS["htj2k"]))


async def retrieve_htj2k_thumbnail(request: web.Request) -> web.StreamResponse:
    """The beginning of a frame's HTJ2K code stream: the frame at 128 pixels, or an eighth of its size where that is more."""
    return await send_form(request, _sized(request, FORMS["htj2kThumbnail"]))


async def retrieve_jls(request: web.Request) -> web.StreamResponse:
    """A frame as lossless JPEG-LS, whatever it is stored as."""
    return await send_form(request, FORMS["jls"])


async def retrieve_jls_thumbnail(request: web.Request) -> web.StreamResponse:
    """A small image of a frame as JPEG-LS."""
    return await send_form(request, _sized(request, FORMS["jlsThumbnail"]))


async def retrieve_lossy(request: web.Request) -> web.StreamResponse:
    """A frame as near-lossless JPEG-LS; a ``Warning`` says by how much values differ from the stored ones at most."""
    return await send_form(request, FORMS["lossy"])


async def retrieve_jpip(request: web.Request) -> web.StreamResponse:
    """A frame by ``target``, in the size of ``fsiz``: a request as JPIP has it, and a whole answer as HTTP has it."""
    text = request.query.get("target", "")
    found = _TARGET.fullmatch(text)
    if found is None:
        raise InvalidParameter("target", text[:80], "a frame number")
    inside = dict(parse_qsl(found[2] or "", max_num_fields=8))
    fsiz = request.query.get("fsiz") or inside.get("fsiz")
    return await send_form(request, Form("jpip", HTJ2K, wanted_size(fsiz, Whole())), found[1], inside.get("accept"))


def _sized(request: web.Request, form: Form) -> Form:
    return replace(form, size=wanted_size(request.query.get("fsiz"), form.size))


def wanted_size(text: str | None, otherwise: WantedSize) -> WantedSize:
    """What ``fsiz`` says.

    Raises
    ------
    InvalidParameter
    """
    if text is None:
        return otherwise
    found = _FSIZ.fullmatch(text)
    if found is None:
        raise InvalidParameter("fsiz", text[:80], "width,height, and round-down, round-up or closest")
    return FrameSize(int(found[1]), int(found[2]), Rounding(found[3] or Rounding.DOWN))


async def send_form(
    request: web.Request, form: Form, listed: str | None = None, accept: str | None = None
) -> web.StreamResponse:
    """One frame in this form, or as it is stored where it has no such form; whole, or a range of it.

    Raises
    ------
    InstanceNotFound, NoPixels, FrameNotFound, InvalidParameter, NotAcceptable, CorruptInstance, BadFrame, TooLarge,
    UnsatisfiableRange
    """
    record = record_of(request)
    indexes = frame_indexes(request, record, listed)
    if len(indexes) > 1:
        raise InvalidParameter("frames", request.match_info.get("frames", "")[:80], "one frame number in this form")
    refuse_single_frames(record)
    [index] = indexes
    if not is_possible(record, form):
        return await _send_stored(request, record, index, form, accept)
    wanted = _wanted(request, form.media_type, accept)
    etag = etag_of(record, index, form, form.media_type, wanted)
    if is_known(request, etag):
        return web.Response(status=304, headers={"ETag": etag, **CACHING})
    if accept is None:
        learn(request, accepted(request))
    try:
        made = await _made(request, record, index, form)
    except UnsupportedPixels:  # which only a look at the pixels tells
        return await _send_stored(request, record, index, form, accept)
    return await _send(
        request, made, form_answer(record, index, form, wanted, made.transfer_syntax_uid, made.halvings, made.near)
    )


async def _send_stored(
    request: web.Request, record: InstanceRecord, index: int, form: Form, accept: str | None
) -> web.StreamResponse:
    uid, media_type = stored_kind(record)
    wanted = _wanted(request, media_type, accept)
    stored = await services(request).frames.stored(record, index, request[TIMINGS])
    return await _send(request, _Made(stored.body, uid), form_answer(record, index, form, wanted, uid))


async def _send(request: web.Request, made: _Made, around: FormAnswer) -> web.StreamResponse:
    pieces: list[Piece] = [piece for piece in (around.head, made.body, around.tail) if len(piece)]
    return await answer(request, pieces, around.content_type, around.etag, dict(around.extra))


def _wanted(request: web.Request, media_type: str, accept: str | None) -> MediaRange:
    found = range_for(accepted(request, accept), media_type)
    if found is None:
        raise NotAcceptable(accept or said(request), (f'multipart/related; type="{media_type}"', media_type))
    return found


async def _made(request: web.Request, record: InstanceRecord, index: int, form: Form) -> _Made:
    s, timings = services(request), request[TIMINGS]
    limits = s.settings.limits
    if form.media_type == HTJ2K:
        found = await beginning(s.frames, s.executors, limits, s.metrics, record, index, form.size, timings)
        return _Made(found.body, found.transfer_syntax_uid, found.halvings)
    made = JpegLsFrames(s.frames, s.executors, limits, s.metrics)
    if not isinstance(form.size, Whole):
        coded = await made.smaller(record, index, form.size, timings)
    elif form.is_lossy:
        coded = await made.lossy(record, index, timings)
    else:
        coded = await made.whole(record, index, timings)
    return _Made(coded.body, coded.transfer_syntax_uid, coded.halvings, coded.near)
