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
from engine.dicom.transfer_syntax import lookup
from engine.errors import InvalidParameter, NotAcceptable, UnsupportedPixels
from engine.stream.beginnings import HTJ2K, beginning, has_beginnings
from engine.stream.frame_size import FrameSize, Rounding, Small, WantedSize, Whole
from engine.stream.jpegls_frames import JPEG_LS, JPEG_LS_TYPE, JpegLsFrames
from engine.stream.transcoding import possible_frames
from engine.stream.video import refuse_single_frames
from engine.types import Buffer
from engine.web.errors import warning
from engine.web.frame_answer import CACHING, stored_kind
from engine.web.frame_list import frame_indexes
from engine.web.multipart import boundary_for, closing, content_type, part_head
from engine.web.negotiate import AS_STORED, MediaRange, accepted, said
from engine.web.pieces import Piece, answer
from engine.web.sending import is_known
from engine.web.services import TIMINGS, services
from engine.web.wado import record_of

_FSIZ = re.compile(r"(\d{1,6}),(\d{1,6})(?:,(round-up|round-down|closest))?")
# What cornerstone3D makes of framesPath "/jpip?target=" and urlArguments "fsiz=128,128": jpip?target=1?fsiz=128,128
_TARGET = re.compile(r"(?:/?frames/)?([1-9]\d{0,8})(?:\?(.*))?")


_WHOLE = Whole()


@dataclass(frozen=True, slots=True)
class Form:
    """What a frame is wanted as."""

    name: str
    media_type: str
    size: WantedSize = _WHOLE
    is_lossy: bool = False


@dataclass(frozen=True, slots=True)
class _Made:
    body: Buffer
    transfer_syntax_uid: str
    halvings: int = 0
    near: int = 0


async def retrieve_htj2k(request: web.Request) -> web.StreamResponse:
    """A frame as HTJ2K, whatever it is stored as; the beginning that has the size of ``fsiz``."""
    return await send_form(request, Form("htj2k", HTJ2K, wanted_size(request.query.get("fsiz"), _WHOLE)))


async def retrieve_htj2k_thumbnail(request: web.Request) -> web.StreamResponse:
    """The beginning of a frame's HTJ2K code stream: the frame at 128 pixels, or an eighth of its size where that is more."""
    return await send_form(request, Form("htj2kThumbnail", HTJ2K, wanted_size(request.query.get("fsiz"), Small())))


async def retrieve_jls(request: web.Request) -> web.StreamResponse:
    """A frame as lossless JPEG-LS, whatever it is stored as."""
    return await send_form(request, Form("jls", JPEG_LS_TYPE))


async def retrieve_jls_thumbnail(request: web.Request) -> web.StreamResponse:
    """A small image of a frame as JPEG-LS."""
    return await send_form(request, Form("jlsThumbnail", JPEG_LS_TYPE, wanted_size(request.query.get("fsiz"), Small())))


async def retrieve_lossy(request: web.Request) -> web.StreamResponse:
    """A frame as near-lossless JPEG-LS; a ``Warning`` says by how much values differ from the stored ones at most."""
    return await send_form(request, Form("lossy", JPEG_LS_TYPE, is_lossy=True))


async def retrieve_jpip(request: web.Request) -> web.StreamResponse:
    """A frame by ``target``, in the size of ``fsiz``: a request as JPIP has it, and a whole answer as HTTP has it."""
    text = request.query.get("target", "")
    found = _TARGET.fullmatch(text)
    if found is None:
        raise InvalidParameter("target", text[:80], "a frame number")
    inside = dict(parse_qsl(found[2] or "", max_num_fields=8))
    fsiz = request.query.get("fsiz") or inside.get("fsiz")
    return await send_form(request, Form("jpip", HTJ2K, wanted_size(fsiz, _WHOLE)), found[1], inside.get("accept"))


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
    if not _is_possible(record, form):
        return await _send_stored(request, record, index, form, accept)
    wanted = _range_for(request, form.media_type, accept)
    boundary = _boundary(record, index, form, wanted)
    if is_known(request, f'"{boundary}"'):
        return web.Response(status=304, headers={"ETag": f'"{boundary}"', **CACHING})
    try:
        made = await _made(request, record, index, form)
    except UnsupportedPixels:  # which only a look at the pixels tells
        return await _send_stored(request, record, index, form, accept)
    return await _send(request, form, made, wanted, boundary)


async def _send_stored(
    request: web.Request, record: InstanceRecord, index: int, form: Form, accept: str | None
) -> web.StreamResponse:
    wanted = _range_for(request, stored_kind(record)[1], accept)
    stored = await services(request).frames.stored(record, index, request[TIMINGS])
    boundary = _boundary(record, index, replace(form, media_type=stored.media_type), wanted)
    return await _send(request, form, _Made(stored.body, stored.transfer_syntax_uid), wanted, boundary)


def _boundary(record: InstanceRecord, index: int, form: Form, wanted: MediaRange) -> str:
    return boundary_for("form", record.data_set_sha256.hex(), index + 1, form, wanted.takes_parts)


async def _send(request: web.Request, form: Form, made: _Made, wanted: MediaRange, boundary: str) -> web.StreamResponse:
    media_type = lookup(made.transfer_syntax_uid).media_type
    part_type = f"{media_type}; transfer-syntax={made.transfer_syntax_uid}"
    headers = dict(CACHING)
    if not isinstance(form.size, Whole):
        headers["X-Decode-Level"] = str(made.halvings)
    if made.near:
        headers["Warning"] = warning(f"lossy: a value differs by {made.near} at most from the stored one")
    if not wanted.takes_parts:
        return await answer(request, [made.body], part_type, f'"{boundary}"', headers)
    pieces: list[Piece] = [part_head(boundary, part_type), made.body, b"\r\n" + closing(boundary)]
    return await answer(request, pieces, content_type(media_type, boundary), f'"{boundary}"', headers)


def _is_possible(record: InstanceRecord, form: Form) -> bool:
    """Whether the frames can be given in a form; what is stored with a loss is not lost again."""
    if form.is_lossy and not lookup(record.transfer_syntax_uid).is_lossless:
        return False
    if form.media_type == JPEG_LS_TYPE:
        is_coded = stored_kind(record)[1] == JPEG_LS_TYPE or JPEG_LS in possible_frames(record)
        return is_coded and (isinstance(form.size, Whole) or has_beginnings(record))
    return has_beginnings(record)


def _range_for(request: web.Request, media_type: str, accept: str | None) -> MediaRange:
    """The client's best alternative for a form: one that covers its media type, or takes any transfer syntax.

    cornerstone3D asks every address for ``application/octet-stream`` with the transfer syntax ``*``.
    """
    for wanted in accepted(request, accept):
        takes_any = AS_STORED in wanted.transfer_syntaxes and not wanted.refuses(media_type)
        if takes_any or wanted.covers(media_type):
            return wanted
    raise NotAcceptable(accept or said(request), (f'multipart/related; type="{media_type}"', media_type))


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
