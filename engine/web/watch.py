"""Waiting for a change: one look at the index four times a second for all who wait, and none while nobody does.

Another process may have written the change, so the index itself is asked: a read transaction and three gets, some 20 µs.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import Executor

from aiohttp import web

from engine.errors import TooBusy

_EVERY_S = 0.25


class Watch:
    """One event loop.

    Parameters
    ----------
    last : number of the newest change; blocks, so it runs on `pool`
    waiting_max : so many may wait at once
    """

    def __init__(self, last: Callable[[], int], pool: Executor, waiting_max: int) -> None:
        self._last, self._pool, self._waiting_max = last, pool, waiting_max
        self._waiting = 0
        self._turn = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None
        self.seen = 0
        self.is_closed = False

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """One who waits, while the block runs; `TooBusy` when too many do."""
        if self._waiting >= self._waiting_max:
            raise TooBusy("waiting (limits.waiting_clients_max)", 5)
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1
            if not self._waiting and self._looking is not None:
                self._looking.cancel()
                self._looking = None

    async def beyond(self, since: int, seconds: float) -> bool:
        """Whether there is a change behind `since`, within that time; False at once when the server stops.

        Call it inside `place`. Raises what looking at the index has raised.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self.is_closed:
                    if self.seen > since:
                        return True
                    if self._looking is None or self._looking.done():
                        self._looking = asyncio.create_task(self._look())
                    await self._turn.wait()
                    if self._failure is not None:
                        raise self._failure
        return False

    def close(self) -> None:
        """The server stops: nobody waits any longer."""
        self.is_closed = True
        self._tell()

    async def _look(self) -> None:
        self._failure = None
        loop = asyncio.get_running_loop()
        while True:
            try:
                self.seen = await loop.run_in_executor(self._pool, self._last)
            except Exception as error:  # noqa: BLE001 - those who wait raise it
                self._failure = error
                self._tell()
                return
            self._tell()
            await asyncio.sleep(_EVERY_S)

    def _tell(self) -> None:
        """Wakes all who wait at this moment, and nobody later."""
        told, self._turn = self._turn, asyncio.Event()
        told.set()


WATCH: web.AppKey[Watch] = web.AppKey("watch", Watch)
