"""A client of ``voxcast.stream.v1`` from docs/stream.md: says where the hand is, notes what arrives, keeps no pixel."""

from __future__ import annotations

import asyncio
import json
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import aiohttp

from benchmarks.readers.arrivals import Arrivals
from benchmarks.readers.requesting import DRAWN_CENTER, DRAWN_END, DRAWN_QUALITY, DRAWN_WIDTH
from benchmarks.scroll.personas import Step

PROTOCOL = "voxcast.stream.v1"
_HEAD = struct.Struct("<BBHIIIII")
CHUNK, RUN, DROP, SERIES, PICTURE = 1, 2, 3, 4, 5


class BadStream(Exception):
    """The server said what docs/stream.md does not allow."""


class Records:
    """What the records say is held now, noted as it comes; nothing twice, nothing left out.

    Raises
    ------
    BadStream : from all methods.
    """

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self._ends: dict[int, tuple[int, list[list[int]]]] = {}  # of each series: levels, ends of each frame
        self._held: dict[tuple[int, int], int] = {}

    def table(self, series: int, packed: bytes) -> None:
        """The payload of a SERIES record."""
        said = json.loads(zlib.decompress(packed))
        self._ends[series] = said["levels"], [row[7:] for row in said["frames"]]

    def take(self, now: float, kind: int, level: int, series: int, position: int, detail: int, length: int) -> None:
        """Any other record, by its head."""
        if kind == CHUNK:
            self._hold(series, position, detail, detail + length)
            self._arrivals.note(now, series, position, (detail + length,), length)
        elif kind == RUN:
            ends = tuple(self._end(series, other, level) for other in range(position, position + detail))
            if sum(ends) != length:
                raise BadStream("a run has another length than its frames")
            for other, end in enumerate(ends, position):
                self._hold(series, other, 0, end)
            self._arrivals.note(now, series, position, ends, length)
        elif kind != DROP:
            raise BadStream(f"a record of kind {kind}")

    def _end(self, series: int, position: int, level: int) -> int:
        levels, ends = self._ends[series]
        own = ends[position]
        return own[max(0, level - levels + len(own))]

    def _hold(self, series: int, position: int, first: int, end: int) -> None:
        have = self._held.get((series, position), 0)
        if first != have:
            raise BadStream(f"bytes from {first} of a frame of which {have} are here")
        self._held[series, position] = end


class Streaming:
    """One session; a series for each viewport, under the viewport's number. One event loop.

    Parameters
    ----------
    series : of each viewport, its study and series UID.
    is_drawn : the server draws, each window anew; no neighbour is wanted while the window is dragged.
    """

    def __init__(
        self, socket: aiohttp.ClientWebSocketResponse, series: Sequence[tuple[str, str]], arrivals: Arrivals,
        *, side: int, is_loop: bool = False, is_drawn: bool = False,
    ) -> None:  # fmt: skip
        self._is_drawn, self._window = is_drawn, dict[int, int]()
        self._socket, self._series, self._arrivals = socket, series, arrivals
        self._records = Records(arrivals)
        self._side, self._is_loop = side, is_loop
        self._words: asyncio.Queue[str] = asyncio.Queue()
        self._got = 0
        self._opened: set[int] = set()
        self.overhead = 0

    def say(self, **word: Any) -> None:
        self._words.put_nowait(json.dumps(word))

    def moved(self, step: Step, velocity: float, direction: int) -> None:
        """The hand's word; opens the series with the first one of a viewport."""
        number = step.viewport
        if number not in self._opened:
            self._opened.add(number)
            study, series = self._series[number]
            self.say(type="open", series=number, study=study, seriesInstanceUID=series, approximate=True)
        more: dict[str, Any] = {}
        if self._is_drawn:
            width = DRAWN_WIDTH + step.window
            more["picture"] = {
                "number": step.window, "quality": DRAWN_QUALITY, "center": DRAWN_CENTER, "width": width,
            }  # fmt: skip
            if self._window.get(number) != step.window:
                self._window[number], more["reach"] = step.window, 0
        self.look(number, step.position, velocity=velocity, direction=direction, **more)

    def look(self, number: int, position: int, **more: Any) -> None:
        """A viewport's demand."""
        self.say(
            type="look", viewport=number, series=number, position=position, width=self._side, height=self._side,
            loop=self._is_loop, **more,
        )  # fmt: skip

    async def speak(self) -> None:
        """Send what is said, until cancelled."""
        while True:
            await self._socket.send_str(await self._words.get())

    async def listen(self) -> None:
        """Take what comes, until cancelled; raises BadStream, also when the session ends."""
        async for message in self._socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                word = json.loads(message.data)
                if word["type"] == "error":
                    raise BadStream(message.data)
            else:
                self._take(message.data)
                self.say(type="got", bytes=self._got)
        raise BadStream(f"the session ended with {self._socket.close_code}")

    def _take(self, data: bytes) -> None:
        at, now = 0, self._arrivals.now()
        while at < len(data):
            kind, level, _, series, _, position, detail, length = _HEAD.unpack_from(data, at)
            at += _HEAD.size
            if at + length > len(data):
                raise BadStream("a record is longer than its message")
            if kind == SERIES:
                self._records.table(series, data[at : at + length])
                self.overhead += length
            elif kind == PICTURE:
                self._arrivals.note(now, series, position, (DRAWN_END,), length, window=detail)
            else:
                self._records.take(now, kind, level, series, position, detail, length)
            self._got += length if kind in (CHUNK, RUN, PICTURE) else 0
            at += length
