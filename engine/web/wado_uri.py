"""WADO-URI: one instance by its UIDs in the query, as a picture or as it is stored (PS3.18 9)."""

from __future__ import annotations

from aiohttp import web

from engine.archive.records import InstanceRecord
from engine.errors import NotAcceptable
from engine.stream.frames import JPEG, PNG
from engine.stream.transcoding import can_give, possible
from engine.web.errors import warning
from engine.web.negotiate import AS_STORED, DICOM, MediaRange
from engine.web.pictures import send_pictures
from engine.web.services import TIMINGS, services
from engine.web.uri_parameters import frame_index_of, ignored, ranges_of, refuse_anonymize, target_of, wish_of
from engine.web.wado import send_instances


async def retrieve(request: web.Request) -> web.StreamResponse:
    """Retrieve DICOM Instance and Retrieve Rendered Instance; the media type decides which (PS3.18 9.3)."""
    target = target_of(request)
    refuse_anonymize(request)
    with request[TIMINGS].step("read"):
        record = services(request).archive.instance(
            target.sop_instance_uid, target.study_instance_uid, target.series_instance_uid
        )
    wanted, media_type = _choose(request, record)
    if media_type == DICOM:
        return await _instance(request, record, wanted)
    assert record.frame_descriptor is not None
    assert record.frame_table is not None
    wish = wish_of(request, record.frame_descriptor, media_type)
    response = await send_pictures(request, [(record, frame_index_of(request, len(record.frame_table)))], wish)
    if not response.prepared and (names := ignored(request)):
        response.headers["Warning"] = warning(f"ignored: {', '.join(names)}")
    return response


def _choose(request: web.Request, record: InstanceRecord) -> tuple[MediaRange, str]:
    """The alternative that decided, and the media type.

    ``*/*`` means a JPEG (PS3.18 9.3), and where there is nothing to see, the instance itself.
    """
    has_pixels = record.frame_descriptor is not None and record.frame_table is not None
    offers = (JPEG, PNG, DICOM) if has_pixels else (DICOM,)
    ranges = ranges_of(request)
    for wanted in ranges:
        for offer in offers:
            if wanted.covers(offer):
                return wanted, offer
    raise NotAcceptable(",".join(one.media_type for one in ranges), offers)


async def _instance(request: web.Request, record: InstanceRecord, wanted: MediaRange) -> web.StreamResponse:
    """The Part 10 stream, as stored unless ``transferSyntax`` or the media type's parameter names another (9.4.1.2.3)."""
    named = request.query.get("transferSyntax", "")
    syntaxes = (named,) if named else wanted.transfer_syntaxes
    known = (record.transfer_syntax_uid, AS_STORED)
    if syntaxes and not any(uid in known or can_give(record, uid) for uid in syntaxes):
        offers = dict.fromkeys((record.transfer_syntax_uid, *possible(record)))
        raise NotAcceptable(", ".join(syntaxes)[:200], tuple(f"{DICOM}; transfer-syntax={uid}" for uid in offers))
    return await send_instances(request, [record], (MediaRange(DICOM, False, syntaxes, 1.0),))
