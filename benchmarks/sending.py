"""What it costs to bring bytes of a pack to a socket as WebSocket messages: ways side by side, by the sender's processor time.

    python -m benchmarks.sending [--megabytes 400]

One process, one connection on loopback, a program that throws away what comes; a file of 64 MB that the page cache has. Messages of
8 KiB (a chunk on a slow line), 64 KiB (the longest chunk) and 170 KB (a whole CT slice). Ways:

- *thread*: views of the mapped file, joined on a thread, sent by aiohttp's writer: as it was;
- *read, write*: read in one call behind the record's head, given to the transport with the frame's head (`PackRecords`);
- *sendmsg*: views of the mapped file handed to the socket itself, the rest to the transport;
- *sendfile*: heads with ``MSG_MORE``, then the file inside the kernel (`send_range`);
- *aiofastnet*: as *read, write*, over its transport; where it is installed.

Trap: processor time is all that the process uses, the kernel's copying on its behalf too; on loopback that is also part of the
receiving, so ways differ by less than on a network card. Time on the clock is not asked.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import importlib.metadata
import mmap
import os
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import uvloop
from aiohttp._websocket.writer import WebSocketWriter
from aiohttp.base_protocol import BaseProtocol

from benchmarks.measure import Report
from engine._native import PackRecords, send_range
from engine.stream.framing import Record, head
from engine.web.stream import frame_head

SIZES = {"8 KiB": 8192, "64 KiB": 65536, "170 kB": 170_000}
FILE_BYTES = 64_000_000
TURNS = 5
_DRAIN = """
import socket, sys
there, room = socket.create_connection(("127.0.0.1", int(sys.argv[1]))), bytearray(1 << 20)
while there.recv_into(room):
    pass
"""
_WAITING_MAX = 256 * 1024
Serve = Callable[[Callable[[], BaseProtocol]], Awaitable[asyncio.Server]]
Way = Callable[[int], Awaitable[None]]  # sends the message that begins at this byte of the file


class Protocol(BaseProtocol):
    """Waits where the transport has enough."""

    async def drain(self) -> None:
        if self._paused:
            await self._drain_helper()


class Ways:
    """One connection and one size; every way sends the same bytes."""

    def __init__(self, protocol: Protocol, file: int, view: memoryview, size: int, pool: ThreadPoolExecutor) -> None:
        assert protocol.transport is not None
        self._protocol, self._transport, self._file, self._view = protocol, protocol.transport, file, view
        self._size, self._pool = size, pool
        self._writer = WebSocketWriter(protocol, protocol.transport)
        self._socket = protocol.transport.get_extra_info("socket")
        count = FILE_BYTES // size
        self._records = PackRecords(
            file, 1, array("q", [size] * count), array("q", [n for at in range(count) for n in (0, 0, at * size)])
        )

    def ways(self) -> dict[str, Way]:
        return {"thread": self.thread, "read, write": self.read, "sendmsg": self.sendmsg, "sendfile": self.sendfile}

    async def thread(self, at: int) -> None:
        parts = [self._head(at), self._view[at : at + self._size]]
        message = await asyncio.get_running_loop().run_in_executor(self._pool, b"".join, parts)
        await self._writer.send_frame(message, 2)
        await self._protocol.drain()

    async def read(self, at: int) -> None:
        found = self._records.messages([(1, 0, 0, 0, at // self._size, 1, 0, self._size, b"")], 1 << 20)
        assert found is not None
        self._transport.writelines((frame_head(len(found[0])), found[0]))
        await self._protocol.drain()

    async def sendmsg(self, at: int) -> None:
        view, ahead = self._view[at : at + self._size], frame_head(24 + self._size) + self._head(at)
        sent = 0
        if not self._transport.get_write_buffer_size():
            try:
                sent = os.writev(self._socket.fileno(), [ahead, view])
            except BlockingIOError:
                sent = 0
        if sent < len(ahead) + len(view):
            rest = b"".join((ahead, view))[sent:]
            self._transport.write(rest)
        await self._protocol.drain()

    async def sendfile(self, at: int) -> None:
        ahead = frame_head(24 + self._size) + self._head(at)
        sent: int | None = 0
        if not self._transport.get_write_buffer_size():
            sent = send_range(self._socket.fileno(), ahead, self._file, at, self._size, b"")
        if sent is None or sent < len(ahead) + self._size:
            self._transport.write(b"".join((ahead, self._view[at : at + self._size]))[sent or 0 :])
        await self._protocol.drain()

    def _head(self, at: int) -> bytes:
        return head(Record.CHUNK, 1, position=at // self._size, length=self._size)


async def measured(way: Way, size: int, megabytes: int, protocol: Protocol) -> float:
    """Microseconds of processor time for a megabyte."""
    count, last = max(1, megabytes * 1_000_000 // size), FILE_BYTES // size
    before = time.process_time()
    for number in range(count):
        await way(number % last * size)
        if number % 16 == 0:
            await asyncio.sleep(0)  # as a server with other things to do: the transport writes at the end of a turn
    assert protocol.transport is not None
    while protocol.transport.get_write_buffer_size():  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0.0005)
    return (time.process_time() - before) * 1e6 / (count * size / 1e6)


async def connected(make: Serve) -> tuple[Protocol, subprocess.Popen[bytes]]:
    """A connection to a program that reads."""
    loop = asyncio.get_running_loop()
    made: asyncio.Future[Protocol] = loop.create_future()

    class Accepting(Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            made.set_result(self)

    server = await make(lambda: Accepting(loop))
    port = server.sockets[0].getsockname()[1]
    reader = subprocess.Popen([sys.executable, "-c", _DRAIN, str(port)])  # noqa: ASYNC220 - nothing else goes on
    return await asyncio.wait_for(made, 20), reader


async def run(megabytes: int, report: Report, file: int, view: memoryview) -> None:
    loop = asyncio.get_running_loop()
    protocol, reader = await connected(lambda make: loop.create_server(make, "127.0.0.1", 0))
    readers = [reader]
    fast: Protocol | None = None
    try:
        module = importlib.import_module("aiofastnet")
    except ImportError:
        missing = {"aiofastnet": "not installed"}
    else:
        missing = {}
        report.versions["aiofastnet"] = importlib.metadata.version("aiofastnet")
        fast, reader = await connected(lambda make: module.create_server(loop, make, "127.0.0.1", 0))
        readers.append(reader)
    try:
        with ThreadPoolExecutor(1) as pool:
            for name, size in SIZES.items():
                ways = {way: (call, protocol) for way, call in Ways(protocol, file, view, size, pool).ways().items()}
                if fast is not None:
                    ways["aiofastnet"] = (Ways(fast, file, view, size, pool).read, fast)
                samples: dict[str, list[float]] = {way: [] for way in ways}
                for turn in range(-1, TURNS):
                    for way, (call, over) in ways.items():
                        took = await measured(call, size, megabytes, over)
                        if turn >= 0:
                            samples[way].append(took)
                report.add(f"messages of {name}", "µs of CPU a MB", samples, subject="read, write", missing=missing)
    finally:
        for one in readers:
            one.kill()
            one.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sending", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=400, help="for each way, size and turn")
    options = parser.parse_args()
    report = Report("sending", "bytes of a pack to a socket")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pack"
        path.write_bytes(os.urandom(1_000_000) * (FILE_BYTES // 1_000_000))
        file = os.open(path, os.O_RDONLY)
        with mmap.mmap(file, FILE_BYTES, prot=mmap.PROT_READ) as mapped:
            view = memoryview(mapped)
            uvloop.run(run(options.megabytes, report, file, view))
            view.release()
        os.close(file)
    report.finish()


if __name__ == "__main__":
    main()
