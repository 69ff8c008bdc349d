"""WADO-RS thumbnails: one small picture that stands for a study, a series, an instance or a frame (PS3.18 10.4.1.1.4)."""

from __future__ import annotations

from aiohttp import web

from engine.archive.records import InstanceRecord
from engine.dicom.caption import CaptionKind
from engine.dicom.presentation import is_presentation_state
from engine.errors import InvalidParameter, NoPixels
from engine.stream.video import without_pixels
from engine.web.frame_list import frame_indexes
from engine.web.pictures import send_pictures
from engine.web.render_parameters import Wish, wish_of
from engine.web.rendered import shown_by
from engine.web.services import on, services
from engine.web.wado import record_of

THUMBNAIL_SIDE = 128


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


async def _thumbnail(request: web.Request, record: InstanceRecord) -> web.StreamResponse:
    if is_presentation_state(record.sop_class_uid):
        wish = _wish(request)
        shown = await shown_by(request, record, wish)
        return await send_pictures(request, [shown[len(shown) // 2]], wish, record)
    if record.frame_table is None:
        raise without_pixels(record)
    return await _small(request, record, len(record.frame_table) // 2)


async def _small(request: web.Request, record: InstanceRecord, index: int) -> web.StreamResponse:
    return await send_pictures(request, [(record, index)], _wish(request), is_small=True)


def _wish(request: web.Request) -> Wish:
    """What it shall be like; nothing may say who the patient is (PS3.18 10.4.3.3.4)."""
    wish = wish_of(request, THUMBNAIL_SIDE)
    if CaptionKind.PATIENT in wish.captions:
        raise InvalidParameter("annotation", CaptionKind.PATIENT, "nothing of the patient in a thumbnail")
    return wish
