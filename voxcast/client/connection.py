"""One WebSocket of a session: what is said waits in a small box, the last word of each kind; messages are handed on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import aiohttp

from voxcast.client.errors import ProtocolError
from voxcast.client.records import COUNTED, Record, records

PROTOCOL = "voxcast.stream.v1"
_MESSAGE_BYTES_MAX = 64 * 1024 * 1024  # a table of two million frames; chunks are some 100 KB
_HEARTBEAT_S = 20.0
_CONNECT_S = 15.0
_POLICY_VIOLATION = 1008


class Connection:
    """Made for each try; one event loop.

    Parameters
    ----------
    heard : called with this, and with each word of the server.
    took : called with each record; what it holds is to be copied.
    """

    def __init__(self, heard: Callable[[Connection, dict[str, Any]], None], took: Callable[[Record], None]) -> None:
        self._heard, self._took = heard, took
        self._box: dict[object, dict[str, Any]] = {}
        self._has_more = asyncio.Event()
        self._got = 0

    def say(self, key: object, word: dict[str, Any]) -> None:
        """A word, in place of one of that key that is not sent yet: the box never has more than there are viewports and series."""
        self._box.pop(key, None)
        self._box[key] = word
        self._has_more.set()

    def waiting(self, key: object) -> dict[str, Any] | None:
        """The word of that key that is not sent yet."""
        return self._box.get(key)

    async def run(self, http: aiohttp.ClientSession, url: str, **options: Any) -> None:
        """Until the connection ends, whatever ends it.

        Raises
        ------
        aiohttp.ClientError, OSError, TimeoutError : there is none.
        ProtocolError : the server does not take what was said, or says what cannot be understood.
        """
        async with asyncio.timeout(_CONNECT_S):
            socket = await http.ws_connect(
                url, protocols=(PROTOCOL,), heartbeat=_HEARTBEAT_S, max_msg_size=_MESSAGE_BYTES_MAX, **options
            )
        async with socket:
            if socket.protocol != PROTOCOL:
                raise ProtocolError(f"the server does not speak {PROTOCOL}")
            writing = asyncio.create_task(self._write(socket))
            try:
                await self._read(socket)
            finally:
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        while True:
            message = await socket.receive()
            if message.type is aiohttp.WSMsgType.TEXT:
                try:
                    word = json.loads(message.data)
                except ValueError:
                    raise ProtocolError("a word of the server that is no JSON") from None
                if isinstance(word, dict):
                    self._heard(self, word)
            elif message.type is aiohttp.WSMsgType.BINARY:
                before = self._got
                for record in records(message.data):
                    self._took(record)
                    if record.kind in COUNTED:
                        self._got += len(record.payload)
                if self._got != before:
                    self.say("got", {"type": "got", "bytes": self._got})
            elif message.type is aiohttp.WSMsgType.CLOSE and message.data == _POLICY_VIOLATION:
                raise ProtocolError(f"the server ended the session: {message.extra}")
            elif message.type is aiohttp.WSMsgType.ERROR and isinstance(message.data, aiohttp.WebSocketError):
                raise ProtocolError(str(message.data))
            else:
                return

    async def _write(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        while True:
            while not self._box:
                self._has_more.clear()
                await self._has_more.wait()
            key = next(iter(self._box))
            word = self._box.pop(key)
            try:
                await socket.send_str(json.dumps(word, separators=(",", ":")))
            except (ConnectionError, aiohttp.ClientError):
                return  # the reader sees the end, and says so
