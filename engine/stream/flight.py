"""Equal work once: all who ask for the same thing at the same time wait for one doing of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


class SingleFlight:
    """One event loop. Work is cancelled when the last one who waits for it goes away (invariant 7)."""

    def __init__(self) -> None:
        self._tasks: dict[Hashable, asyncio.Task[Any]] = {}
        self._waiting: dict[Hashable, int] = {}

    async def run(self, key: Hashable, work: Callable[[], Awaitable[T]]) -> T:
        """The result of `work`, or of the equal work that is under way already."""
        task = self._tasks.get(key)
        if task is None:
            task = asyncio.ensure_future(work())
            assert task is not None
            self._tasks[key] = task
            task.add_done_callback(lambda done: self._forget(key, done))
        self._waiting[key] = self._waiting.get(key, 0) + 1
        try:
            return await asyncio.shield(task)
        finally:
            self._waiting[key] -= 1
            if self._waiting[key] == 0:
                del self._waiting[key]
                if not task.done():
                    self._forget(key, task)
                    task.cancel()

    def _forget(self, key: Hashable, task: asyncio.Task[Any]) -> None:
        if self._tasks.get(key) is task:
            del self._tasks[key]
        if not task.cancelled() and task.done():
            task.exception()  # seen: whoever still waits gets it, and nobody else is told of it
