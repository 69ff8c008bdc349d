"""WADO-URI: one instance by its UIDs in the query, as a picture, as the file in it, or as it is stored (PS3.18 9)."""

from __future__ import annotations

from functools import partial

from aiohttp import web

from engine.archive.records import InstanceRecord
from engine.errors import NotAcceptable
from engine.stream.content import Content, content_of
from engine.stream.frames import GIF, JPEG, PNG
from engine.stream.transcoding import can_give, possible
from engine.stream.video import is_stream
from engine.stream.video_files import MP4
from engine.web.contents import send_content
from engine.web.errors import warning
from engine.web.negotiate import AS_STORED, DICOM, MediaRange, best_range
from engine.web.pictures import counted, send_pictures
from engine.web.render_parameters import RATHER_NOT
from engine.web.services import TIMINGS, on, services
from engine.web.uri_parameters import frame_index_of, ignored, ranges_of, refuse_anonymize, target_of, wish_of
from engine.web.videos import mp4_beside, send_mp4
from engine.web.wado import send_instances


async def retrieve(request: web.Request) -> web.StreamResponse:
    """Retrieve DICOM Instance and Retrieve Rendered Instance; the media type decides which (PS3.18 9.3)."""
    target = target_of(request)
    refuse_anonymize(request)
    s = services(request)
    with request[TIMINGS].step("read"):
        record = s.archive.instance(target.sop_instance_uid, target.study_instance_uid, target.series_instance_uid)
    content: Content | None = None
    if record.frame_table is None or is_stream(record):
        content = await on(request, s.executors.read, "read", partial(content_of, s.archive, record))
    wanted, media_type = _choose(request, record, content)
    if media_type == DICOM:
        return await _instance(request, record, wanted)
    if content is not None and media_type == content.media_type:
        return await send_content(request, record, content, media_type, in_parts=False)
    if media_type == MP4:
        return await send_mp4(request, record, in_parts=False)
    return await _picture(request, record, media_type)


def _choose(request: web.Request, record: InstanceRecord, content: Content | None) -> tuple[MediaRange, str]:
    """The alternative that decided, and the media type.

    ``*/*`` means a JPEG (PS3.18 9.3), where there is nothing to see the document in it, or else the instance itself.
    """
    has_pixels = record.frame_descriptor is not None and record.frame_table is not None
    pictures, rather_not = ((JPEG, PNG), RATHER_NOT) if has_pixels else ((), ())
    file = (content.media_type,) if content is not None and content.media_type else ()
    if content is not None:
        rather_not = (*mp4_beside(record, content), *rather_not)
    ranges = ranges_of(request)
    found = best_range(ranges, (*pictures, *file, DICOM), rather_not)
    if found is None:
        asked = ",".join(one.media_type for one in ranges)
        raise NotAcceptable(asked, (*pictures, *rather_not, *file, DICOM))
    return found


async def _picture(request: web.Request, record: InstanceRecord, media_type: str) -> web.StreamResponse:
    """One frame; all of them in one animation where a GIF is asked for and no ``frameNumber``."""
    assert record.frame_descriptor is not None
    assert record.frame_table is not None
    wish = wish_of(request, record.frame_descriptor, media_type)
    count = len(record.frame_table)
    indexes = [frame_index_of(request, count)]
    if media_type == GIF and "frameNumber" not in request.query:
        indexes = list(range(counted(request, count)))
    response = await send_pictures(request, [(record, index) for index in indexes], wish)
    if not response.prepared and (names := ignored(request)):
        response.headers["Warning"] = warning(f"ignored: {', '.join(names)}")
    return response


async def _instance(request: web.Request, record: InstanceRecord, wanted: MediaRange) -> web.StreamResponse:
    """The Part 10 stream, as stored unless ``transferSyntax`` or the media type's parameter names another (9.4.1.2.3)."""
    named = request.query.get("transferSyntax", "")
    syntaxes = (named,) if named else wanted.transfer_syntaxes
    known = (record.transfer_syntax_uid, AS_STORED)
    if syntaxes and not any(uid in known or can_give(record, uid) for uid in syntaxes):
        offers = dict.fromkeys((record.transfer_syntax_uid, *possible(record)))
        raise NotAcceptable(", ".join(syntaxes)[:200], tuple(f"{DICOM}; transfer-syntax={uid}" for uid in offers))
    return await send_instances(request, [record], (MediaRange(DICOM, False, syntaxes, 1.0),))
