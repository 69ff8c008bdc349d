"""Who waits for renditions of a series hears when there are some: one task of the process looks at the folder of packs for all."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor

from engine.stream.opened import OpenedSeries, OpenSeries

_LOG = logging.getLogger(__name__)
_EVERY_S = 0.5  # a `stat` for each series that somebody waits for: 1.5 microseconds


class Readiness:
    """One event loop; looking is done on `index`."""

    def __init__(self, series: OpenedSeries, index: Executor) -> None:
        self._series, self._index = series, index
        self._waiting: dict[object, tuple[OpenSeries, Callable[[], None]]] = {}
        self._task: asyncio.Task[None] | None = None

    def watch(self, key: object, opened: OpenSeries, tell: Callable[[], None]) -> None:
        """Call `tell` once, when there is more of the series than when it was opened; in place of what that key waited for."""
        self._waiting[key] = opened, tell
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look())

    def forget(self, key: object) -> None:
        """Nobody waits there any more. No harm when nobody did."""
        self._waiting.pop(key, None)

    def close(self) -> None:
        """The end of its task."""
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            await asyncio.sleep(_EVERY_S)
            wanted = {id(opened): opened for opened, _ in self._waiting.values()}
            try:
                ready = await loop.run_in_executor(self._index, self._ready, list(wanted.values()))
            except OSError as error:  # of the folder; those who wait go on with what they have
                _LOG.error("packs cannot be looked for: %s", error)
                continue
            for key, (opened, tell) in list(self._waiting.items()):
                if id(opened) in ready and self._waiting.pop(key, None) is not None:
                    tell()

    def _ready(self, opened: list[OpenSeries]) -> set[int]:
        return {id(one) for one in opened if self._series.has_more(one)}
