"""The courier on pairs of sockets: byte for byte what it was told, and back with everything else."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import lmdb
import pytest

from engine._native import CommitMark, Courier

BLOCK = b"Host: here\r\nAccept: */*\r\n\r\n"
BODY = bytes(range(256)) * 1024
LIMITS = (0.001, 1.0)


def request(name: str, block: bytes = BLOCK) -> bytes:
    return f"GET /{name} HTTP/1.1\r\n".encode() + block


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


class Place:
    """A courier, a file that it sends from, and an index whose commits it heeds."""

    def __init__(self, folder: Path, plans_max: int = 10) -> None:
        self.env = lmdb.open(str(folder), lib_version=0)
        self.commit()  # the first meta page has a number of its own only then
        self.mark = CommitMark(str(folder / "data.mdb"), self.env.stat()["psize"])
        (folder / "frames").write_bytes(BODY)
        self.file = os.open(folder / "frames", os.O_RDONLY)
        self.courier = Courier("pid-c", "voxcast", plans_max, LIMITS)
        self.pairs: list[tuple[socket.socket, socket.socket]] = []

    def commit(self) -> None:
        with self.env.begin(write=True) as txn:
            txn.put(b"at", str(time.monotonic_ns()).encode())

    def client(self, until: float = 60.0) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", 0))
        theirs = socket.create_connection(listener.getsockname(), timeout=5)
        ours, _ = listener.accept()
        ours.setblocking(False)  # as those of an event loop are
        listener.close()
        self.pairs.append((ours, theirs))
        assert self.courier.lend(ours.fileno(), BLOCK, time.monotonic() + until)
        return theirs

    def plan(self, name: str, offset: int = 0, length: int = 1000, behind: bytes = b"--end--") -> None:
        head = f"Content-Length: {length + 2 + len(behind)}\r\n"
        self.courier.plan(request(name), self.mark.read(), head, b"<<", behind, self.file, offset, length)

    def serve(self) -> tuple[int, list[tuple[int, bytes, bytes, bool]]]:
        """How many were answered, and what came back."""
        number, seconds, size, within, returns = self.courier.serve(self.mark, 0.01, -1, 0.0)
        assert number == sum(within)
        assert (seconds > 0, size > 0) == (number > 0, number > 0)
        return number, returns


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    for pair in made.pairs:
        for one in pair:
            one.close()
    os.close(made.file)
    made.env.close()


def answer(client: socket.socket) -> tuple[dict[str, str], bytes]:
    got = b""
    while b"\r\n\r\n" not in got:
        got += client.recv(65536)
    head, _, body = got.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    assert status == "HTTP/1.1 200 OK"
    headers = dict(line.split(": ", 1) for line in lines)
    while len(body) < int(headers["Content-Length"]):
        body += client.recv(65536)
    return headers, body


def test_what_was_planned_is_answered(place: Place) -> None:
    clients = [place.client() for _ in range(3)]
    place.plan("a", 5, 1000)
    place.plan("b", 0, len(BODY), b"")
    for turn in range(20):
        for at, client in enumerate(clients):
            client.sendall(request("ab"[(turn + at) % 2]))
        number = 0
        while number < 3:
            some, returns = place.serve()
            assert not returns
            number += some
        for at, client in enumerate(clients):
            headers, body = answer(client)
            assert body == (b"<<" + BODY if (turn + at) % 2 else b"<<" + BODY[5:1005] + b"--end--")
            assert headers["Server"] == "voxcast"
            assert headers["X-Request-Id"].startswith("pid-c")
            assert headers["Server-Timing"].startswith("read;dur=0.")
            assert headers["Date"].endswith(" GMT")


@pytest.mark.parametrize(
    "heard",
    [
        request("unknown"),
        request("a", BLOCK.replace(b"here", b"there")),
        request("a")[:-1],
        request("a") * 2,
        request("a") + b"x",
        b"\r\n" + request("a"),
        request("a").replace(b"GET", b"get"),
        b"\0" * 2048,
        b"x" * 2048,
        b"\n",
    ],
)
def test_anything_else_comes_back_as_it_came(place: Place, heard: bytes) -> None:
    client = place.client()
    ours = place.pairs[0][0]
    place.plan("a")
    client.sendall(heard)
    time.sleep(0.01)
    assert place.serve() == (0, [(ours.fileno(), heard, b"", False)])
    assert place.courier.lent == 0
    client.sendall(request("a"))
    time.sleep(0.01)
    assert place.serve() == (0, []), "it is not heard any more"
    assert ours.recv(4096) == request("a")


def test_a_commit_ends_all_plans(place: Place) -> None:
    client = place.client()
    place.plan("a")
    place.commit()
    client.sendall(request("a"))
    time.sleep(0.01)
    [(_, heard, unsent, is_broken)] = place.serve()[1]
    assert (heard, unsent, is_broken) == (request("a"), b"", False)
    client = place.client()
    place.plan("b")
    assert place.courier.plans == 1, "the others went with the number"
    client.sendall(request("b"))
    time.sleep(0.01)
    assert place.serve() == (1, [])


def test_a_plan_of_an_earlier_number_is_never_used(place: Place) -> None:
    client = place.client()
    number = place.mark.read()
    place.commit()
    place.courier.plan(request("a"), number, "Content-Length: 1\r\n", b"", b"", place.file, 0, 1)
    client.sendall(request("a"))
    time.sleep(0.01)
    assert place.serve()[0] == 0


def test_a_passport_that_is_over_is_none(place: Place) -> None:
    client = place.client(until=-0.1)
    place.plan("a")
    client.sendall(request("a"))
    time.sleep(0.01)
    number, [(_, heard, _, _)] = place.serve()
    assert (number, heard) == (0, request("a"))


def test_who_ends_comes_back_with_nothing(place: Place) -> None:
    place.client().close()
    time.sleep(0.01)
    number, [(descriptor, heard, unsent, is_broken)] = place.serve()
    assert (number, heard, unsent, is_broken) == (0, b"", b"", False)
    assert place.pairs[0][0].fileno() == descriptor
    assert place.pairs[0][0].recv(1) == b""


def test_what_the_socket_does_not_take_comes_back(place: Place) -> None:
    client = place.client()
    ours = place.pairs[0][0]
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    place.plan("a", 0, len(BODY))
    client.sendall(request("a"))
    time.sleep(0.01)
    number, [(_, heard, unsent, is_broken)] = place.serve()
    assert (number, heard, is_broken) == (1, b"", False)
    assert 0 < len(unsent) < len(BODY)
    got = b""
    while not got.endswith(b"--end--"):
        if unsent:
            with contextlib.suppress(BlockingIOError):
                unsent = unsent[ours.send(unsent) :]
        got += client.recv(65536)
    assert got.partition(b"\r\n\r\n")[2] == b"<<" + BODY + b"--end--"


def test_a_file_that_ends_before_its_frame_breaks_the_answer_off(place: Place) -> None:
    client = place.client()
    place.plan("a", 0, len(BODY))
    client.sendall(request("a"))
    time.sleep(0.01)
    assert place.serve() == (1, [])
    answer(client)
    os.truncate(f"/proc/self/fd/{place.file}", 1000)
    client.sendall(request("a"))
    time.sleep(0.01)
    [(_, _, unsent, is_broken)] = place.serve()[1]
    assert is_broken
    assert not unsent


def test_room_and_files_are_bounded(place: Place, tmp_path: Path) -> None:
    place.client()
    before = descriptors()
    for n in range(35):
        place.plan(f"{n}")
        assert place.courier.plans <= 10
    assert descriptors() == before + 1, "one file, kept open once"
    place.courier.plan(b"x" * 4096, place.mark.read(), "", b"", b"", place.file, 0, 1)
    assert place.courier.plans == 5
    place.courier.forget()
    assert (place.courier.plans, descriptors()) == (0, before)


def test_taken_is_not_heard(place: Place) -> None:
    client = place.client()
    ours = place.pairs[0][0]
    place.plan("a")
    assert place.courier.take(ours.fileno())
    assert not place.courier.take(ours.fileno())
    client.sendall(request("a"))
    time.sleep(0.01)
    assert place.serve() == (0, [])
    assert ours.recv(4096) == request("a")
