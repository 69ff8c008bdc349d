"""Answers in the order that a client wants them in: a little of the most urgent at a time, through the scheduler (RFC 9218 10)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from engine.limits import KIB
from engine.stream.turns import Turn
from engine.web.client import client_of
from engine.web.priority import Priority, priority_of
from engine.web.services import TURNS

# What the kernel may hold of an answer beyond what is on the wire: more could not be overtaken any more.
_UNSENT_BYTES = 16 * KIB
_UNSENT_ANY = 0  # what net.ipv4.tcp_notsent_lowat says
_STALL_S = 1.0  # a client that takes nothing for so long does not hold up its other connections
_WRITE_DEADLINE_S = 60.0


def ordering(request: web.Request) -> Priority | None:
    """Whether an answer goes in turns, and how urgently.

    One whose client says so; and then also those of the same client that say nothing, as long as the first is under way.
    """
    found = priority_of(request)
    if found is None and request.app[TURNS].is_busy(client_of(request)):
        return Priority()
    return found


class InTurn:
    """Takes the body of one answer, piece by piece."""

    def __init__(self, request: web.Request, response: web.StreamResponse, turn: Turn) -> None:
        self._request, self._response, self._turn = request, response, turn

    async def send(self, data: memoryview) -> None:
        """Waits for a turn, and until the socket took what went.

        Raises
        ------
        TimeoutError : nothing went for a minute.
        """
        while data:
            piece = data[: await self._turn.wait()]
            going = asyncio.ensure_future(self._write(piece))
            try:
                await asyncio.wait((going,), timeout=_STALL_S)
                if not going.done():
                    self._turn.stand_aside()
                    # A wait of aiohttp's that was cancelled once cannot be waited for again: so not by `asyncio.timeout`.
                    await asyncio.wait((going,), timeout=_WRITE_DEADLINE_S)
                if not going.done():
                    raise TimeoutError
                going.result()
            finally:
                if not going.done():
                    going.cancel()
                elif not going.cancelled():
                    going.exception()  # seen, also where this task is being cancelled
            self._turn.took(len(piece))
            data = data[len(piece) :]

    async def _write(self, piece: memoryview) -> None:
        await self._response.write(piece)
        await self._request.writer.drain()


@asynccontextmanager
async def in_turn(
    request: web.Request, response: web.StreamResponse, size: int, priority: Priority
) -> AsyncIterator[InTurn]:
    """For a body of `size` bytes; the connection has hardly any buffer meanwhile."""
    turn = request.app[TURNS].begin(client_of(request), size, priority.urgency, is_incremental=priority.is_incremental)
    transport = request.transport
    line = None if transport is None else transport.get_extra_info("socket")
    try:
        if transport is not None and line is not None:
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES)
            transport.set_write_buffer_limits(0)
        yield InTurn(request, response, turn)
    finally:
        turn.close()
        if transport is not None and line is not None and not transport.is_closing():
            transport.set_write_buffer_limits()
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_ANY)
