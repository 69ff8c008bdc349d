"""WADO-RS rendered resources: what a screen shows of frames, documents and videos as they are (PS3.18 10.4.1.1.3, 8.3.5, 8.7.4)."""

from __future__ import annotations

from functools import partial

from aiohttp import web

from engine.archive.records import InstanceRecord
from engine.dicom.presentation import is_presentation_state
from engine.errors import InvalidParameter
from engine.stream.content import Content, content_of, document_of
from engine.stream.frames import GIF, JPEG, PNG, WEBP, is_shown
from engine.stream.video import is_stream, without_pixels
from engine.stream.video_files import MP4
from engine.web.contents import send_content, send_contents
from engine.web.frame_list import frame_indexes
from engine.web.negotiate import chosen_range
from engine.web.pictures import PRESENTED, Shown, counted, send_pictures
from engine.web.render_parameters import PICTURES, Wish, check_names, is_rendering, refuse_what_a_state_says, wish_of
from engine.web.services import TIMINGS, on, services
from engine.web.videos import mp4_beside, send_mp4
from engine.web.wado import record_of

# Bare streams, which nothing plays: to who asks for nothing in particular, their first frame is of more use.
_UNPLAYABLE = frozenset({"", "video/h264", "video/h265"})


async def retrieve_rendered_instance(request: web.Request) -> web.StreamResponse:
    """The first frame; all of them where parts or an animation are asked for; a document or a video as the file that it is.

    Of a presentation state the images that it is for, in the order of its references.
    """
    record = record_of(request)
    if is_presentation_state(record.sop_class_uid):
        wish = wish_of(request)
        return await send_pictures(request, await shown_by(request, record, wish), wish, record)
    if record.frame_table is None or is_stream(record):
        file = await _as_file(request, record)
        if file is not None:
            return file
    wish = wish_of(request)
    if record.frame_table is None:
        raise without_pixels(record)
    is_whole = wish.in_parts or wish.media_type == GIF
    count = counted(request, len(record.frame_table)) if is_whole else 1
    return await send_pictures(request, [(record, index) for index in range(count)], wish)


async def retrieve_rendered_frames(request: web.Request) -> web.StreamResponse:
    """One frame bare, several as parts or one animation, in the order of the list."""
    record = record_of(request)
    return await send_pictures(request, [(record, index) for index in frame_indexes(request, record)], wish_of(request))


async def retrieve_rendered_series(request: web.Request) -> web.StreamResponse:
    """Every frame of a series in slice order, as parts or as one animation; documents where there are no images."""
    s, match = services(request), request.match_info
    members = await on(request, s.executors.index, "read", lambda: s.archive.members(match["study"], match["series"]))
    return await _all_of(request, members, PICTURES)


async def retrieve_rendered_study(request: web.Request) -> web.StreamResponse:
    """Every frame of a study, series by series in slice order, as parts; documents where there are no images."""
    s, study = services(request), request.match_info["study"]

    def members() -> list[InstanceRecord]:
        series = s.archive.series_of(study)
        return [r for one in series for r in s.archive.members(study, one.series_instance_uid)]

    # An animation of different series would be none of anything.
    return await _all_of(request, await on(request, s.executors.index, "read", members), (JPEG, PNG, WEBP))


async def shown_by(request: web.Request, state: InstanceRecord, wish: Wish) -> list[Shown]:
    """The frames that a presentation state is for; `InvalidParameter` for what cannot stand beside one."""
    refuse_what_a_state_says(request, wish, also=("presentationUID",))
    return await request.app[PRESENTED].shown_by(state, request[TIMINGS])


async def _all_of(
    request: web.Request, members: list[InstanceRecord], media_types: tuple[str, ...]
) -> web.StreamResponse:
    """Frames of images that can be shown; of a video its first. What has no pixels, as states and reports, is left out."""
    with_frames = [record for record in members if record.frame_table is not None]
    documents = [] if with_frames else await _documents(request, members)
    if documents:
        return await _send_documents(request, documents)
    wish = wish_of(request, None, media_types)
    shown: list[Shown] = []
    for record in filter(is_shown, with_frames):
        assert record.frame_table is not None
        count = 1 if is_stream(record) else len(record.frame_table)
        counted(request, len(shown) + count)
        shown += ((record, index) for index in range(count))
    if not shown:
        raise without_pixels((with_frames or members)[0])
    return await send_pictures(request, shown, wish)


async def _as_file(request: web.Request, record: InstanceRecord) -> web.StreamResponse | None:
    """A document or a video; None where there is none, or the client wants to have a picture of it."""
    s = services(request)
    content = await on(request, s.executors.read, "read", partial(content_of, s.archive, record))
    if content is None:
        return None
    check_names(request.query)
    offers: tuple[str, ...] = (content.media_type,)
    rather_not: tuple[str, ...] = ()
    if is_stream(record):
        mp4, video = mp4_beside(record, content), (content.media_type,) if content.media_type else ()
        if request.headers.get("Sec-Fetch-Dest") == "video":  # a browser's <video>, which says */* and plays files
            offers, mp4 = (*mp4, *video, JPEG, PNG), ()
        elif is_rendering(request) or content.media_type in _UNPLAYABLE:
            offers = (JPEG, PNG, *video)
        else:
            offers = (*video, JPEG, PNG)
        rather_not = (*mp4, WEBP, GIF)
    wanted, media_type = chosen_range(request, offers, rather_not)
    if media_type == MP4 != content.media_type:
        _refuse_rendering(request)
        return await send_mp4(request, record, in_parts=wanted.is_multipart)
    if media_type != content.media_type:
        return None
    _refuse_rendering(request)
    return await send_content(request, record, content, media_type, in_parts=wanted.is_multipart)


async def _documents(request: web.Request, members: list[InstanceRecord]) -> list[tuple[InstanceRecord, Content]]:
    archive, limit = services(request).archive, services(request).settings.limits.rendered_frames_max

    def read() -> list[tuple[InstanceRecord, Content]]:
        found = ((record, document_of(archive, record)) for record in members[: limit + 1])
        return [(record, content) for record, content in found if content is not None]

    found = await on(request, services(request).executors.read, "read", read)
    counted(request, len(found))
    return found


async def _send_documents(request: web.Request, documents: list[tuple[InstanceRecord, Content]]) -> web.StreamResponse:
    check_names(request.query)
    chosen = [chosen_range(request, (content.media_type,))[0] for _, content in documents]
    _refuse_rendering(request)
    if len(documents) == 1 and not chosen[0].is_multipart:
        [(record, content)] = documents
        return await send_content(request, record, content, content.media_type, in_parts=False)
    return await send_contents(request, documents)


def _refuse_rendering(request: web.Request) -> None:
    for name, value in request.query.items():
        if name not in ("accept", "charset"):
            raise InvalidParameter(
                name, value[:80], "nothing beside a document or a video, which is sent as it is stored"
            )
