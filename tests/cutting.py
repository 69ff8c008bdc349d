"""A link that can be cut: a TCP relay that counts what it carried and lets go of it in the middle of a byte stream."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from types import TracebackType


class Link:
    """``async with Link(host, port) as link: link.url``.

    Attributes
    ----------
    carried : bytes towards the client, of each connection.
    cut_after : when the present connection has carried so many bytes, it is cut, once.
    """

    def __init__(self, host: str, port: int, *, begun: Callable[[], None] = lambda: None) -> None:
        self._peer, self._begun = (host, port), begun
        self.carried: list[int] = []
        self.cut_after: int | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Link:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/stream"

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._begun()
        number = len(self.carried)
        self.carried.append(0)
        own = asyncio.current_task()
        assert own is not None
        self._tasks.add(own)
        peer_reader, peer_writer = await asyncio.open_connection(*self._peer)
        up = asyncio.create_task(self._pump(reader, peer_writer))
        try:
            while data := await peer_reader.read(4096):
                if self.cut_after is not None and self.carried[number] + len(data) >= self.cut_after:
                    data, self.cut_after = data[: self.cut_after - self.carried[number]], None
                    writer.write(data)
                    self.carried[number] += len(data)
                    break
                writer.write(data)
                self.carried[number] += len(data)
                await writer.drain()
        except ConnectionError:
            pass  # either side has gone: that is what it is for
        finally:
            up.cancel()
            writer.close()
            peer_writer.transport.abort()
            self._tasks.discard(own)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(4096):
                writer.write(data)
                await writer.drain()
