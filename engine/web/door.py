"""The door of a connection: frames and pictures that a reader scrolls through go out from here, everything else through aiohttp.

A request costs aiohttp, the envelope and a handler some 250 µs before a byte moves; a scrolling client sends the same headers
with every one. Once a handler has answered one such request, the connection holds a `Passport` for that header block for a
moment, and requests that differ in nothing but the address are answered at once (`quick_frame`, `quick_picture`); who has been
answered with a stored frame has the next ones from native code (`lending`). Whatever is
out of the ordinary is aiohttp's: nothing is decided here that the handler has not decided for the same headers (access,
negotiation, origin). Measured in docs/decisions/0004.
"""

from __future__ import annotations

import asyncio
import time

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from engine.errors import EngineError, TooBusy
from engine.stream.turns import Turns
from engine.web.lending import Lending
from engine.web.load import LOAD, Load
from engine.web.negotiate import MediaRange
from engine.web.passport import ADDRESS, Passport, passport_for
from engine.web.quick_frame import FramePlan, FramePlans, frame_plan, is_current, quick_frame, quick_lines
from engine.web.quick_picture import QuickPicture, WishOf, wishes
from engine.web.services import SERVICES, TURNS, Services
from engine.web.unreadable import unreadable

_END = b"\r\n\r\n"
# A request that comes before the task of the one before is back at its post waits for so many turns of the event loop. Without
# that, a client that is quick enough once is answered by the long way for good: 16 connections, 1 200 to 4 100 answers/s for 9 200.
_TURNS_EARLY = 8


class Door(RequestHandler):
    """aiohttp's side of one connection, and a shorter way through it.

    Reads the state of its base class as of the version that the lock file pins; tests/integration/test_door.py holds that.
    """

    __slots__ = (
        "_asked", "_early", "_head_due", "_held", "_is_in_line", "_lending", "_lent", "_line_bytes", "_load", "_passport",
        "_picture", "_plans", "_services", "_turns", "_wish_of", "quick_count",
    )  # fmt: skip

    def __init__(self, manager: Doors, **options: object) -> None:
        super().__init__(manager, **options)  # type: ignore[arg-type]
        self._services, self._load, self._wish_of = manager.services, manager.load, manager.wish_of
        self._turns, self._plans, self._lending = manager.turns, manager.plans, manager.lending
        self._lent = -1  # the socket, while native code has it
        self._asked = b""  # the lone request that aiohttp is answering
        self._passport: Passport | None = None
        self._picture: QuickPicture | None = None  # on its way
        self._held = b""  # what came meanwhile
        self._early = b""  # what came before the answer before it was over
        self.quick_count = 0
        self._head_due: asyncio.TimerHandle | None = None  # runs while part of a request's head is here
        self._line_bytes, self._is_in_line = 0, True

    # -- from the transport

    def data_received(self, data: bytes) -> None:
        """A lone request for a frame or a picture by a holder of a passport, or something for aiohttp."""
        if self._upgraded:  # a WebSocket: nothing of this is for it
            super().data_received(data)
            return
        if self._picture is not None:
            self._held += data
            if self.transport is not None:
                self.transport.pause_reading()
            return
        if self._early:
            data, self._early = self._early + data, b""
        is_whole = data.find(_END) == len(data) - len(_END)
        is_lone = is_whole and self._is_idle()
        if is_whole and not is_lone and self._passport is not None and data.endswith(self._passport.block):
            # The client has the answer before the task that gave it is back at its post, in a moment.
            self._early = data
            self._loop.call_soon(self._again, data, _TURNS_EARLY)
            return
        self._heard(data, is_lone)

    def _again(self, data: bytes, turns: int) -> None:
        """What came early, when the task may be back; after some turns of the event loop it is aiohttp's."""
        if self._early is not data or self.transport is None:
            return
        is_lone = self._is_idle()
        if is_lone or not turns:
            self._early = b""
            self._heard(data, is_lone)
        else:
            self._loop.call_soon(self._again, data, turns - 1)

    def _heard(self, data: bytes, is_lone: bool) -> None:
        if is_lone and self._passport is not None and not self._load.is_draining and self._answered(data):
            return
        if not is_lone:
            # aiohttp's parser may hold half a head, or expect a body: until the next answer nobody can tell.
            self._passport = None
        self._hand_over(data, is_lone)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._lending.take(self._lent)
        self._lent = -1
        if self._head_due is not None:
            self._head_due.cancel()
        picture, self._picture, self._held = self._picture, None, b""
        if picture is not None:
            self._leave(picture)
            self._services.metrics.request("rendered", "gone", time.perf_counter() - picture.start, 0)
        super().connection_lost(exc)

    # -- aiohttp's

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

    def _hand_over(self, data: bytes, is_lone: bool) -> None:
        self._asked = data if is_lone else b""
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

    def _process_keepalive(self) -> None:
        if self._picture is not None or self._lent >= 0:  # aiohttp takes the connection for idle
            self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        super()._process_keepalive()

    def _is_busy(self) -> bool:
        """Whether a whole request is here that has not been answered."""
        return bool(self._messages) or self._request_in_progress

    def _head_is_late(self) -> None:
        """Part of a head came, and the rest did not: whoever sends so (Slowloris) would hold a connection for ever."""
        if not self._is_busy() and self.transport is not None:
            self.transport.write(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            self.force_close()

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
            and self._picture is None
            and self.transport is not None
            and not self.transport.get_write_buffer_size()
        )

    # -- the short way

    def learn(self, request: web.Request, ranges: tuple[MediaRange, ...]) -> None:
        """See `passport.Learner`."""
        self._passport = passport_for(self._asked, request, ranges, self._loop.time()) or self._passport

    def _answered(self, data: bytes) -> bool:
        """Whether the request is answered, or will be, from here."""
        passport, start, generation = self._passport, time.perf_counter(), self._lending.generation()
        assert passport is not None and self.transport is not None
        plan = self._plans.find(data, passport)
        found = ADDRESS.match(data) if plan is None else None
        if plan is None and (found is None or data[found.end() :] != passport.block):
            return False
        if self._loop.time() > passport.until:
            self._passport = None
            return False
        if plan is not None:
            if is_current(self._services, plan):
                return not self._turns.is_busy(passport.client) and self._sent(data, plan, passport, start, generation)
            found = ADDRESS.match(data)
        assert found is not None
        _, study, series, instance, form, frame, kind, query = found.groups(b"")
        if kind:
            if form not in (b"", b"frames"):
                return False
            return self._begun(data, passport, (study, series, instance, frame, kind, query))
        if not frame or self._turns.is_busy(passport.client):
            return False  # no instance; or the client has an order for its answers, which the handler keeps to
        names = (part.decode("ascii") for part in (study, series, instance, form, frame))
        plan = frame_plan(self._services, passport, *names)
        if plan is None or not self._sent(data, plan, passport, start, generation):
            return False
        self._plans.keep(data, passport, plan)
        return True

    def _sent(self, data: bytes, plan: FramePlan, passport: Passport, start: float, generation: int) -> bool:
        """`generation`: of the archive, from before the plan was found to be good."""
        assert self.transport is not None
        socket = self._socket()

        def keep(file: int, offset: int) -> None:
            if self._lend(socket, plan, passport):
                body, head = plan.body, quick_lines(plan, passport)
                self._lending.plan(data, generation, head, body.head, body.tail, file, offset, body.size)

        try:
            rest = quick_frame(self._services, self._load, passport, socket, plan, start, keep)
        except (OSError, EngineError):  # the client has gone, or the disk in the middle of the frame
            self.transport.abort()
            return True
        if rest is None:
            return False
        self._send(rest)
        return True

    def _lend(self, socket: int, plan: FramePlan, passport: Passport) -> bool:
        assert self.transport is not None
        if plan.body.timing or self.transport.get_extra_info("sslcontext") is not None:
            return False  # of a pack, which may be another one without the archive's number knowing
        if self._lending.lend(self, socket, passport.block, passport.until):
            self._lent = socket
            self.transport.pause_reading()
        return self._lent >= 0

    @property
    def client(self) -> str:
        """See `lending.Borrower`."""
        return "" if self._passport is None else self._passport.client

    def returned(self, heard: bytes, unsent: bytes, *, is_broken: bool) -> None:
        """See `lending.Borrower`."""
        self._lent = -1
        if self.transport is None or self.transport.is_closing():
            return
        if is_broken:
            self.transport.abort()
            return
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        if unsent:
            self.transport.write(unsent)
        self.transport.resume_reading()
        if heard:
            self.data_received(heard)

    def _socket(self) -> int:
        """The descriptor, for who writes past the transport while that has nothing to write."""
        assert self.transport is not None
        return int(self.transport.get_extra_info("socket").fileno())

    def _begun(self, data: bytes, passport: Passport, parts: tuple[bytes, ...]) -> bool:
        try:
            self._load.enter(passport.client)
        except TooBusy:
            return False  # the handler says so
        picture = QuickPicture.begin(self._services, passport, self._wish_of, data, parts)
        if picture is None:
            self._load.leave(passport.client)
            return False
        self._picture = picture
        picture.flight.future.add_done_callback(self._made)
        return True

    def _made(self, future: asyncio.Future[bytes]) -> None:
        picture = self._picture
        if picture is None or picture.flight.future is not future:
            return  # the client has gone
        self._picture = None
        self._leave(picture)
        held, self._held = self._held, b""
        if self.transport is None:
            return
        if future.cancelled() or future.exception() is not None:
            self._hand_over(picture.request, is_lone=True)  # the handler says why
        else:
            body = future.result()
            self._services.metrics.request("rendered", "2xx", time.perf_counter() - picture.start, len(body))
            self._send(picture.answer(body, self._load))
            if self._load.is_draining:
                self.force_close()
                return
        if held:
            self.transport.resume_reading()
            self.data_received(held)

    def _leave(self, picture: QuickPicture) -> None:
        picture.flight.future.remove_done_callback(self._made)
        self._services.frames.leave(picture.flight)
        self._load.leave(picture.passport.client)

    def _send(self, answer: bytes | bytearray) -> None:
        assert self.transport is not None
        self.quick_count += 1
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        if answer:
            self.transport.write(answer)


class Doors(web.Server):
    """Makes a `Door` for each connection."""

    services: Services
    load: Load
    wish_of: WishOf
    turns: Turns
    plans: FramePlans
    lending: Lending

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
        server.turns, server.plans = self.app[TURNS], FramePlans()
        server.lending = Lending(server.services, server.load, asyncio.get_running_loop())
        server.turns.began = lambda client: server.lending.take_all_of(frozenset({client}))
        server.wish_of = wishes(server.services.settings)
        return server

    async def cleanup(self) -> None:
        server = self.server
        await super().cleanup()
        if isinstance(server, Doors):
            server.lending.close()
