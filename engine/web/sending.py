"""Sending long answers piece by piece, to a client that may be slow or gone; and answers that need not be sent again."""

from __future__ import annotations

import asyncio
import os
from functools import partial
from io import FileIO

from aiohttp import web

from engine.archive.records import InstanceRecord
from engine.limits import MIB
from engine.types import Buffer
from engine.web.services import on, services

SENDFILE_BYTES_MIN = 256 * 1024  # below, one copy in one write is quicker: 390 against 430 µs for 164 KB
_FIRST_BYTES = 4096
_PIECE_BYTES = MIB
_WRITE_DEADLINE_S = 60.0  # for one piece: slower than 17 KB/s is a client that has gone without saying so


async def send(response: web.StreamResponse, piece: Buffer) -> None:
    """One piece; waits until the socket takes more. TimeoutError closes the connection."""
    async with asyncio.timeout(_WRITE_DEADLINE_S):
        await response.write(piece)


async def send_stored(
    request: web.Request,
    response: web.StreamResponse,
    record: InstanceRecord,
    start: int,
    length: int,
    *,
    is_first: bool = False,
) -> None:
    """Bytes of a stored Part 10 stream, never more than 1 MiB of them in memory; none at all where the kernel sends them.

    `response` must have its length: its body is not chunked. `is_first`: nothing of its body has been sent yet.
    """
    archive, pool = services(request).archive, services(request).executors.read
    if length >= SENDFILE_BYTES_MIN:
        if is_first:  # aiohttp keeps the headers back until the first byte of the body
            first = await on(request, pool, "read", partial(archive.read, record, start, _FIRST_BYTES))
            await send(response, first)
            start, length = start + _FIRST_BYTES, length - _FIRST_BYTES
        found = archive.file_range(record, start, length)
        if found is not None and await _sendfile(request, found[0], found[1], length):
            return
    while length > 0:
        size = min(length, _PIECE_BYTES)
        piece = archive.read_cached(record, start, size)
        if piece is None:
            piece = await on(request, pool, "read", partial(archive.read, record, start, size))
        await send(response, piece)
        start, length = start + size, length - size


async def send_read(request: web.Request, response: web.StreamResponse, record: InstanceRecord) -> None:
    """A stored Part 10 stream inside a chunked body, which the kernel cannot send by itself."""
    s, length = services(request), record.location.length
    for at in range(0, length, _PIECE_BYTES):
        read = partial(s.archive.read, record, at, min(_PIECE_BYTES, length - at))
        await send(response, await on(request, s.executors.read, "read", read))


async def _sendfile(request: web.Request, file: FileIO, offset: int, length: int) -> bool:
    """Hand `length` bytes of a file to the socket inside the kernel; False, and nothing sent, where that is not possible.

    aiohttp under uvloop has no way to do this (uvloop has no ``loop.sendfile``): what it has written itself must have left
    its buffer first, and its own sending goes on behind. Measured with frames of 512 KB: 2.5 times the rate.
    """
    await asyncio.sleep(0)  # uvloop writes what it was given at the end of a turn
    transport = request.transport
    if transport is None or transport.get_write_buffer_size() or transport.get_extra_info("sslcontext") is not None:
        return False
    sock = transport.get_extra_info("socket")
    if sock is None:
        return False
    # A descriptor of our own: aiohttp may close its one while we wait, and the number may be another client's by then.
    target = os.dup(sock.fileno())
    try:
        while length:
            try:
                sent = os.sendfile(target, file.fileno(), offset, length)
            except BlockingIOError:
                await _writable(target)
                continue
            if not sent:
                raise ConnectionResetError("a stored instance is shorter than the index says")
            offset, length = offset + sent, length - sent
    finally:
        os.close(target)
    return True


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


async def _writable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_writer(descriptor, _wake, ready)
    try:
        async with asyncio.timeout(_WRITE_DEADLINE_S):
            await ready
    finally:
        loop.remove_writer(descriptor)


async def begin(
    request: web.Request, media_type: str, length: int | None, headers: dict[str, str] | None = None, status: int = 200
) -> web.StreamResponse:
    """Status and headers of an answer; with its length where that is known, so that a cut answer is seen as one."""
    response = web.StreamResponse(status=status, headers={"Content-Type": media_type, **(headers or {})})
    response.content_length = length
    await response.prepare(request)
    return response


def is_known(request: web.Request, etag: str) -> bool:
    """Whether the client has this already (RFC 9110 13.1.2), packed or not."""
    known = request.headers.get("If-None-Match")
    if known is None:
        return False
    tags = {tag.strip().removeprefix("W/") for tag in known.split(",")}
    return known.strip() == "*" or etag in tags or packed_tag(etag) in tags


def packed_tag(etag: str) -> str:
    """The tag of the same content packed with gzip: other bytes, so another strong tag (RFC 9110 8.8.3.3)."""
    return f'{etag[:-1]}-gzip"'
