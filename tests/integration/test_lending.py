"""Connections that native code answers: the same answers as ever, of what is there now, whatever clients do."""

from __future__ import annotations

import random
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import requests
from receiving import wait_until
from serving import Serving

from engine.web import lending
from tests.archives import incoming
from tests.data import make_instance
from tests.in_process import InProcess

SERIES = "/dicom-web/studies/1.2.3/series/1.2.3.4/instances"
ACCEPT = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'
SIDE, COUNT = 64, 12


def pixels(value: int) -> bytes:
    return np.full((SIDE, SIDE), value, np.uint16).tobytes()


def instance(number: int, value: int, received_ns: int = 1) -> object:
    made = make_instance(f"1.2.3.4.{number}", number=number, rows=SIDE, columns=SIDE, pixels=pixels(value))
    return incoming(made, received_ns=received_ns)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[InProcess]:
    with InProcess(tmp_path / "a") as running:
        running.archive.store([instance(n, n) for n in range(1, COUNT + 1)])
        yield running


class Client:
    """A connection by hand."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._head = f"Host: 127.0.0.1:{port}\r\nAccept: {ACCEPT}\r\n\r\n"
        self._left = b""

    def request(self, number: int) -> bytes:
        return f"GET {SERIES}/1.2.3.4.{number}/frames/1 HTTP/1.1\r\n{self._head}".encode()

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        while b"\r\n\r\n" not in self._left:
            self._left += self._more()
        head, _, self._left = self._left.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin_1").split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        while len(self._left) < int(headers["Content-Length"]):
            self._left += self._more()
        body, self._left = self._left[: int(headers["Content-Length"])], self._left[int(headers["Content-Length"]) :]
        return int(status.split()[1]), headers, body

    def get(self, number: int) -> tuple[int, dict[str, str], bytes]:
        self.socket.sendall(self.request(number))
        return self.answer()

    def _more(self) -> bytes:
        data = self.socket.recv(1 << 20)
        assert data, "the server has closed the connection"
        return data

    def vanish(self) -> None:
        """As a machine that has lost its power."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def lent(server: InProcess) -> Client:
    """A client whose connection native code has, with a plan for each instance."""
    client, before = Client(server.port), server.lending().answered
    for _ in range(20):
        for number in range(1, COUNT + 1):
            assert client.get(number)[0] == 200
        server.call(lambda: None)
        if server.lending().answered >= before + COUNT:
            return client
    raise AssertionError("it is never lent")


def test_no_index_and_no_python_for_what_is_planned(server: InProcess) -> None:
    client = lent(server)
    answered, gets, reads = server.lending().answered, server.archive.gets, server.archive.reads
    for number in (3, 1, 2, 3):
        status, headers, body = client.get(number)
        assert (status, pixels(number) in body) == (200, True)
        assert "-n" in headers["X-Request-Id"]
    server.call(lambda: None)
    assert server.lending().answered == answered + 4
    assert (server.archive.gets, server.archive.reads) == (gets, reads)
    text = server.services.metrics.text()
    total = next(
        line for line in text.splitlines() if line.startswith('voxcast_requests_total{kind="frame",code="2xx"}')
    )
    assert float(total.split()[-1]) >= answered + 4
    assert f'voxcast_request_seconds_count{{kind="frame"}} {total.split()[-1]}' in text


def test_the_headers_are_those_of_the_long_way(server: InProcess) -> None:
    long = Client(server.port).get(5)
    client = lent(server)
    native = client.get(5)
    assert "-n" in native[1]["X-Request-Id"]
    assert native[2] == long[2]
    moments = {"X-Request-Id", "Server-Timing", "Date"}
    assert native[1].keys() == long[1].keys()
    assert {k: v for k, v in native[1].items() if k not in moments} == {
        k: v for k, v in long[1].items() if k not in moments
    }


def test_replaced_and_deleted_are_seen_by_the_next_request(server: InProcess) -> None:
    client = lent(server)
    for turn in range(1, 20):
        server.archive.store([instance(4, 1000 + turn, received_ns=turn + 1)])
        assert pixels(1000 + turn) in client.get(4)[2]
        assert pixels(5) in client.get(5)[2]
    server.archive.delete(sop_uid="1.2.3.4.5")
    assert client.get(5)[0] == 404
    assert client.get(6)[0] == 200


def test_any_order_of_what_clients_do(server: InProcess) -> None:
    """Whole and half heads, pipelined ones, other requests, changes in between: every answer is of its request, and of now."""
    rng, values = random.Random(11), {n: n for n in range(1, COUNT + 1)}
    clients = [Client(server.port) for _ in range(5)]
    for step in range(1500):
        at = rng.randrange(len(clients))
        client, number, what = clients[at], rng.randint(1, COUNT), rng.random()
        if what < 0.7:
            wanted = [number]
            client.socket.sendall(client.request(number))
        elif what < 0.8:
            wanted = [rng.randint(1, COUNT) for _ in range(rng.randint(2, 4))]
            client.socket.sendall(b"".join(map(client.request, wanted)))
        elif what < 0.9:
            wanted, data = [number], client.request(number)
            cut = rng.randrange(1, len(data))
            client.socket.sendall(data[:cut])
            if rng.random() < 0.5:
                time.sleep(0.001)
            client.socket.sendall(data[cut:])
        elif what < 0.94:
            wanted = []
            client.socket.sendall(client.request(number).replace(b"/frames/1", b"/frames/9"))
            assert client.answer()[0] == 404
        elif what < 0.97:
            values[number] = 2000 + step
            server.archive.store([instance(number, values[number], received_ns=2 + step)])
            wanted = []
        else:
            client.vanish()
            clients[at], wanted = Client(server.port), []
        for one in wanted:
            status, _, body = clients[at].answer()
            assert status == 200
            assert pixels(values[one]) in body, (step, one)
    assert server.lending().answered > 200


def test_who_vanishes_leaves_nothing(server: InProcess) -> None:
    lent(server).vanish()
    wait_until(lambda: server.lending().lent == 0, "the connection comes back")
    for turn in range(200):
        client = Client(server.port)
        client.get(1)
        client.get(1)
        if turn % 2:
            client.socket.sendall(client.request(1))  # and does not wait for it
        client.vanish()
    wait_until(lambda: server.lending().lent == 0 and not server.doors(), "all have gone")
    assert lent(server).get(2)[0] == 200


def test_who_never_reads_holds_one_answer(tmp_path: Path) -> None:
    large = bytes(900 * 1024)
    with InProcess(tmp_path / "a") as server:
        server.archive.store([incoming(make_instance("1.2.3.4.1", rows=900, columns=512, pixels=large))])
        client = Client(server.port)
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 << 10)
        for _ in range(4):
            assert client.get(1)[0] == 200
        client.socket.settimeout(0.3)
        with pytest.raises(TimeoutError):
            for _ in range(100_000):
                client.socket.sendall(client.request(1))
        assert Client(server.port).get(1)[0] == 200
        held = sum(one.transport.get_write_buffer_size() for one in server.doors() if one.transport is not None)
        assert held <= 4 * len(large)


def test_a_server_that_stops_takes_its_connections_back(server: InProcess) -> None:
    client = lent(server)
    done = server.drain()
    wait_until(lambda: server.load().is_draining, "it stops")
    status, headers, _ = client.get(1)
    assert (status, headers["Connection"]) == (200, "close")
    done.result(10)
    assert server.lending().lent == 0


def test_a_client_with_bodies_in_turns_is_taken_back(server: InProcess) -> None:
    lent(server)
    server.call(lambda: server.turns().begin("127.0.0.1", 10).close())
    assert server.lending().lent == 0


def test_files_are_kept_open_for_clients_alone(server: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lending, "PASSPORT_S", 0.1)
    client = lent(server)
    assert server.lending().plans > 0
    wait_until(lambda: server.lending().lent == 0 and server.lending().plans == 0, "nothing is kept")
    assert client.get(1)[0] == 200


def test_no_two_answers_have_one_id(server: InProcess) -> None:
    """Whoever counts them: both are numbers to the base of 16."""
    load = server.load()
    others = {load.next_id() for _ in range(70_000)}
    assert not others & {f"{load.numbers('n')}{number:x}" for number in range(5000)}
    with pytest.raises(AssertionError):
        load.numbers("c")


def test_a_whole_server_does_it_too(tmp_path: Path) -> None:
    """Its event loop is another one."""
    with Serving(tmp_path / "archive", "--workers", "1") as running, requests.Session() as session:
        made = make_instance("1.2.3.4.1", rows=SIDE, columns=SIDE, pixels=pixels(7))
        assert running.store(made).status_code == 200
        ids = []
        for _ in range(300):
            answer = session.get(f"{running.url}{SERIES}/1.2.3.4.1/frames/1", headers={"Accept": ACCEPT}, timeout=10)
            assert answer.status_code == 200
            assert pixels(7) in answer.content
            ids.append(answer.headers["X-Request-Id"])
        assert sum("-n" in one for one in ids) > 100
        assert len(set(ids)) == len(ids)
