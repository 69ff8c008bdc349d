"""The benchmark's client reads every form of an answer, piece by piece, and refuses what is none."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from benchmarks import load
from benchmarks.client import BadAnswer, Connection, Response, first_part, parse_boundary, parse_head

Serve = Callable[[list[bytes]], Connection]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """A server that answers the n-th request with the n-th text, some bytes at a time, then hangs up."""
    opened: list[Connection] = []
    threads: list[threading.Thread] = []

    def start(answers: list[bytes]) -> Connection:
        listener = socket.create_server(("127.0.0.1", 0))

        def run() -> None:
            with contextlib.closing(listener), contextlib.closing(listener.accept()[0]) as peer:
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for answer in answers:
                    asked = b""
                    while b"\r\n\r\n" not in asked:
                        asked += peer.recv(4096)
                    for at in range(0, len(answer), 7):
                        peer.sendall(answer[at : at + 7])
                        time.sleep(0.0002)

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        opened.append(Connection("127.0.0.1", listener.getsockname()[1], buffer_bytes=16, seconds_max=10))
        return opened[-1]

    yield start
    for connection in opened:
        connection.close()
    for thread in threads:
        thread.join(10)


def test_answers_of_known_length_and_in_chunks_on_one_connection(serve: Serve) -> None:
    connection = serve(
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: 26\r\nX-A: b:c\r\n\r\nabcdefghijklmnopqrstuvwxyz",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=1\r\n0123456789\r\n0\r\n\r\n",
            b'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 5\r\n\r\n',
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno",
        ]
    )
    first = connection.get("/", {"Accept": "x"})
    assert (first.status, first.body, first.headers["x-a"]) == (200, b"abcdefghijklmnopqrstuvwxyz", "b:c")
    assert connection.get("/").body == b"abc0123456789"
    assert (third := connection.get("/")).status == 304
    assert third.headers["etag"] == '"x"'
    assert connection.get("/").body == b"no"


def test_an_answer_that_is_cut_is_none(serve: Serve) -> None:
    with pytest.raises(BadAnswer, match="closed"):
        serve([b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc"]).get("/")
    with pytest.raises(BadAnswer, match="end"):
        serve([b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc"]).get("/")


def test_a_request_is_what_a_server_expects() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connection = Connection("127.0.0.1", listener.getsockname()[1])
        host = f"Host: 127.0.0.1:{listener.getsockname()[1]}".encode()
        assert connection.prepare("/a?b=c", {"Accept": "x"}) == b"GET /a?b=c HTTP/1.1\r\n%s\r\nAccept: x\r\n\r\n" % host
        head = connection.prepare("/a", method="POST", body_bytes=7)
        assert head == b"POST /a HTTP/1.1\r\n%s\r\nContent-Length: 7\r\n\r\n" % host
        connection.close()


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1", b"HTTP/1.1 abc OK", b"FTP 200 OK"])
def test_what_is_no_status_line(head: bytes) -> None:
    with pytest.raises(BadAnswer):
        parse_head(head)


@pytest.mark.parametrize(
    "kind",
    [
        'multipart/related; type="application/octet-stream; transfer-syntax=1.2.840"; boundary=b-1',
        'multipart/related;boundary="b-1";type="image/jp2"',
        "multipart/related; Boundary=b-1",
    ],
)
def test_the_first_part(kind: str) -> None:
    body = b"--b-1\r\nContent-Type: x\r\n\r\n\x00\r\n--b\x01\r\n--b-1\r\nContent-Type: x\r\n\r\nsecond\r\n--b-1--\r\n"
    assert first_part(Response(200, {"content-type": kind}, body)) == b"\x00\r\n--b\x01"


def test_an_answer_of_one_part_and_one_without_boundary() -> None:
    assert first_part(Response(200, {"content-type": "image/jpeg"}, b"x")) == b"x"
    with pytest.raises(BadAnswer):
        parse_boundary("multipart/related; type=x")


def test_the_output_of_a_load_generator() -> None:
    line = '{"requests":300,"seconds":1.5,"bytes":3000000,"errors":0,"p50_ms":0.4,"p99_ms":2.5}'
    done = load.parse(f"Running 1s test\n  1 threads\n{line}\n", "wrk")
    assert done == load.Load(200.0, 1.5, 2.0, 0.4, 2.5, "wrk")
    for bad in ("nothing", line.replace('"errors":0', '"errors":3'), line.replace("300,", "0,")):
        with pytest.raises(BadAnswer):
            load.parse(bad, "wrk")


@pytest.mark.parametrize("has_wrk", [True, False])
def test_load_of_several_connections(has_wrk: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if has_wrk and not load.shutil.which("wrk"):
        pytest.skip("wrk is not installed")
    if not has_wrk:
        monkeypatch.setattr(load.shutil, "which", lambda name: None)
    asked: set[bytes] = set()
    peers: list[socket.socket] = []
    body = bytes(5000)

    def answer(peer: socket.socket) -> None:
        with contextlib.suppress(ConnectionError):  # the generator hangs up when its time is over
            while request := peer.recv(65536):
                asked.add(request.split(b" ")[1])
                peer.sendall(
                    b"HTTP/1.1 %d OK\r\nContent-Length: 5000\r\n\r\n" % (200 if b"Accept: x" in request else 400) + body
                )

    def accept(listener: socket.socket) -> None:
        while True:
            try:
                peers.append(listener.accept()[0])
            except OSError:
                return
            threading.Thread(target=answer, args=(peers[-1],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        done = load.run("127.0.0.1", listener.getsockname()[1], ["/a", "/b"], {"Accept": "x"}, 2, 1.0)
        listener.shutdown(socket.SHUT_RDWR)
    for peer in peers:
        peer.close()
    assert done.generator == ("wrk" if has_wrk else "python")
    assert asked == {b"/a", b"/b"}
    assert done.requests_per_s > 1
    assert 0 < done.p50_ms <= done.p99_ms
    assert done.mb_per_s == pytest.approx(done.requests_per_s * 5000 / 1e6, rel=0.1)
