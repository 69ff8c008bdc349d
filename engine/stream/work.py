"""One piece of blocking work on a named executor, its waiting and its doing timed (invariant 6)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from typing import TypeVar

from engine.types import Timings

T = TypeVar("T")


async def on_pool(pool: Executor, step: str, timings: Timings, work: Callable[[], T]) -> T:
    """Run `work` on `pool`; its time is added to `step` (none when empty), the time before it to ``queue``.

    A cancelled await drops work that has not begun; what has begun ends by itself and is not looked at.
    """
    queued = time.perf_counter()

    def timed() -> T:
        start = time.perf_counter()
        timings.add("queue", (start - queued) * 1e3)
        try:
            return work()
        finally:
            if step:
                timings.add(step, (time.perf_counter() - start) * 1e3)

    return await asyncio.get_running_loop().run_in_executor(pool, timed)


def quickly(
    pool: Executor, timings: Timings, work: Callable[[], T | None], otherwise: Callable[[], Awaitable[T]]
) -> asyncio.Future[T]:
    """As `on_pool` for work that measures itself, without a task: half of what a hop to a thread and back costs.

    Parameters
    ----------
    otherwise : what is awaited when `work` gives None.
    """
    loop, queued = asyncio.get_running_loop(), time.perf_counter()
    result: asyncio.Future[T] = loop.create_future()

    def timed() -> None:
        timings.add("queue", (time.perf_counter() - queued) * 1e3)
        done, error = None, None
        try:
            done = work()
        except BaseException as raised:  # noqa: BLE001 - it is told to whoever waits
            error = raised
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, done, error)

    def settle(done: T | None, error: BaseException | None) -> None:
        if result.done():
            return  # nobody waits any more
        if error is not None:
            result.set_exception(error)
        elif done is not None:
            result.set_result(done)
        else:
            rest = asyncio.ensure_future(otherwise())
            result.add_done_callback(lambda _: rest.cancel())
            rest.add_done_callback(take_over)

    def take_over(rest: asyncio.Future[T]) -> None:
        if result.done() or rest.cancelled():
            result.cancel()
        elif (error := rest.exception()) is not None:
            result.set_exception(error)
        else:
            result.set_result(rest.result())

    submitted = pool.submit(timed)
    result.add_done_callback(lambda _: submitted.cancel())
    return result
