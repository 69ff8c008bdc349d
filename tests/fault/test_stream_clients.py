"""Clients of the stream that do not read, flood, vanish or come in crowds: each costs itself, and nobody else notices."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import numpy as np
import pytest
from pictures import image, part10
from serving import Serving
from stream_reader import Reader, converse

STUDY, COUNT, SIDE, MIB = "1.2.95", 40, 256, 1 << 20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A series of 5 MiB that nothing compresses."""
    with Serving(tmp_path_factory.mktemp("archive"), "--workers", "1") as serving:
        random = np.random.default_rng(3)
        instances = []
        for number in range(COUNT):
            ds = image(random.integers(0, 65536, (SIDE, SIDE), dtype=np.uint16), "CT")
            ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.InstanceNumber = STUDY, f"{STUDY}.1", number + 1
            ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"{STUDY}.1.{number + 1}"
            instances.append(part10(ds))
        assert serving.store(*instances).status_code == 200
        converse(serving, whole)  # what is loaded once is loaded
        yield serving


@pytest.fixture
def worker(server: Serving) -> Path:
    """``/proc`` of the process that serves."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            is_ours = os.getsid(int(folder.name)) == os.getsid(server.process.pid)
            if is_ours and b"engine.server.web_worker" in (folder / "cmdline").read_bytes():
                return folder
    raise AssertionError("no worker")


def resident(worker: Path) -> int:
    return int((worker / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def descriptors(worker: Path) -> int:
    return len(list((worker / "fd").iterdir()))


def threads(worker: Path) -> int:
    return len(list((worker / "task").iterdir()))


def settles(count: object, most: int) -> bool:
    """Whether `count()` comes down to `most` within some seconds."""
    for _ in range(200):
        if count() <= most:  # type: ignore[operator]
            return True
        time.sleep(0.05)
    return False


async def opened(reader: Reader, **more: object) -> None:
    await reader.say(type="hello", **more)
    await reader.say(type="open", series=1, study=STUDY, seriesInstanceUID=f"{STUDY}.1")
    await reader.say(type="look", viewport=1, series=1)


async def whole(reader: Reader) -> None:
    await opened(reader)
    await reader.until(lambda: reader.is_whole(1))


async def drawn(reader: Reader) -> None:
    await opened(reader)
    await reader.say(type="look", viewport=1, series=1, reach=COUNT, picture={"number": 1})
    await reader.until(lambda: len(reader.pictures) == COUNT)


class Silent:
    """A WebSocket by hand (RFC 6455) of a client that says things and never reads."""

    def __init__(self, server: Serving) -> None:
        address = urlsplit(server.url)
        self.socket = socket.create_connection((address.hostname, address.port), timeout=10)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET /stream HTTP/1.1\r\nHost: {address.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: voxcast.stream.v1\r\n\r\n".encode()
        )
        assert self.socket.recv(12) == b"HTTP/1.1 101"

    @staticmethod
    def frame(**word: object) -> bytes:
        text = json.dumps(word).encode()
        size = bytes([0x80 | len(text)]) if len(text) < 126 else b"\xfe" + struct.pack(">H", len(text))
        return b"\x81" + size + bytes(4) + text  # a mask of zeros leaves it as it is

    def say(self, **word: object) -> None:
        self.socket.sendall(self.frame(**word))

    def vanish(self) -> None:
        """A reset, as from a machine that has lost its power."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def test_clients_that_never_read_hold_a_window_each(server: Serving, worker: Path) -> None:
    before = resident(worker)
    silent = [Silent(server) for _ in range(20)]
    for client in silent:
        client.say(type="hello")
        client.say(type="open", series=1, study=STUDY, seriesInstanceUID=f"{STUDY}.1")
        client.say(type="look", viewport=1, series=1)
    converse(server, whole)
    assert resident(worker) - before < 24 * MIB, "twenty times 5 MiB would be a hundred"
    for client in silent:
        client.vanish()


def test_who_floods_and_never_reads_is_heard_no_more(server: Serving, worker: Path) -> None:
    before = resident(worker)
    client = Silent(server)
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 << 10)  # less that lies on its way
    client.say(type="hello")
    flood = Silent.frame(type="ping", value=1 << 50) * 1000
    client.socket.settimeout(3)
    said = 0
    with contextlib.suppress(TimeoutError, ConnectionError):  # or its deadline has passed
        while said < 64 * MIB:
            client.socket.sendall(flood)
            said += len(flood)
    assert said < 64 * MIB, "its line must fill up: the server reads no faster than it is allowed to, or not at all"
    converse(server, whole)
    assert resident(worker) - before < 24 * MIB
    client.vanish()


def test_a_session_never_has_its_client_hold_more_than_it_has_room_for(server: Serving) -> None:
    async def talk(reader: Reader) -> None:
        await opened(reader, memory=MIB)
        await reader.until(lambda: 1 in reader.tables)
        for position in (*range(0, COUNT, 2), 0):
            await reader.say(type="look", viewport=1, series=1, position=position)
            size = reader.tables[1]["frames"][position][-1]
            await reader.until(lambda at=position, size=size: len(reader.frames.get((1, at), b"")) == size)
        assert MIB // 2 < reader.held_most <= MIB
        assert reader.got > 2 * MIB, "what was dropped made room"

    converse(server, talk)


def test_floods_of_looks_of_one_session_leave_another_its_series(server: Serving) -> None:
    async def talk(reader: Reader) -> None:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{server.url}/stream", protocols=("voxcast.stream.v1",), max_msg_size=0) as socket,
        ):
            flooding = Reader(socket)
            await opened(flooding)

            async def flood() -> None:
                for number in range(20_000):
                    await flooding.say(type="look", viewport=number % 60, series=1, position=number % COUNT)

            task = asyncio.create_task(flood())
            await whole(reader)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    converse(server, talk)


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("[" * 100_000, 1008),
        ('{"type":"open","series":1,"held":[' + "[1,1]," * 100_000 + "[1,1]]}", 1008),  # long, and without its UIDs
        ("x" * (5 * MIB), 1009),
    ],
)
def test_garbage_and_huge_texts_end_the_session_that_said_them(server: Serving, word: str, code: int) -> None:
    async def talk(reader: Reader) -> None:
        await reader.say(type="hello")
        await reader.until(lambda: bool(reader.texts))
        try:
            await reader.socket.send_str(word)
        except ConnectionError:
            assert code == 1009, "a word that is too long need not be read to its end"
            return
        message = await reader.socket.receive(timeout=20)
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, code)

    converse(server, talk)
    converse(server, whole)


def vanishing(server: Serving, worker: Path, times: int) -> None:
    """In all states of a session: connected, greeted, opening, looking, drawing."""
    words = [
        {"type": "hello"},
        {"type": "open", "series": 1, "study": STUDY, "seriesInstanceUID": f"{STUDY}.1"},
        {"type": "look", "viewport": 1, "series": 1},
        {"type": "look", "viewport": 2, "series": 1, "picture": {"number": 1}},
    ]

    def vanish(count: int) -> None:
        for number in range(count):
            client = Silent(server)
            for word in words[: number % 5]:
                client.say(**word)
            client.vanish()

    converse(server, drawn)  # kernels take memory once, when the first picture is made
    vanish(50)
    converse(server, whole)
    files, running, before = descriptors(worker), threads(worker), resident(worker)
    vanish(times)
    assert settles(lambda: descriptors(worker), files + 2), "files are left open"
    assert threads(worker) <= running + 8, "threads of pools come as they are needed, and no others"
    assert resident(worker) - before < 24 * MIB
    # Only `limits.stream_sessions_max` are admitted (256): had they stayed, this one would not be.
    converse(server, whole)


def test_sessions_that_vanish_leave_nothing(server: Serving, worker: Path) -> None:
    vanishing(server, worker, 300)


@pytest.mark.torture
def test_a_thousand_sessions_that_vanish_leave_nothing(server: Serving, worker: Path) -> None:
    vanishing(server, worker, 1000)


def crowd(server: Serving, worker: Path, sessions: int) -> None:
    async def one(session: aiohttp.ClientSession, number: int) -> int:
        async with session.ws_connect(
            f"{server.url}/stream", protocols=("voxcast.stream.v1",), max_msg_size=0
        ) as socket:
            reader = Reader(socket)
            await opened(reader)
            await reader.say(type="look", viewport=1, series=1, position=number % COUNT)
            async with asyncio.timeout(240):
                while not reader.is_whole(1):
                    message_count = len(reader.records)
                    await reader.hear()
                    assert len(reader.records) >= message_count
            return reader.got

    async def all_of_them() -> list[int]:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            return await asyncio.gather(*(one(session, number) for number in range(sessions)))

    before = resident(worker)
    got = asyncio.run(all_of_them())
    assert len(set(got)) == 1, "each has the series, every byte once"
    assert resident(worker) - before < 0.5 * MIB * sessions + 16 * MIB


def test_a_crowd_of_sessions_gets_the_series_each(server: Serving, worker: Path) -> None:
    crowd(server, worker, 20)


@pytest.mark.torture
def test_two_hundred_sessions_get_the_series_each(server: Serving, worker: Path) -> None:
    crowd(server, worker, 200)
