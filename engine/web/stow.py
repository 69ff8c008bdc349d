"""STOW-RS: instances come in, whole or as metadata and bulk data, and are answered when they are safe (PS3.18 10.5)."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from engine.dicom.scanned import ScannedInstance
from engine.errors import InvalidParameter, OtherStudy
from engine.ingest.counting import count
from engine.types import Source
from engine.web.charset import choose_data_sets
from engine.web.client import client_of
from engine.web.multipart import MultipartParser
from engine.web.negotiate import DATA_SETS, DICOM, MULTIPART, media_type_of
from engine.web.request_body import Body
from engine.web.services import services
from engine.web.stow_answer import answer
from engine.web.stow_metadata import MetadataReceiver
from engine.web.stow_parts import PartsReceiver

_TYPES = (DICOM, *DATA_SETS)


async def store_instances(request: web.Request) -> web.StreamResponse:
    """``multipart/related`` of a type of `_TYPES`, or one bare instance of it (JSON and XML with all values inline)."""
    answer_type = choose_data_sets(request)
    media_type, parser = _payload(request)
    s, body = services(request), Body(request)
    # Parts of bulk data are on the disk beside the instances that are made of them.
    await body.begin(copies=1 if media_type == DICOM else 2)
    source = Source("stow", client_of(request))
    check = _StudyCheck(request.match_info.get("study", ""))
    receiver = (
        PartsReceiver(s, body, source, check)
        if media_type == DICOM
        else MetadataReceiver(request, body, source, check, media_type)
    )
    try:
        await (receiver.take_one() if parser is None else receiver.take_parts(parser))
        outcomes = await receiver.outcomes()
    except BaseException:
        receiver.abandon()
        raise
    for outcome in outcomes:
        count(s.metrics, outcome.accepted)
    return await answer(request, outcomes, answer_type)


def _payload(request: web.Request) -> tuple[str, MultipartParser | None]:
    """Media type of the instances, and who takes the parts apart, if they are parts."""
    media_type, parameters = media_type_of(request.headers.get("Content-Type", ""))
    if media_type in _TYPES:
        return media_type, None
    inner = parameters.get("type", DICOM).lower()
    if media_type == MULTIPART and inner in _TYPES:
        boundary = parameters.get("boundary", "")
        if not boundary:
            raise InvalidParameter("Content-Type", media_type, "a boundary parameter")
        return inner, MultipartParser(boundary)
    known = ", ".join(_TYPES)
    raise web.HTTPUnsupportedMediaType(
        text=f"send multipart/related of a type of {known}, not {media_type[:80]} {inner[:80]}"
    )


@dataclass(frozen=True, slots=True)
class _StudyCheck:
    """The address of a study takes instances of that study only (PS3.18 10.5.1)."""

    study_instance_uid: str

    def __call__(self, scanned: ScannedInstance) -> None:
        if self.study_instance_uid and scanned.study_instance_uid != self.study_instance_uid:
            raise OtherStudy(scanned.sop_class_uid, scanned.sop_instance_uid, scanned.study_instance_uid)
