"""A reader of the stream that was written from docs/stream.md alone, for tests of the server."""

from __future__ import annotations

import asyncio
import json
import struct
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
from serving import Serving


class Reader:
    """Decodes records, keeps frames, says what it got."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket, self.got = socket, 0
        self.message_bytes = 0  # of binary messages, heads and tables too
        self.tables: dict[int, dict[str, Any]] = {}
        self.resumed: dict[int, bool] = {}
        self.frames: dict[tuple[int, int], bytearray] = {}
        self.texts: list[dict[str, Any]] = []
        self.order: list[int] = []
        self.held_most = 0  # bytes of frames at any moment
        self.pictures: list[tuple[int, int, int, bytes]] = []  # series, position, number, file
        self.records: list[tuple[int, int, int, int]] = []  # kind, series, position, count of each that brought bytes

    async def say(self, **word: object) -> None:
        await self.socket.send_str(json.dumps(word))

    async def hear(self) -> None:
        message = await self.socket.receive(timeout=10)
        if message.type is aiohttp.WSMsgType.TEXT:
            self.texts.append(json.loads(message.data))
            return
        assert message.type is aiohttp.WSMsgType.BINARY, message
        data, at = message.data, 0
        self.message_bytes += len(data)
        while at < len(data):
            kind, level, _, series, _, position, detail, length = struct.unpack_from("<BBHIIIII", data, at)
            payload = data[at + 24 : at + 24 + length]
            assert len(payload) == length
            at += 24 + length
            if kind == 4:
                self.tables[series], self.resumed[series] = json.loads(zlib.decompress(payload)), bool(detail)
            elif kind == 1:
                frame = self.frames.setdefault((series, position), bytearray())
                assert len(frame) == detail, "every byte once, in order"
                frame += payload
                self.got += length
                self.order.append(position)
                self.records.append((kind, series, position, 1))
            elif kind == 2:
                begin = 0
                for other in range(position, position + detail):
                    ends = self.tables[series]["frames"][other][7:]
                    end = ends[max(0, level - self.tables[series]["levels"] + len(ends))]
                    self.frames[series, other] = bytearray(payload[begin : begin + end])
                    begin += end
                assert begin == length
                self.got += length
                self.records.append((kind, series, position, detail))
            elif kind == 3:
                del self.frames[series, position][detail:]
            elif kind == 5:
                self.pictures.append((series, position, detail, bytes(payload)))
                self.got += length
            self.held_most = max(self.held_most, sum(map(len, self.frames.values())))
        await self.say(type="got", bytes=self.got)

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not done():
                await self.hear()

    def is_whole(self, series: int) -> bool:
        rows = self.tables.get(series, {}).get("frames", [])
        return bool(rows) and all(len(self.frames.get((series, at), b"")) == row[-1] for at, row in enumerate(rows))


def converse(server: Serving, talk: Callable[[Reader], Awaitable[None]], **options: Any) -> None:
    async def run() -> None:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(
                f"{server.url}/stream", protocols=("voxcast.stream.v1",), max_msg_size=0, **options
            ) as socket,
        ):
            await talk(Reader(socket))

    asyncio.run(run())
