"""Sending long answers piece by piece, to a client that may be slow or gone; and answers that need not be sent again."""

from __future__ import annotations

import asyncio
from functools import partial

from aiohttp import web

from engine.archive.records import InstanceRecord
from engine.limits import MIB
from engine.types import Buffer
from engine.web.services import on, services

_PIECE_BYTES = MIB
_WRITE_DEADLINE_S = 60.0  # for one piece: slower than 17 KB/s is a client that has gone without saying so


async def send(response: web.StreamResponse, piece: Buffer) -> None:
    """One piece; waits until the socket takes more. TimeoutError closes the connection."""
    async with asyncio.timeout(_WRITE_DEADLINE_S):
        await response.write(piece)


async def send_stored(
    request: web.Request, response: web.StreamResponse, record: InstanceRecord, start: int, length: int
) -> None:
    """Bytes of a stored Part 10 stream, never more than 1 MiB of them in memory."""
    archive, pool = services(request).archive, services(request).executors.read
    while length > 0:
        size = min(length, _PIECE_BYTES)
        piece = archive.read_cached(record, start, size)
        if piece is None:
            piece = await on(request, pool, "read", partial(archive.read, record, start, size))
        await send(response, piece)
        start, length = start + size, length - size


async def begin(
    request: web.Request, media_type: str, length: int | None, headers: dict[str, str] | None = None
) -> web.StreamResponse:
    """Status and headers of a 200 answer; with its length where that is known, so that a cut answer is seen as one."""
    response = web.StreamResponse(headers={"Content-Type": media_type, **(headers or {})})
    response.content_length = length
    await response.prepare(request)
    return response


def is_known(request: web.Request, etag: str) -> bool:
    """Whether the client has this already (RFC 9110 13.1.2)."""
    known = request.headers.get("If-None-Match")
    return known is not None and (
        known.strip() == "*" or etag in (t.strip().removeprefix("W/") for t in known.split(","))
    )
