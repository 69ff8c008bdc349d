"""WADO-RS: instances, series and studies, byte for byte as they were received, or without loss in what the client can read
(PS3.18 10.4, 8.7.3); bare, in parts, or as a zip file."""

from __future__ import annotations

from collections.abc import Iterator

from aiohttp import web

from engine.archive.records import InstanceRecord
from engine.errors import NotAcceptable
from engine.stream.transcoding import can_give, possible
from engine.web.converting import prepared
from engine.web.multipart import boundary_for, closing, content_type, part_head
from engine.web.negotiate import AS_STORED, DICOM, ZIP, Form, MediaRange, accepted, choose_instances, said
from engine.web.pieces import Piece, StoredPiece, answer
from engine.web.sending import begin, send, send_read
from engine.web.services import TIMINGS, on, services
from engine.web.zipped import send_zip, wants_dicomdir

_HEADERS = {"Cache-Control": "private, no-cache", "Vary": "Accept"}


async def retrieve_study(request: web.Request) -> web.StreamResponse:
    """All instances of a study, series by series in slice order."""
    s, study = services(request), request.match_info["study"]

    def members() -> list[InstanceRecord]:
        series = s.archive.series_of(study)
        return [r for one in series for r in s.archive.members(study, one.series_instance_uid)]

    return await _answer(request, await on(request, s.executors.index, "read", members))


async def retrieve_series(request: web.Request) -> web.StreamResponse:
    """All instances of a series in slice order."""
    s, match = services(request), request.match_info
    members = await on(request, s.executors.index, "read", lambda: s.archive.members(match["study"], match["series"]))
    return await _answer(request, members)


async def retrieve_instance(request: web.Request) -> web.StreamResponse:
    """One instance: in a part, or bare where ``application/dicom`` alone is asked for."""
    return await _answer(request, [record_of(request)])


def record_of(request: web.Request) -> InstanceRecord:
    """The instance that the address names; `InstanceNotFound` also when it is in another study or series."""
    match = request.match_info
    with request[TIMINGS].step("read"):
        return services(request).archive.instance(match["instance"], match["study"], match["series"])


async def _answer(request: web.Request, records: list[InstanceRecord]) -> web.StreamResponse:
    wants_dicomdir(request)  # refused when it is malformed, also where no zip file is wanted
    return await send_instances(request, records, accepted(request))


async def send_instances(
    request: web.Request, records: list[InstanceRecord], ranges: tuple[MediaRange, ...]
) -> web.StreamResponse:
    """The instances in the first of `ranges` that fits all of them; `NotAcceptable` when none does."""
    stored = [record.transfer_syntax_uid for record in records]
    choice = choose_instances(ranges, stored, lambda index, uid: can_give(records[index], uid))
    if choice is None:
        raise NotAcceptable(said(request), _offers(records))
    syntaxes, form = choice
    if form is Form.ZIP:
        return await send_zip(request, records, syntaxes)
    is_stored = all(uid == AS_STORED for uid in syntaxes)
    if form is Form.PARTS:
        return await (_stored_parts(request, records) if is_stored else _parts(request, records, syntaxes))
    [record], [uid] = records, syntaxes
    return await (_stored_bare(request, record) if is_stored else _bare(request, record, uid))


async def _stored_bare(request: web.Request, record: InstanceRecord) -> web.StreamResponse:
    whole = StoredPiece(record, 0, record.location.length)
    etag = f'"{boundary_for("instance", *_identity([record]))}"'
    return await answer(request, [whole], _part_type(record.transfer_syntax_uid), etag, dict(_HEADERS))


async def _stored_parts(request: web.Request, records: list[InstanceRecord]) -> web.StreamResponse:
    boundary = boundary_for("instances", *_identity(records))
    pieces: list[Piece] = []
    for record in records:
        head = part_head(boundary, _part_type(record.transfer_syntax_uid))
        pieces += head, StoredPiece(record, 0, record.location.length), b"\r\n"
    pieces.append(closing(boundary))
    return await answer(request, pieces, content_type(DICOM, boundary), f'"{boundary}"', dict(_HEADERS))


def _identity(records: list[InstanceRecord]) -> Iterator[str]:
    """Of the bytes as they are stored: the hash is of the data set alone, and the same one may have come in other File Meta."""
    return (f"{r.data_set_sha256.hex()}-{r.received_ns}" for r in records)


async def _bare(request: web.Request, record: InstanceRecord, uid: str) -> web.StreamResponse:
    async with prepared(request, record, uid) as outgoing:
        response = await begin(request, _part_type(outgoing.transfer_syntax_uid), outgoing.length)
        if request.method != "HEAD":
            async for piece in outgoing.pieces():
                await send(response, piece)
        await response.write_eof()
        return response


async def _parts(request: web.Request, records: list[InstanceRecord], syntaxes: list[str]) -> web.StreamResponse:
    """Parts of which some are converted; the length of all is known only when the last one is."""
    boundary = boundary_for("instances", *(r.data_set_sha256.hex() for r in records), *syntaxes)
    response: web.StreamResponse | None = None
    for record, uid in zip(records, syntaxes, strict=True):
        if uid == AS_STORED:
            response = response or await begin(request, content_type(DICOM, boundary), None)
            if request.method != "HEAD":
                await send(response, part_head(boundary, _part_type(record.transfer_syntax_uid)))
                await send_read(request, response, record)
        else:
            # The first one before the status line: what cannot be converted at all is still an error with a name.
            async with prepared(request, record, uid) as outgoing:
                response = response or await begin(request, content_type(DICOM, boundary), None)
                if request.method == "HEAD":
                    break
                await send(response, part_head(boundary, _part_type(outgoing.transfer_syntax_uid)))
                async for piece in outgoing.pieces():
                    await send(response, piece)
        if request.method != "HEAD":
            await send(response, b"\r\n")
    assert response is not None, "no series without instances is found"
    if request.method != "HEAD":
        await send(response, closing(boundary))
    await response.write_eof()
    return response


def _part_type(transfer_syntax_uid: str) -> str:
    return f"{DICOM}; transfer-syntax={transfer_syntax_uid}"


def _offers(records: list[InstanceRecord]) -> tuple[str, ...]:
    """As stored, and what all of them can be given in."""
    stored = sorted({record.transfer_syntax_uid for record in records})
    common = (
        [uid for uid in possible(records[0]) if all(can_give(record, uid) for record in records)] if records else []
    )
    syntaxes = dict.fromkeys(("*", *(stored if len(stored) == 1 else ()), *common))
    return (*(f'multipart/related; type="{DICOM}"; transfer-syntax={uid}' for uid in syntaxes), ZIP)
