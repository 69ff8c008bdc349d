"""The door of ``voxcast.stream.v1``: a WebSocket (RFC 6455) at ``/stream``."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from struct import Struct

from aiohttp import WSCloseCode, web

from engine.errors import InvalidParameter, TooBusy
from engine.limits import KIB
from engine.metrics import Metrics
from engine.stream.dispatch import Dispatcher
from engine.stream.framing import PROTOCOL
from engine.stream.opened import OpenedSeries
from engine.stream.pictures import Pictures
from engine.stream.readiness import Readiness
from engine.stream.session import Session
from engine.stream.travel import Travel
from engine.stream.turns import Turns
from engine.web.addresses import is_own_origin
from engine.web.client import client_of
from engine.web.cors import is_welcome
from engine.web.load import LOAD
from engine.web.services import BEGUN, Services, services
from engine.web.words import Listener, WordSocket

_HEARTBEAT_S = 20.0  # a client that does not answer a ping within half of it is gone
_CLOSE_S = 2.0
_WAITING_BYTES_MAX = 64 * KIB  # written and not yet in the kernel's buffer
_HEAD_16, _HEAD_64 = Struct(">BBH"), Struct(">BBQ")


class Streams:
    """All sessions of one worker."""

    def __init__(self, s: Services) -> None:
        self.dispatcher = Dispatcher()
        self.series = OpenedSeries(s.archive, s.frames.decoded.shelf, s.frames.decoded.asking)
        self.readiness = Readiness(self.series, s.executors.index)
        self.turns = Turns(self.dispatcher)
        self.travel = Travel(s.executors.read)
        self._max = s.settings.limits.stream_sessions_max
        self._sockets: set[web.WebSocketResponse] = set()

    @property
    def is_empty(self) -> bool:
        return not self._sockets

    def admit(self, socket: web.WebSocketResponse) -> None:
        if len(self._sockets) >= self._max:
            raise TooBusy("stream (limits.stream_sessions_max)", 5)
        self._sockets.add(socket)

    def remove(self, socket: web.WebSocketResponse) -> None:
        self._sockets.discard(socket)

    async def close(self) -> None:
        """The server stops: sessions end with 1001, so that clients come back and resume."""
        self.readiness.close()
        ends = [socket.close(code=WSCloseCode.GOING_AWAY, message=b"the server stops") for socket in self._sockets]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await asyncio.gather(*ends, return_exceptions=True)


STREAMS: web.AppKey[Streams] = web.AppKey("streams", Streams)


def frame_head(length: int) -> bytes:
    """The head of a frame that is a whole binary message of the server (RFC 6455 5.2)."""
    if length < 126:
        return bytes((0x82, length))
    return _HEAD_16.pack(0x82, 126, length) if length < 1 << 16 else _HEAD_64.pack(0x82, 127, length)


class _Socket:
    def __init__(self, socket: web.WebSocketResponse, transport: asyncio.Transport, metrics: Metrics) -> None:
        self._socket, self._transport, self._metrics = socket, transport, metrics

    async def send(self, message: bytes | str) -> None:
        if isinstance(message, str):
            await self._socket.send_str(message)
        else:
            self._metrics.add("stream_bytes", len(message))
            await self._socket.send_bytes(message)

    def has_room(self) -> bool:
        transport = self._transport
        return (
            transport.get_write_buffer_size() < _WAITING_BYTES_MAX
            and not transport.is_closing()
            and not self._socket.closed
        )

    def put(self, messages: Sequence[bytes]) -> None:
        # Past aiohttp's writer, which would mask and pack nothing here, and takes a coroutine and a copy for each message.
        parts: list[bytes] = []
        for message in messages:
            parts += (frame_head(len(message)), message)
        self._metrics.add("stream_bytes", sum(map(len, messages)))
        self._transport.writelines(parts)


async def stream(request: web.Request) -> web.StreamResponse:
    """The WebSocket session ``voxcast.stream.v1``: frames as they are looked at, coarse before fine."""
    s = services(request)
    origin = request.headers.get("Origin")
    if origin is not None and not is_own_origin(request, origin) and not is_welcome(request):
        # A page may open a WebSocket to anywhere: no browser asks CORS first (RFC 6455 10.2).
        raise web.HTTPForbidden(text="a page of another origin; the setting cors_origins names those that may")
    offered = [one.strip() for one in request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
    if request.headers.get("Upgrade", "").lower() != "websocket" or request.method != "GET":
        raise web.HTTPUpgradeRequired(text="a WebSocket is spoken here", headers={"Upgrade": "websocket"})
    if PROTOCOL not in offered:
        raise InvalidParameter("Sec-WebSocket-Protocol", ",".join(offered)[:80], PROTOCOL)
    streams = request.app[STREAMS]
    socket = WordSocket(
        protocols=(PROTOCOL,), heartbeat=_HEARTBEAT_S, compress=False,
        max_msg_size=s.settings.limits.stream_word_bytes_max, timeout=_CLOSE_S,
    )  # fmt: skip
    streams.admit(socket)
    try:
        with request.app[LOAD].paused(client_of(request)):
            await socket.prepare(request)
            request[BEGUN] = True
            if request.transport is not None:  # else the client has gone meanwhile
                await _converse(socket, request.transport, streams, s)
    finally:
        streams.remove(socket)
    return socket


async def _converse(socket: WordSocket, transport: asyncio.Transport, streams: Streams, s: Services) -> None:
    limits, executors = s.settings.limits, s.executors
    s.metrics.add("stream_sessions")
    session = Session(
        _Socket(socket, transport, s.metrics),
        streams.dispatcher,
        streams.series,
        streams.readiness,
        Pictures(s.archive, s.frames),
        streams.travel,
        limits,
        executors.read,
        executors.index,
        executors.words,
    )
    writing = asyncio.create_task(session.write())
    listening = asyncio.create_task(Listener(socket, session, limits.stream_words_per_s_max).listen())
    try:
        done, _ = await asyncio.wait((writing, listening), return_when=asyncio.FIRST_COMPLETED)
        code, reason = WSCloseCode.OK, ""
        for task in done:
            match task.exception():
                case None:
                    pass
                case InvalidParameter() as error:
                    code, reason = WSCloseCode.POLICY_VIOLATION, str(error)
                case TimeoutError() | ConnectionError():
                    code, reason = WSCloseCode.TRY_AGAIN_LATER, "nothing was taken for too long"
                case error:
                    raise error
        await socket.close(code=code, message=reason.encode()[:120])
    finally:
        writing.cancel()
        listening.cancel()
        session.close()
        await asyncio.gather(writing, listening, return_exceptions=True)
