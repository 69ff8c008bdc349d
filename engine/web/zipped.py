"""Instances as one zip file, made while it is sent: never whole in memory, never on the disk (PS3.18 8.6.1, PS3.12 annex V)."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

from aiohttp import web

from engine.archive.file_set import FileSet
from engine.archive.outgoing import AsStored
from engine.archive.records import InstanceRecord
from engine.archive.zip_layout import ZipMember, directory, head, tail
from engine.dicom.transfer_syntax import EXPLICIT_VR_LITTLE_ENDIAN
from engine.errors import InvalidParameter
from engine.types import Buffer
from engine.web.addresses import file_name
from engine.web.converting import prepared
from engine.web.errors import warning
from engine.web.multipart import boundary_for
from engine.web.negotiate import AS_STORED, ZIP
from engine.web.pieces import MadePiece, Piece, StoredPiece, answer
from engine.web.sending import begin, is_known, send, send_read
from engine.web.services import on, services

# Of one hop to a thread: a client that has gone ends the work behind it.
_HEADERS_AT_ONCE = 64
_PIECES_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class _Contents:
    """Names of the instances' files, the DICOMDIR that lists them (empty without one), and how many it does not list."""

    names: list[str]
    dicomdir: bytes
    unlisted: int


async def send_zip(request: web.Request, records: list[InstanceRecord], syntaxes: list[str]) -> web.StreamResponse:
    """All of `records`, each in the transfer syntax of its place in `syntaxes`, and a DICOMDIR unless ``dicomdir=false``.

    Each stored instance is read twice: for its CRC-32, which stands before its bytes, and compared with the hash that was
    acknowledged; then to be sent. What is not whole any more ends the answer before it is in it.
    """
    is_listed = wants_dicomdir(request)
    identity = [(r.data_set_sha256.hex(), r.received_ns, r.sop_instance_uid) for r in records]
    etag = f'"{boundary_for("zip", identity, syntaxes, is_listed)}"'
    match = request.match_info
    uid = match.get("instance") or match.get("series") or match["study"]
    headers = {
        "Cache-Control": "private, no-cache",
        "Vary": "Accept",
        "Content-Disposition": f'attachment; filename="{file_name(uid, "zip")}"',
    }
    if is_known(request, etag):
        return web.Response(status=304, headers=headers | {"ETag": etag})
    contents = await _contents(request, records, syntaxes, is_listed=is_listed)
    if contents.unlisted:
        headers["Warning"] = warning(f"{contents.unlisted} instances are in the zip file but not in its DICOMDIR")
    async with _Checksums(request, records) as checksums:
        if any(uid != AS_STORED for uid in syntaxes):
            return await _send_converted(request, contents, records, syntaxes, checksums, headers)
        await checksums.of(0)  # before the status line: what begins with damage is an error with a name
        return await answer(request, _pieces(contents, records, checksums), ZIP, etag, headers)


class _Checksums:
    """CRC-32 of stored instances, each of which is read once for it: the next one while the last one is sent.

    That is 1.2 times the rate with two busy cores. An async context: what is under way ends with it.
    """

    def __init__(self, request: web.Request, records: Sequence[InstanceRecord]) -> None:
        self._request, self._records = request, records
        self._known: dict[int, asyncio.Task[int]] = {}

    async def __aenter__(self) -> _Checksums:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._known.values():
            task.cancel()
        await asyncio.gather(*self._known.values(), return_exceptions=True)

    async def of(self, index: int) -> int:
        """Raises CorruptInstance where the bytes are not those that were acknowledged."""
        crc32 = await self._begun(index)
        if index + 1 < len(self._records):
            self._begun(index + 1)
        return crc32

    def _begun(self, index: int) -> asyncio.Task[int]:
        if index not in self._known:
            self._known[index] = asyncio.create_task(self._read(self._records[index]))
        return self._known[index]

    async def _read(self, record: InstanceRecord) -> int:
        s = services(self._request)
        pieces, crc32, is_whole = AsStored(s.archive, record).pieces(), 0, False
        while not is_whole:
            some = partial(_crc32_of_some, pieces, crc32)
            crc32, is_whole = await on(self._request, s.executors.read, "read", some)
        return crc32


def _crc32_of_some(pieces: Iterator[Buffer], crc32: int) -> tuple[int, bool]:
    """CRC-32 with some more of the pieces; whether there are no others."""
    count = 0
    for piece in islice(pieces, _PIECES_AT_ONCE):
        crc32, count = zlib.crc32(piece, crc32), count + 1
    return crc32, count < _PIECES_AT_ONCE


def _pieces(contents: _Contents, records: list[InstanceRecord], checksums: _Checksums) -> list[Piece]:
    """The whole zip file of instances as they are stored."""
    listed = _listing(contents, records)
    pieces: list[Piece] = [piece for member, crc32 in listed for piece in (head(member, crc32), contents.dicomdir)]
    members = [
        ZipMember(name, record.location.length, record.received_ns)
        for name, record in zip(contents.names, records, strict=True)
    ]

    async def made(index: int) -> bytes:
        return head(members[index], await checksums.of(index))

    async def end() -> bytes:
        return directory([*listed, *[(member, await checksums.of(index)) for index, member in enumerate(members)]])

    for index, (member, record) in enumerate(zip(members, records, strict=True)):
        pieces.append(MadePiece(len(head(member, 0)), partial(made, index)))
        pieces.append(StoredPiece(record, 0, member.length))
    length = len(directory([*listed, *((member, 0) for member in members)]))
    return [*pieces, MadePiece(length, end)]


async def _send_converted(
    request: web.Request,
    contents: _Contents,
    records: list[InstanceRecord],
    syntaxes: list[str],
    checksums: _Checksums,
    headers: dict[str, str],
) -> web.StreamResponse:
    """Instances of which some are converted: their sizes, and so that of the file, are known only then."""
    sent = _listing(contents, records)
    response: web.StreamResponse | None = None

    async def begun() -> web.StreamResponse:
        made = await begin(request, ZIP, None, headers)
        if request.method != "HEAD":
            for member, crc32 in sent:
                await send(made, head(member, crc32))
                await send(made, contents.dicomdir)
        return made

    for index, (name, record, uid) in enumerate(zip(contents.names, records, syntaxes, strict=True)):
        # The first one before the status line: what cannot be converted at all is still an error with a name.
        if uid == AS_STORED:
            member, crc32 = ZipMember(name, record.location.length, record.received_ns), await checksums.of(index)
            response = response or await begun()
            if request.method == "HEAD":
                break
            await send(response, head(member, crc32))
            await send_read(request, response, record)
        else:
            async with prepared(request, record, uid) as outgoing:
                response = response or await begun()
                if request.method == "HEAD":
                    break
                member, crc32 = ZipMember(name, outgoing.length, record.received_ns, is_late=True), 0
                await send(response, head(member, crc32))
                async for piece in outgoing.pieces():
                    crc32 = zlib.crc32(piece, crc32)
                    await send(response, piece)
                await send(response, tail(member, crc32))
        sent.append((member, crc32))
    assert response is not None, "no series without instances is found"
    if request.method != "HEAD":
        await send(response, directory(sent))
    await response.write_eof()
    return response


def _listing(contents: _Contents, records: Sequence[InstanceRecord]) -> list[tuple[ZipMember, int]]:
    """The DICOMDIR as the first member; none without one."""
    newest = max((record.received_ns for record in records), default=0)
    member = ZipMember("DICOMDIR", len(contents.dicomdir), newest)
    return [(member, zlib.crc32(contents.dicomdir))] if contents.dicomdir else []


async def _contents(
    request: web.Request, records: Sequence[InstanceRecord], syntaxes: Sequence[str], *, is_listed: bool
) -> _Contents:
    s = services(request)
    files = FileSet(s.archive, is_listed=is_listed)
    wanted = [(record, _syntax_in_file(record, uid)) for record, uid in zip(records, syntaxes, strict=True)]

    def named(start: int) -> list[str]:
        return [files.name(record, uid) for record, uid in wanted[start : start + _HEADERS_AT_ONCE]]

    names: list[str] = []
    for start in range(0, len(wanted), _HEADERS_AT_ONCE):
        names += await on(request, s.executors.index, "read", partial(named, start))
    return _Contents(names, await on(request, s.executors.index, "encode", files.dicomdir), files.unlisted)


def _syntax_in_file(record: InstanceRecord, uid: str) -> str:
    if uid == AS_STORED:
        return record.transfer_syntax_uid
    return uid if record.frame_descriptor is not None else EXPLICIT_VR_LITTLE_ENDIAN


def wants_dicomdir(request: web.Request) -> bool:
    """What ``dicomdir`` says; `InvalidParameter` for what is neither true nor false."""
    text = request.query.get("dicomdir", "true").lower()
    if text not in ("true", "false"):
        raise InvalidParameter("dicomdir", text[:80], "true or false")
    return text == "true"
