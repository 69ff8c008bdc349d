"""Answers whose length is known before they are read: pieces in memory, of stored instances, made late; whole or a range."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from aiohttp import web

from engine.archive.records import InstanceRecord
from engine.limits import MIB
from engine.types import Buffer
from engine.web.ordered import InTurn, in_turn, ordering
from engine.web.ranges import ACCEPTED, ByteRange, cut, wanted_range
from engine.web.sending import begin, is_known, send, send_stored
from engine.web.services import on, services

_READ_BYTES = MIB  # of a stored piece, in memory at once


@dataclass(frozen=True, slots=True)
class StoredPiece:
    """Bytes of a stored Part 10 stream."""

    record: InstanceRecord
    start: int
    length: int

    def __len__(self) -> int:
        return self.length


@dataclass(frozen=True, slots=True)
class MadePiece:
    """Bytes whose number is known, and which are made when their turn comes, the same ones every time."""

    length: int
    make: Callable[[], Awaitable[Buffer]]

    def __len__(self) -> int:
        return self.length


Piece: TypeAlias = Buffer | StoredPiece | MadePiece


async def answer(
    request: web.Request, pieces: Sequence[Piece], media_type: str, etag: str, headers: dict[str, str] | None = None
) -> web.StreamResponse:
    """The pieces one after the other: 200, 206 for a ``Range``, 304 for what the client has.

    Parameters
    ----------
    etag : strong, and another one for other bytes, boundaries included.

    Raises
    ------
    UnsatisfiableRange, CorruptInstance
    """
    sent = {**(headers or {}), **ACCEPTED, "ETag": etag}
    if is_known(request, etag):
        return web.Response(status=304, headers=sent)
    lengths = [len(piece) for piece in pieces]
    total = sum(lengths)
    part = wanted_range(request, total, etag)
    if part is not None:
        sent |= part.headers
    wanted = part or ByteRange(0, total, total)
    status = 200 if part is None else 206
    response = await begin(request, media_type, wanted.length, sent, status)
    if request.method != "HEAD" and wanted.length and (priority := ordering(request)) is not None:
        async with in_turn(request, response, wanted.length, priority) as out:
            for index, start, length in cut(lengths, wanted):
                await _send_in_turn(request, out, pieces[index], start, length)
    elif request.method != "HEAD":
        is_first = True
        for index, start, length in cut(lengths, wanted):
            piece = pieces[index]
            if isinstance(piece, StoredPiece):
                await send_stored(request, response, piece.record, piece.start + start, length, is_first=is_first)
            else:
                made = await piece.make() if isinstance(piece, MadePiece) else piece
                await send(response, memoryview(made)[start : start + length])
            is_first = False
    await response.write_eof()
    return response


async def _send_in_turn(request: web.Request, out: InTurn, piece: Piece, start: int, length: int) -> None:
    if not isinstance(piece, StoredPiece):
        made = await piece.make() if isinstance(piece, MadePiece) else piece
        await out.send(memoryview(made)[start : start + length])
        return
    s = services(request)
    for at in range(0, length, _READ_BYTES):
        first, size = piece.start + start + at, min(_READ_BYTES, length - at)
        data = s.archive.read_cached(piece.record, first, size)
        if data is None:
            data = await on(request, s.executors.read, "read", partial(s.archive.read, piece.record, first, size))
        await out.send(memoryview(data))
