"""Clients over HTTP/1.1: six connections in somebody's order, a series in one answer, and pictures that the server draws."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Protocol

import aiohttp

from benchmarks.readers.arrivals import Arrivals
from benchmarks.scroll.others import CONNECTIONS, Cornerstone
from benchmarks.scroll.personas import Step, Trace
from benchmarks.scroll.strategies import SIDE, Parcel

HTJ2K = "1.2.840.10008.1.2.4.202"
FRAME = f'multipart/related; type="image/jphc"; transfer-syntax={HTJ2K}'
INSTANCES = f'multipart/related; type="application/dicom"; transfer-syntax={HTJ2K}'
DRAWN_CENTER, DRAWN_WIDTH, DRAWN_QUALITY = 40, 300, 90
DRAWN_END = 1000  # a drawn picture is whole or not there
_NEWEST_OPEN_MAX = 2
Frame = tuple[tuple[int, int], int]


class BadAnswer(Exception):
    """Not what was asked for."""


class Order(Protocol):
    """Which frames are asked for next: when the hand moves, and when one has come."""

    def moved(self, step: Step, velocity: float, direction: int, now: float) -> list[object]: ...

    def arrived(self, parcel: Parcel, now: float) -> list[object]: ...


class InOrder:
    """The series from first to last, several by turns, whatever the hand does."""

    def __init__(self, trace: Trace, side: int) -> None:
        longest = max(trace.slices)
        self._left: deque[object] = deque(
            ((viewport, 0), position)
            for position in range(longest)
            for viewport, count in enumerate(trace.slices)
            if position < count
        )
        self._open = 0

    def moved(self, step: Step, velocity: float, direction: int, now: float) -> list[object]:
        return self._ask()

    def arrived(self, parcel: Parcel, now: float) -> list[object]:
        self._open -= 1
        return self._ask()

    def _ask(self) -> list[object]:
        words = []
        while self._left and self._open < CONNECTIONS:
            self._open += 1
            words.append(self._left.popleft())
        return words


class Newest:
    """The newest window only, a few requests under way."""

    def __init__(self, trace: Trace, side: int) -> None:
        self._wanted: object = None
        self._last: object = None
        self._open = 0

    def moved(self, step: Step, velocity: float, direction: int, now: float) -> list[object]:
        frame = ((step.viewport, step.window), step.position)
        if frame != self._last:
            self._last = self._wanted = frame
        return self._ask()

    def arrived(self, parcel: Parcel, now: float) -> list[object]:
        self._open -= 1
        return self._ask()

    def _ask(self) -> list[object]:
        if self._wanted is None or self._open >= _NEWEST_OPEN_MAX:
            return []
        self._open += 1
        asked, self._wanted = self._wanted, None
        return [asked]


ORDERS: dict[str, Any] = {"nearest": Cornerstone, "in order": InOrder, "newest": Newest}


class Requesting:
    """Frame by frame, as an `Order` says.

    Parameters
    ----------
    urls : of each viewport, of each position; ``{window}`` in them is replaced.
    """

    def __init__(
        self, session: aiohttp.ClientSession, urls: list[list[str]], accept: str, order: Order, arrivals: Arrivals,
        *, is_drawn: bool = False,
    ) -> None:  # fmt: skip
        self._session, self._urls, self._accept, self._order = session, urls, accept, order
        self._arrivals, self._is_drawn = arrivals, is_drawn
        self._tasks: set[asyncio.Task[None]] = set()
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def moved(self, step: Step, velocity: float, direction: int) -> None:
        self._ask(self._order.moved(step, velocity, direction, self._arrivals.now()))

    async def close(self) -> None:
        """Give up what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _ask(self, frames: list[object]) -> None:
        for frame in frames:
            task = asyncio.create_task(self._fetch(frame))  # type: ignore[arg-type]
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not self.failed.done():
            self.failed.set_exception(error)

    async def _fetch(self, frame: Frame) -> None:
        (viewport, window), position = frame
        url = self._urls[viewport][position]
        if self._is_drawn:
            url = url.replace("{window}", str(DRAWN_WIDTH + window))
        async with self._session.get(url, headers={"Accept": self._accept}) as answer:
            body = await answer.read()
            if answer.status != 200:
                raise BadAnswer(f"{url}: {answer.status} {body[:200]!r}")
        size = len(body) if "multipart" not in answer.headers.get("Content-Type", "") else _part_bytes(body)
        ends = (DRAWN_END if self._is_drawn else size,)
        self._arrivals.note(self._arrivals.now(), viewport, position, ends, len(body), window)
        self._ask(
            self._order.arrived(Parcel((viewport, window), position, ends, len(body), frame), self._arrivals.now())
        )


async def whole_series(
    session: aiohttp.ClientSession, url: str, viewport: int, sizes: list[int], arrivals: Arrivals
) -> None:
    """A series in one answer, in slice order; a slice can be shown when the boundary behind it is there."""
    async with session.get(url, headers={"Accept": INSTANCES}) as answer:
        if answer.status != 200:
            raise BadAnswer(f"{url}: {answer.status}")
        boundary = answer.content_type and answer.headers["Content-Type"].partition("boundary=")[2].split(";")[0].strip(
            '"'
        )
        mark = b"\r\n--" + str(boundary).encode()
        tail, position, size = b"", 0, 0
        async for data in answer.content.iter_any():
            size += len(data)
            count = (tail + data).count(mark)
            tail = (tail + data)[-(len(mark) - 1) :]
            for _ in range(count):
                if position < len(sizes):
                    arrivals.note(arrivals.now(), viewport, position, (sizes[position],), size)
                    position, size = position + 1, 0
        if position != len(sizes):
            raise BadAnswer(f"{url}: {position} of {len(sizes)} instances")


def _part_bytes(body: bytes) -> int:
    """Bytes of the one part of a multipart body."""
    begin = body.index(b"\r\n\r\n") + 4
    return body.rindex(b"\r\n--") - begin


def frame_urls(base: str, job: dict[str, Any]) -> list[str]:
    """Of each position, its frame by DICOMweb."""
    stem = f"{base}/dicom-web/studies/{job['study']}/series/{job['series']}/instances"
    return [f"{stem}/{sop}/frames/{number}" for sop, number in job["frames"]]


def drawn_urls(base: str, job: dict[str, Any]) -> list[str]:
    """Of each position, a picture of it through a window that is still to be said."""
    stem = f"{base}/dicom-web/studies/{job['study']}/series/{job['series']}/instances"
    more = f"rendered?window={DRAWN_CENTER},{{window}},linear&viewport={SIDE},{SIDE}&quality={DRAWN_QUALITY}"
    return [f"{stem}/{sop}/frames/{number}/{more}" for sop, number in job["frames"]]
