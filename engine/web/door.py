"""The door of a connection: stored frames that a scrolling reader asks for go out from here, everything else through aiohttp.

A request costs aiohttp, the envelope and a handler some 250 µs before a byte of the frame moves; a scrolling client sends
the same headers with every one. Once the handler has answered one such request, the connection holds a `Passport` for that
header block for a moment, and requests that differ in nothing but the frame's address are answered at once: one index get,
one read from the page cache, one write. Whatever is out of the ordinary is aiohttp's: nothing is decided here that the
handler has not decided for the same headers (access, negotiation, origin). Measured in docs/decisions/0004.
"""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass

from aiohttp import web
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http import SERVER_SOFTWARE
from aiohttp.web_protocol import RequestHandler

from engine.errors import EngineError
from engine.stream.video import is_stream
from engine.web.cors import cors_headers
from engine.web.frame_answer import frame_answer, quick_choice
from engine.web.load import LOAD, Load
from engine.web.negotiate import MediaRange
from engine.web.services import SERVICES, Services
from engine.web.unreadable import unreadable

PASSPORT_S = 2.0  # how long a permission that was taken away may still be used
QUICK_BYTES_MAX = 1024 * 1024  # held in memory for each connection until the socket has taken it
# A lone request for one frame: nothing of it is percent-encoded, has a query, or is of another version.
_FRAME = re.compile(
    rb"GET (/dicom-web/studies/([0-9.]{1,64})/series/([0-9.]{1,64})/instances/([0-9.]{1,64})/frames/([1-9][0-9]{0,8}))"
    rb" HTTP/1\.1\r\n"
)
_END = b"\r\n\r\n"
# Headers that say nothing of one request alone. With any other one the connection gets no passport.
_SAME = re.compile(
    "accept(-encoding|-language)?|authorization|cache-control|connection|cookie|dnt|host|origin|pragma|referer|sec-.*|user-agent",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Passport:
    """What the handler has decided for one header block.

    Attributes
    ----------
    block : everything behind the request line, as it came.
    extra : header lines of the answer that the block causes.
    until : of the loop's clock.
    """

    block: bytes
    ranges: tuple[MediaRange, ...]
    extra: str
    until: float


class Door(RequestHandler):
    """aiohttp's side of one connection, and a shorter way through it.

    Reads the state of its base class as of the version that the lock file pins; tests/integration/test_door.py holds that.
    """

    __slots__ = ("_asked", "_head_due", "_is_in_line", "_line_bytes", "_load", "_passport", "_services", "quick_count")

    def __init__(self, manager: Doors, **options: object) -> None:
        super().__init__(manager, **options)  # type: ignore[arg-type]
        self._services, self._load = manager.services, manager.load
        self._asked = b""  # the lone request that aiohttp is answering
        self._passport: Passport | None = None
        self.quick_count = 0
        self._head_due: asyncio.TimerHandle | None = None  # runs while part of a request's head is here
        self._line_bytes, self._is_in_line = 0, True

    def data_received(self, data: bytes) -> None:
        """From the transport: a lone request for a frame by a holder of a passport, or something for aiohttp."""
        is_lone = self._is_idle() and data.find(_END) == len(data) - len(_END)
        if is_lone and self._passport is not None and not self._load.is_draining and self._answered(data):
            return
        self._asked = data if is_lone else b""
        if not is_lone:
            # aiohttp's parser may hold half a head, or expect a body: until the next answer nobody can tell.
            self._passport = None
        if self._is_busy():  # a body, or more requests behind the one under way
            super().data_received(data)
            return
        if self._head_due is None:
            self._line_bytes, self._is_in_line = 0, True
        if self._is_in_line:
            end = data.find(b"\n")
            self._line_bytes, self._is_in_line = self._line_bytes + (len(data) if end < 0 else end), end < 0
        super().data_received(data)
        if not self._is_busy():
            if self._head_due is None:
                seconds = self._services.settings.limits.request_head_s_max
                self._head_due = self._loop.call_later(seconds, self._head_is_late)
        elif self._head_due is not None:
            self._head_due.cancel()
            self._head_due = None

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._head_due is not None:
            self._head_due.cancel()
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What the parser could not read; anything else is aiohttp's."""
        if status == 400 and not request.writer.output_size:
            return unreadable(request, exc, self._line_bytes, self._services.settings.limits)
        return super().handle_error(request, status, exc, message)

    def _is_busy(self) -> bool:
        """Whether a whole request is here that has not been answered."""
        return bool(self._messages) or self._request_in_progress

    def _head_is_late(self) -> None:
        """Part of a head came, and the rest did not: whoever sends so (Slowloris) would hold a connection for ever."""
        if not self._is_busy() and self.transport is not None:
            self.transport.write(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            self.force_close()

    def learn(self, request: web.Request, ranges: tuple[MediaRange, ...]) -> None:
        """The handler answers `request`, which asks for a frame as it lies in the stored stream, and would answer its like."""
        found = _FRAME.match(self._asked)
        if found is None or found[1] != request.raw_path.encode() or not request.keep_alive:
            return
        if not all(_SAME.fullmatch(name) for name in request.headers):
            return
        cors = cors_headers(request) if "Origin" in request.headers else {}
        extra = "".join(f"{name}: {value}\r\n" for name, value in cors.items())
        self._passport = Passport(self._asked[found.end() :], ranges, extra, self._loop.time() + PASSPORT_S)

    def _is_idle(self) -> bool:
        """Whether everything that came was answered, and the socket has taken the answers."""
        return (
            not self._messages
            and self._waiter is not None
            and not self._waiter.done()
            and not self._close
            and not self._force_close
            and not self._upgraded
            and self._payload_parser is None
            and self.transport is not None
            and not self.transport.get_write_buffer_size()
        )

    def _answered(self, data: bytes) -> bool:
        passport, found, now = self._passport, _FRAME.match(data), self._loop.time()
        assert passport is not None and self.transport is not None
        if found is None or data[found.end() :] != passport.block:
            return False
        if now > passport.until:
            self._passport = None
            return False
        start = time.perf_counter()
        _, study, series, instance, frame = (part.decode("ascii") for part in found.groups())
        archive = self._services.archive
        try:
            record = archive.instance(instance, study, series)
        except EngineError:
            return False  # the handler says why
        index = int(frame) - 1
        if record.frame_table is None or index >= len(record.frame_table) or is_stream(record):
            return False
        choice = quick_choice(record, passport.ranges)
        if choice is None:
            return False
        answer = frame_answer(record, frame, [index], choice)
        if answer.spans is None or answer.spans[0][1] > QUICK_BYTES_MAX:
            return False
        [span] = answer.spans
        length = len(answer.head) + span[1] + len(answer.tail)
        lines = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
        total_ms = (time.perf_counter() - start) * 1e3
        head = (
            f"HTTP/1.1 200 OK\r\n{lines}Content-Length: {length}\r\n"
            f"X-Request-Id: {self._load.next_id()}\r\nServer-Timing: read;dur={total_ms:.3f}, total;dur={total_ms:.3f}\r\n"
            f"X-Content-Type-Options: nosniff\r\n{passport.extra}"
            f"Date: {rfc822_formatted_time()}\r\nServer: {SERVER_SOFTWARE}\r\n\r\n"
        ).encode("latin_1")
        whole = archive.read_framed(record, *span, head + answer.head, answer.tail)
        if whole is None:
            return False  # a slow disk must not hold up the loop
        self.quick_count += 1
        self._next_keepalive_close_time = now + self._keepalive_timeout
        self.transport.write(whole)
        self._services.metrics.request("frame", "2xx", time.perf_counter() - start, length)
        return True


class Doors(web.Server):
    """Makes a `Door` for each connection."""

    services: Services
    load: Load

    def __call__(self) -> Door:
        return Door(self, loop=self._loop, **self._kwargs)


class DoorRunner(web.AppRunner):
    """Runs an application behind `Doors`."""

    async def _make_server(self) -> Doors:
        server = await super()._make_server()
        # aiohttp has no place to say which class; nothing but the call above differs.
        server.__class__ = Doors
        assert isinstance(server, Doors)
        server.services, server.load = self.app[SERVICES], self.app[LOAD]
        return server


def learn(request: web.Request, ranges: tuple[MediaRange, ...]) -> None:
    """Give the request's connection a passport for more of the same, if it is one of ours."""
    if isinstance(request.protocol, Door):
        request.protocol.learn(request, ranges)
