"""One piece of blocking work on a named executor, its waiting and its doing timed (invariant 6)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
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
