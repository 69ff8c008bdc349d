"""WADO-RS rendered frames and thumbnails: what a screen shows, as JPEG or PNG (PS3.18 10.4.1.1.3, 8.3.5)."""

from __future__ import annotations

from aiohttp import web

from engine.archive.records import InstanceRecord
from engine.dicom.presentation import is_presentation_state
from engine.dicom.segmentation import LABEL_MAP_SEGMENTATION, is_segmentation
from engine.errors import NoPixels
from engine.stream.presented import Additions, PresentedService
from engine.stream.video import without_pixels
from engine.web.frames import frame_indexes
from engine.web.multipart import boundary_for, closing, content_type, part_head
from engine.web.render_parameters import Wish, refuse_what_a_state_says, wish_of
from engine.web.sending import begin, is_known, send
from engine.web.services import TIMINGS, on, services
from engine.web.wado import record_of

THUMBNAIL_SIDE = 128
PRESENTED: web.AppKey[PresentedService] = web.AppKey("presented", PresentedService)
_CACHE = "private, no-cache"

Shown = tuple[InstanceRecord, int]  # an image and the index of one of its frames


async def retrieve_rendered_instance(request: web.Request) -> web.StreamResponse:
    """The first frame of an instance; of a presentation state the images that it is for, in the order of its references."""
    record, wish = record_of(request), wish_of(request)
    if is_presentation_state(record.sop_class_uid):
        return await _answer(request, await _shown_by(request, record, wish), wish, record)
    return await _answer(request, [(record, 0)], wish)


async def retrieve_rendered_frames(request: web.Request) -> web.StreamResponse:
    """One frame bare, several as parts in the order of the list."""
    record = record_of(request)
    return await _answer(request, [(record, index) for index in frame_indexes(request, record)], wish_of(request))


async def retrieve_rendered_instance_thumbnail(request: web.Request) -> web.StreamResponse:
    """The middle frame of an instance, small; of a presentation state the middle one of those that it is for."""
    return await _thumbnail(request, record_of(request))


async def retrieve_frame_thumbnail(request: web.Request) -> web.StreamResponse:
    """One frame, small."""
    record = record_of(request)
    return await _small(request, record, frame_indexes(request, record)[0])


async def retrieve_series_thumbnail(request: web.Request) -> web.StreamResponse:
    """The middle slice of a series, small; of a series of presentation states what the first one shows."""
    s, match = services(request), request.match_info

    def representative() -> InstanceRecord:
        try:
            return s.archive.representative(match["study"], match["series"])
        except NoPixels:
            for record in s.archive.members(match["study"], match["series"]):
                if is_presentation_state(record.sop_class_uid):
                    return record
            raise

    return await _thumbnail(request, await on(request, s.executors.index, "read", representative))


async def retrieve_study_thumbnail(request: web.Request) -> web.StreamResponse:
    """The middle slice of the study's largest series that has pixels, small."""
    s, study = services(request), request.match_info["study"]

    def largest() -> InstanceRecord:
        failure: NoPixels | None = None
        for one in sorted(s.archive.series_of(study), key=lambda series: -series.instance_count):
            try:
                return s.archive.representative(study, one.series_instance_uid)
            except NoPixels as error:
                failure = failure or error
        assert failure is not None  # a study has at least one series
        raise failure

    return await _thumbnail(request, await on(request, s.executors.index, "read", largest))


async def send_picture(
    request: web.Request, record: InstanceRecord, frame_index: int, wish: Wish
) -> web.StreamResponse:
    """One frame, for a service that says in other words what it wants (WADO-URI)."""
    return await _answer(request, [(record, frame_index)], wish)


async def _thumbnail(request: web.Request, record: InstanceRecord) -> web.StreamResponse:
    if is_presentation_state(record.sop_class_uid):
        wish = wish_of(request, THUMBNAIL_SIDE)
        shown = await _shown_by(request, record, wish)
        return await _answer(request, [shown[len(shown) // 2]], wish, record)
    if record.frame_table is None:
        raise without_pixels(record)
    return await _small(request, record, len(record.frame_table) // 2)


async def _small(request: web.Request, record: InstanceRecord, index: int) -> web.StreamResponse:
    return await _answer(request, [(record, index)], wish_of(request, THUMBNAIL_SIDE), is_small=True)


async def _shown_by(request: web.Request, state: InstanceRecord, wish: Wish) -> list[Shown]:
    refuse_what_a_state_says(request, wish, also=("presentationUID",))
    return await request.app[PRESENTED].shown_by(state, request[TIMINGS])


async def _answer(
    request: web.Request,
    shown: list[Shown],
    wish: Wish,
    state: InstanceRecord | None = None,
    *,
    is_small: bool = False,
) -> web.StreamResponse:
    """One picture bare, several in parts.

    Parameters
    ----------
    state : the presentation state that the address names, which `shown` is of.
    is_small : thumbnails, on which segmentations of every kind have their segments' colours.
    """
    for record, _ in shown:
        if record.frame_table is None:
            raise without_pixels(record)
    additions = _additions(request, wish, state)
    frames = [(record.data_set_sha256.hex(), index) for record, index in shown]
    is_coloured = not additions and wish.spec.window is None and _is_in_colours(shown[0][0], is_small)
    identity = (frames, wish, additions.identity, is_coloured)
    headers = {"Cache-Control": _CACHE, "Vary": "Accept"}
    if additions.is_of_named_bytes:
        headers["ETag"] = f'"{boundary_for("rendered", *identity)}"'
        if is_known(request, headers["ETag"]):
            return web.Response(status=304, headers=headers)
    presented, plain, timings = request.app[PRESENTED], services(request).frames, request[TIMINGS]

    async def picture(one: Shown) -> bytes:
        record, index = one
        if additions:
            return await presented.rendered(record, index, wish.spec, additions, wish.media_type, wish.quality, timings)
        draw = presented.segments if is_coloured else plain.rendered
        return await draw(record, index, wish.spec, wish.media_type, wish.quality, timings)

    # The first one before the status line: what cannot be shown at all is still an error with a name.
    body = await picture(shown[0])
    if len(shown) == 1:
        return web.Response(body=body, content_type=wish.media_type, headers=headers)
    boundary = boundary_for("pictures", *identity)
    response = await begin(request, content_type(wish.media_type, boundary), None, headers)
    if request.method != "HEAD":
        for place, one in enumerate(shown):
            if place:
                body = await picture(one)
            await send(response, part_head(boundary, wish.media_type))
            await send(response, body)
            await send(response, b"\r\n")
        await send(response, closing(boundary))
    await response.write_eof()
    return response


def _is_in_colours(record: InstanceRecord, is_small: bool) -> bool:
    """Whether a segmentation is shown in its segments' colours: a mask is seen as it is, numbers of labels are near black."""
    descriptor = record.frame_descriptor
    if is_small:
        return is_segmentation(record.sop_class_uid)
    return record.sop_class_uid == LABEL_MAP_SEGMENTATION and descriptor is not None and descriptor.is_monochrome


def _additions(request: web.Request, wish: Wish, state: InstanceRecord | None) -> Additions:
    """The records that the query names; `InstanceNotFound` for one that is not here."""
    archive = services(request).archive
    with request[TIMINGS].step("read"):
        if wish.presentation_uid:
            state = archive.instance(wish.presentation_uid, series_uid=wish.presentation_series_uid)
        segmentations = tuple(archive.instance(uid) for uid in wish.segmentation_uids)
    return Additions(state=state, segmentations=segmentations, opacity=wish.opacity, captions=wish.captions)
