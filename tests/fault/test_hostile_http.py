"""What is no request, too long or too slow: a clear answer, the connection closed, nothing of it in the log, others served."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from serving import Serving

END = b"Host: localhost\r\nConnection: close\r\n\r\n"
STOW = b"POST /dicom-web/studies HTTP/1.1\r\nContent-Length: 3\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "quick.toml").write_text("[limits]\nrequest_head_s_max = 2\nrequest_body_s_max = 2\n")
    with Serving(folder / "archive", "--workers", "1", "--config", str(folder / "quick.toml")) as running:
        yield running


def connect(server: Serving) -> socket.socket:
    url = urlsplit(server.url)
    connection = socket.create_connection((url.hostname, url.port))
    connection.settimeout(20)
    return connection


def everything(connection: socket.socket) -> bytes:
    got = b""
    try:
        while piece := connection.recv(65536):
            got += piece
    except ConnectionResetError:
        pass  # it was closed before all that was sent had been read
    return got


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /dicom-web/studies?PatientName=" + b"a" * 20_000 + b" HTTP/1.1\r\n" + END, 414),
        (b"GET / HTTP/1.1\r\nX-Long: " + b"a" * 20_000 + b"\r\n" + END, 431),
        (b"GET / HTTP/1.1\r\nX-" + b"a" * 20_000 + b": a\r\n" + END, 431),
        (b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: a\r\n" % i for i in range(500)) + END, 431),
        (b"GET / HTTP/1.1\r\nX y: a\r\n" + END, 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"BREW / HTTP/1.1\r\n" + END, 501),
        (b"GET / HTTP/9.7\r\n" + END, 400),
        (STOW + b"Content-Type: application/dicom\r\nContent-Encoding: br\r\n" + END + b"abc", 415),
        (STOW + b"Content-Type: text/html\r\n" + END + b"abc", 415),
        (b"GET /dicom-web/studies HTTP/1.1\r\nAccept: text/html\r\n" + END, 406),
        (b"POST /metrics HTTP/1.1\r\nContent-Length: 0\r\n" + END, 405),
    ],
    ids=lambda value: value if isinstance(value, int) else "",
)
def test_what_cannot_be_taken_has_its_status(server: Serving, sent: bytes, status: int) -> None:
    connection = connect(server)
    for at in range(0, len(sent), 5000):  # a long line comes in pieces
        connection.sendall(sent[at : at + 5000])
        time.sleep(0.02)
    head, _, body = everything(connection).partition(b"\r\n\r\n")
    connection.close()
    assert head.split(b" ")[1] == str(status).encode(), head
    assert b"application/problem+json" in head
    told = json.loads(body)
    assert told["status"] == status
    assert "aaaa" not in told["detail"]
    assert server.get("/healthz").status_code == 200


def test_headers_that_never_end_cost_their_sender_the_connection(server: Serving) -> None:
    slow = [connect(server) for _ in range(100)]
    began = time.monotonic()
    for connection in slow:
        connection.sendall(b"GET /dicom-web/studies HTTP/1.1\r\nHost: local")
    alive = set(slow)
    while alive and time.monotonic() - began < 15:
        for connection in list(alive):
            try:
                connection.sendall(b"x")  # a letter now and then does not help
                connection.settimeout(0.001)
                assert connection.recv(100) in (
                    b"",
                    b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                )
                alive.discard(connection)
            except TimeoutError:
                continue
            except ConnectionError:
                alive.discard(connection)
        assert server.get("/healthz").status_code == 200
        time.sleep(0.2)
    assert not alive
    assert 1.5 < time.monotonic() - began < 10
    for connection in slow:
        connection.close()


def test_a_kept_connection_has_the_deadline_for_each_head(server: Serving) -> None:
    connection = connect(server)
    for _ in range(2):
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: loc")
        time.sleep(1.2)  # longer in all than one head may take
        connection.sendall(b"alhost\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
    time.sleep(2.5)  # between requests nobody is in a hurry
    connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /heal")
    assert connection.recv(4096).startswith(b"HTTP/1.1 200")
    connection.close()


def begun(server: Serving, source: str = "127.0.0.1") -> socket.socket:
    """An upload that has begun, and is not at its end."""
    url = urlsplit(server.url)
    connection = socket.create_connection((url.hostname, url.port), source_address=(source, 0))
    connection.settimeout(20)
    connection.sendall(
        b"POST /dicom-web/studies HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/dicom\r\n"
        b"Content-Length: 100000\r\n\r\n" + bytes(200)
    )
    return connection


@pytest.mark.parametrize("is_trickling", [False, True])
def test_a_body_that_does_not_come_is_given_up(server: Serving, is_trickling: bool) -> None:
    connection, began = begun(server), time.monotonic()
    connection.settimeout(0.1)
    got = b""
    while not got and time.monotonic() - began < 15:
        try:
            if is_trickling:
                connection.sendall(b"\0" * 20)
            got = connection.recv(4096)
        except TimeoutError:
            continue
    assert got.startswith(b"HTTP/1.1 408"), got
    assert 1.5 < time.monotonic() - began < 10
    connection.close()
    assert server.get("/dicom-web/studies").status_code == 204


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """Five places for each client, and the usual patience with bodies: those that hold a place must still hold it."""
    folder = tmp_path_factory.mktemp("narrow")
    (folder / "narrow.toml").write_text("[limits]\nclient_requests_max = 5\n")
    with Serving(folder / "archive", "--workers", "1", "--config", str(folder / "narrow.toml")) as running:
        yield running


def test_one_client_cannot_take_every_place(narrow: Serving) -> None:
    server = narrow
    held = [begun(server) for _ in range(5)]
    deadline = time.monotonic() + 20
    while (refused := server.get("/dicom-web/studies")).status_code != 503 and time.monotonic() < deadline:
        pass
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) >= 1
    assert "limits.client_requests_max" in refused.json()["detail"]
    other = begun(server, "127.0.0.2")
    other.close()
    url = urlsplit(server.url)
    elsewhere = socket.create_connection((url.hostname, url.port), source_address=("127.0.0.2", 0))
    elsewhere.sendall(b"GET /dicom-web/studies HTTP/1.1\r\n" + END)
    assert elsewhere.recv(4096).startswith(b"HTTP/1.1 204"), "another client is served"
    elsewhere.close()
    for connection in held:
        connection.close()
    while (again := server.get("/dicom-web/studies")).status_code != 204 and time.monotonic() < deadline + 20:
        pass
    assert again.status_code == 204


def test_nothing_of_an_unreadable_request_is_in_the_log(tmp_path: Path) -> None:
    server = Serving(tmp_path / "archive", "--workers", "1").start()
    connection = connect(server)
    connection.sendall(b"GET /dicom-web/studies?PatientName=MUSTERMANN" + b"a" * 20_000 + b" HTTP/1.1\r\n" + END)
    assert b" 414 " in everything(connection)
    connection.close()
    server.session.close()
    server.process.terminate()
    _, log = server.process.communicate(timeout=20)
    assert "the address is too long" in log
    assert "MUSTERMANN" not in log
    assert "Traceback" not in log
