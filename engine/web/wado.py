"""WADO-RS: instances, series and studies, byte for byte as they were received (PS3.18 10.4)."""

from __future__ import annotations

from aiohttp import web

from engine.archive.records import InstanceRecord
from engine.errors import NotAcceptable
from engine.web.multipart import boundary_for, closing, content_type, part_head
from engine.web.negotiate import DICOM, MediaRange, accepted, said
from engine.web.sending import begin, send, send_stored
from engine.web.services import TIMINGS, on, services


async def retrieve_study(request: web.Request) -> web.StreamResponse:
    """All instances of a study, series by series in slice order."""
    s, study = services(request), request.match_info["study"]

    def members() -> list[InstanceRecord]:
        series = s.archive.series_of(study)
        return [r for one in series for r in s.archive.members(study, one.series_instance_uid)]

    return await _send_parts(request, await on(request, s.executors.index, "read", members))


async def retrieve_series(request: web.Request) -> web.StreamResponse:
    """All instances of a series in slice order."""
    s, match = services(request), request.match_info
    members = await on(request, s.executors.index, "read", lambda: s.archive.members(match["study"], match["series"]))
    return await _send_parts(request, members)


async def retrieve_instance(request: web.Request) -> web.StreamResponse:
    """One instance: in a part, or bare where ``application/dicom`` alone is asked for."""
    record = record_of(request)
    if _choice(request, [record]).is_multipart:
        return await _send_parts(request, [record])
    response = await begin(request, _part_type(record), record.location.length)
    if request.method != "HEAD":
        await send_stored(request, response, record, 0, record.location.length, is_first=True)
    await response.write_eof()
    return response


def record_of(request: web.Request) -> InstanceRecord:
    """The instance that the address names; `InstanceNotFound` also when it is in another study or series."""
    match = request.match_info
    with request[TIMINGS].step("read"):
        return services(request).archive.instance(match["instance"], match["study"], match["series"])


async def _send_parts(request: web.Request, records: list[InstanceRecord]) -> web.StreamResponse:
    _choice(request, records)
    boundary = boundary_for("instances", *(r.data_set_sha256.hex() for r in records))
    heads = [part_head(boundary, _part_type(record)) for record in records]
    end = closing(boundary)
    length = sum(len(head) + r.location.length + 2 for head, r in zip(heads, records, strict=True)) + len(end)
    response = await begin(request, content_type(DICOM, boundary), length)
    if request.method != "HEAD":
        for head, record in zip(heads, records, strict=True):
            await send(response, head)
            await send_stored(request, response, record, 0, record.location.length)
            await send(response, b"\r\n")
        await send(response, end)
    await response.write_eof()
    return response


def _part_type(record: InstanceRecord) -> str:
    return f"{DICOM}; transfer-syntax={record.transfer_syntax_uid}"


def _choice(request: web.Request, records: list[InstanceRecord]) -> MediaRange:
    """The client's alternative that is answered: instances are given as they were received, in no other syntax."""
    stored = sorted({r.transfer_syntax_uid for r in records})
    for wanted in accepted(request):
        syntaxes = wanted.transfer_syntaxes
        fits = not syntaxes or "*" in syntaxes or set(stored) <= set(syntaxes)
        # Several instances need parts; a client that names no type takes them.
        shape = wanted.is_multipart or wanted.media_type == "*/*" or len(records) == 1
        if wanted.covers(DICOM) and fits and shape:
            return MediaRange(DICOM, wanted.is_multipart or wanted.media_type == "*/*", syntaxes, wanted.quality)
    offers = tuple(f'multipart/related; type="{DICOM}"; transfer-syntax={uid}' for uid in (*stored, "*"))
    raise NotAcceptable(said(request), offers)
