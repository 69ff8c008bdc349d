"""How much is under way in this process, in all and for each client; too much is refused at the door (invariant 7)."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from aiohttp import web

from engine.errors import TooBusy
from engine.limits import Limits


class Load:
    """One event loop."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._by_client: dict[str, int] = {}
        self._total = 0
        self._ids = itertools.count(1)
        self._process = f"{os.getpid():x}"
        self._idle = asyncio.Event()
        self.is_draining = False

    def numbers(self, kind: str) -> str:
        """What stands in front of ids that somebody else counts.

        `kind` is a letter beyond f: the numbers of `next_id` are hexadecimal, and no two ids may meet.
        """
        assert len(kind) == 1 and "f" < kind <= "z", kind
        return f"{self._process}-{kind}"

    def next_id(self) -> str:
        """An id that no other request on this machine has while this process lives."""
        return f"{self._process}-{next(self._ids):x}"

    @contextmanager
    def admitted(self, client: str) -> Iterator[None]:
        """Counts one request while the block runs; `TooBusy` beyond the limits."""
        self.enter(client)
        try:
            yield
        finally:
            self.leave(client)

    def enter(self, client: str) -> None:
        """Count one request until `leave`; `TooBusy`, and not counted, beyond the limits."""
        if self._total >= self._limits.requests_max:
            raise TooBusy("request")
        if self._by_client.get(client, 0) >= self._limits.client_requests_max:
            raise TooBusy("request (limits.client_requests_max for one client)")
        self._count(client, 1)

    def leave(self, client: str) -> None:
        self._count(client, -1)

    @contextmanager
    def paused(self, client: str) -> Iterator[None]:
        """An admitted request that only waits does not count meanwhile (what bounds the waiting is `Watch.place`)."""
        self._count(client, -1)
        try:
            yield
        finally:
            self._count(client, 1)

    @property
    def is_idle(self) -> bool:
        """Nothing is under way but what only waits (`paused`)."""
        return not self._total

    async def drain(self, seconds: float) -> None:
        """The server stops: every answer from now on ends its connection; waits until nothing is under way."""
        self.is_draining = True
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._total:
                    self._idle.clear()
                    await self._idle.wait()

    def _count(self, client: str, change: int) -> None:
        self._total += change
        left = self._by_client.get(client, 0) + change
        if left:
            self._by_client[client] = left
        else:
            del self._by_client[client]
        if not self._total:
            self._idle.set()


LOAD: web.AppKey[Load] = web.AppKey("load", Load)
