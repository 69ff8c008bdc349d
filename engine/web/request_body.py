"""A body on its way in: refused before it is sent where that is possible, unpacked, bounded, never waited for without end.

``Expect: 100-continue`` (RFC 9110 10.1.1), ``Content-Encoding`` (8.4), PS3.18 10.5.1.
"""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import AsyncGenerator, Iterator

from aiohttp import HttpVersion11, web

from engine.errors import MalformedDataSet, TooLarge, TruncatedDataSet
from engine.limits import MIB
from engine.web.multipart import Event, MultipartParser
from engine.web.services import CONTINUED, on, services

_BYTES_PER_S_MIN = 270  # who sends less holds a place that others need
_FREE_EXPANSION_BYTES = 64 * MIB  # the ratio counts beyond: short bodies of zeros are no attack
_LOOKED_AT_BYTES_MIN = 4 * MIB  # below, storing itself finds out, and costs no second wait for a thread
_ENCODINGS = frozenset(("gzip", "x-gzip", "deflate"))


async def defer(request: web.Request) -> None:
    """aiohttp's handler of ``Expect``: nothing yet. `Body.begin` says to go on, once nothing speaks against it."""


class Body:
    """One request's body, piece by piece."""

    def __init__(self, request: web.Request) -> None:
        self._request, self._limits = request, services(request).settings.limits
        self._packed: Unpacker | None = None
        self._unpacked: Iterator[bytes] = iter(())
        self._window_s, self._window_bytes = 0.0, 0
        self.received = 0

    async def begin(self, copies: int = 1) -> None:
        """Refuse what cannot be taken, then let the client send it.

        Parameters
        ----------
        copies : how often the body is on the disk at the same time.

        Raises
        ------
        TooLarge, ArchiveFull, ArchiveReadOnly, HTTPUnsupportedMediaType, HTTPExpectationFailed
        """
        request, s = self._request, services(self._request)
        expected = request.headers.get("Expect", "100-continue").strip().lower()
        if expected != "100-continue":
            raise web.HTTPExpectationFailed(text=f"Expect can be 100-continue, not {expected[:80]}")
        coding = request.headers.get("Content-Encoding", "identity").strip().lower()
        if coding != "identity":
            if coding not in _ENCODINGS:
                raise web.HTTPUnsupportedMediaType(text=f"Content-Encoding can be gzip or deflate, not {coding[:80]}")
            self._packed = Unpacker(self._limits.archive_expansion_max)
        length = request.content_length or 0
        if length > self._limits.stow_bytes_max:
            raise TooLarge("the body", length, self._limits.stow_bytes_max, "limits.stow_bytes_max")
        if length * copies >= _LOOKED_AT_BYTES_MIN or "Expect" in request.headers:
            await on(request, s.executors.store, "queue", lambda: s.archive.check_room(length * copies))
        request[CONTINUED] = True
        if "Expect" in request.headers and request.version >= HttpVersion11:  # 1.0 knows no interim answers
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0  # of the answer nothing is sent yet

    async def next(self) -> bytes:
        """The next piece; b"" at the end.

        Raises
        ------
        TimeoutError, TooLarge, MalformedDataSet, TruncatedDataSet
        """
        piece = await self._next() if self._packed is None else await self._next_unpacked(self._packed)
        self.received += len(piece)
        if self.received > self._limits.stow_bytes_max:
            raise TooLarge("the body", self.received, self._limits.stow_bytes_max, "limits.stow_bytes_max")
        return piece

    async def _next(self) -> bytes:
        """As it is sent. Only the client's time is counted, not that in which our disk keeps it waiting."""
        start = time.monotonic()
        seconds = self._limits.request_body_s_max
        async with asyncio.timeout(seconds):
            piece = await self._request.content.readany()
        self._window_s += time.monotonic() - start
        self._window_bytes += len(piece)
        if self._window_s > seconds:
            if self._window_bytes < seconds * _BYTES_PER_S_MIN:
                raise TimeoutError
            self._window_s, self._window_bytes = 0.0, 0
        return piece

    async def _next_unpacked(self, packed: Unpacker) -> bytes:
        pool = services(self._request).executors.store
        while True:
            piece = await on(self._request, pool, "decode", lambda: next(self._unpacked, b""))
            if piece:
                return piece
            received = await self._next()
            if not received:
                packed.end()
                return b""
            self._unpacked = packed.feed(received)


async def events(body: Body, parser: MultipartParser) -> AsyncGenerator[Event]:
    """The parts of a body: their heads, data and ends.

    Raises
    ------
    MalformedDataSet, TruncatedDataSet
        It stops making sense, or ends before its closing boundary: the parts before that were whole.
    TimeoutError, TooLarge
    """
    while chunk := await body.next():
        for event in parser.feed(chunk):
            yield event
    if not parser.is_complete:
        raise TruncatedDataSet(body.received + 1, body.received, "the closing boundary")


class Unpacker:
    """gzip or zlib, in pieces of 1 MiB at most; one thread at a time.

    Raises (from `feed` and `end`)
    ------------------------------
    MalformedDataSet, TruncatedDataSet, TooLarge
    """

    def __init__(self, expansion_max: int) -> None:
        self._expansion_max = expansion_max
        self._inflater = zlib.decompressobj(zlib.MAX_WBITS | 32)
        self._packed = self._length = 0
        self._is_begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What these bytes unpack to; must be read to its end before the next call."""
        self._packed += len(data)
        while data:
            if self._inflater.eof:  # another member of a gzip file
                self._inflater = zlib.decompressobj(zlib.MAX_WBITS | 32)
            self._is_begun = True
            try:
                piece = self._inflater.decompress(data, MIB)
            except zlib.error as error:
                raise MalformedDataSet(f"the packed body cannot be unpacked ({error})") from None
            self._length += len(piece)
            allowed = _FREE_EXPANSION_BYTES + self._expansion_max * self._packed
            if self._length > allowed:
                raise TooLarge("the unpacked body", self._length, allowed, "limits.archive_expansion_max")
            data = self._inflater.unused_data if self._inflater.eof else self._inflater.unconsumed_tail
            if piece:
                yield piece

    def end(self) -> None:
        """The body is complete; so must be what was packed."""
        if self._is_begun and not self._inflater.eof:
            raise TruncatedDataSet(self._packed + 1, self._packed, "the end of the packed body")
