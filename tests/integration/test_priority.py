"""RFC 9218 at the door: of a client's answers the more urgent goes first, on whichever connection; nobody is held up for ever."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from data import make_instance
from serving import Serving

AT = "/dicom-web/studies/1.2.3/series/1.2.3.4/instances/1.2.3.4.1/frames/1"
SIDE = 2000  # 8 MB: much more than the kernel holds of both ends
BYTES = 2 * SIDE * SIDE
IN_BUFFERS_MAX = 1024 * 1024  # of the other one, which are on their way when the urgent one is asked for


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("priority") / "archive", "--workers", "1") as running:
        pixels = bytes(range(256)) * (BYTES // 256)
        assert running.store(make_instance(rows=SIDE, columns=SIDE, pixels=pixels)).status_code == 200
        yield running


class Body:
    """A frame that comes on a connection of its own; the client's end holds little of it."""

    def __init__(self, server: Serving, priority: str, query: str = "") -> None:
        parts = urlsplit(server.url)
        assert parts.hostname is not None
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        self.socket.settimeout(20)
        self.socket.connect((parts.hostname, parts.port))
        header = f"Priority: {priority}\r\n" if priority else ""
        self.socket.sendall(
            f"GET {AT}{query} HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept: application/octet-stream\r\n{header}\r\n".encode()
        )
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.socket.recv(65536)
        assert head.startswith(b"HTTP/1.1 200 ")
        assert f"Content-Length: {BYTES}\r\n".encode() in head
        self.got = bytearray(head.partition(b"\r\n\r\n")[2])

    def more(self) -> None:
        piece = self.socket.recv(65536)
        assert piece
        self.got += piece

    @property
    def is_complete(self) -> bool:
        return len(self.got) == BYTES


def read_until(wanted: Body, other: Body) -> int:
    """Take what comes of both until one is complete; how much came of the other one meanwhile."""
    before = len(other.got)
    while not wanted.is_complete:
        ready, _, _ = select.select([one.socket for one in (wanted, other) if not one.is_complete], [], [], 20)
        assert ready
        for one in (wanted, other):
            if one.socket in ready:
                one.more()
    return len(other.got) - before


@pytest.mark.parametrize(("late", "query"), [("u=1", ""), ("", "?priority=u=1"), ("", "?priority=u%3D1")])
def test_the_urgent_one_overtakes(server: Serving, late: str, query: str) -> None:
    first = Body(server, "u=6")
    while len(first.got) < 500_000:
        first.more()
    urgent = Body(server, late, query)
    assert read_until(urgent, first) < IN_BUFFERS_MAX
    while not first.is_complete:
        first.more()
    assert first.got == urgent.got == bytes(range(256)) * (BYTES // 256)
    first.socket.close()
    urgent.socket.close()


def test_what_says_nothing_is_of_urgency_3(server: Serving) -> None:
    least = Body(server, "u=7, i")
    while len(least.got) < 500_000:
        least.more()
    plain = Body(server, "")
    assert read_until(plain, least) < IN_BUFFERS_MAX
    most = Body(server, "u=0")
    assert read_until(most, least) < IN_BUFFERS_MAX
    for one in (least, plain, most):
        one.socket.close()


def test_incremental_ones_come_together(server: Serving) -> None:
    both = Body(server, "u=2, i"), Body(server, "u=2, i")
    read_until(*both)
    assert len(both[1].got) > BYTES // 2
    for one in both:
        one.socket.close()


def test_one_that_is_not_read_holds_up_nobody(server: Serving) -> None:
    stuck = Body(server, "u=0")
    other = Body(server, "u=5")
    while not other.is_complete:  # and nothing is taken of the first
        other.more()
    while not stuck.is_complete:
        stuck.more()
    assert stuck.got == other.got
    stuck.socket.close()
    other.socket.close()


def test_one_that_goes_away_leaves_its_place(server: Serving) -> None:
    for _ in range(20):
        Body(server, "u=0").socket.close()
    last = Body(server, "u=7")
    while not last.is_complete:
        last.more()
    last.socket.close()
    assert server.get(AT, "application/octet-stream", Priority="u=1", Range="bytes=0-9").content == bytes(range(10))
    assert server.session.head(server.url + AT, headers={"Priority": "u=1"}, timeout=20).status_code == 200
