"""SIGTERM with requests under way: they are finished, nobody new is let in, kept-alive connections end, and a stuck one is cut."""

from __future__ import annotations

import contextlib
import http.client
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from data import make_instance
from serving import BOUNDARY, Serving, multipart

FRAME = "/dicom-web/studies/1.2.3/series/1.2.3.4/instances/1.2.3.4.1/frames/1"
STOW = {"Content-Type": f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'}


@pytest.fixture
def server(tmp_path: Path) -> Serving:
    return Serving(tmp_path / "archive", "--workers", "2").start()


def connect(server: Serving) -> http.client.HTTPConnection:
    url = urlsplit(server.url)
    assert url.hostname is not None
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=20)
    connection.connect()
    return connection


def begin_upload(connection: http.client.HTTPConnection, body: bytes, now: int) -> None:
    connection.putrequest("POST", "/dicom-web/studies")
    for name, value in {**STOW, "Content-Length": str(len(body))}.items():
        connection.putheader(name, value)
    connection.endheaders(body[:now])


def until_refused(server: Serving) -> None:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            connect(server).close()
        except ConnectionRefusedError:
            return
        time.sleep(0.05)
    raise AssertionError("connections are still taken")


def ends(server: Serving, seconds: float) -> int:
    code = server.process.wait(seconds)
    server._close()
    return code


def test_an_upload_under_way_is_taken_to_its_end(server: Serving) -> None:
    body = multipart(*(make_instance(f"1.2.3.4.{i}", number=i, rows=200, columns=200) for i in range(1, 9)))
    connection = connect(server)
    begin_upload(connection, body, len(body) // 3)
    time.sleep(0.3)  # its handler has begun
    server.process.terminate()
    until_refused(server)
    for at in range(len(body) // 3, len(body), 50_000):
        connection.send(body[at : at + 50_000])
        time.sleep(0.1)
    answer = connection.getresponse()
    assert answer.status == 200
    assert answer.getheader("Connection") == "close"
    answer.read()
    connection.close()
    assert ends(server, 10) == 0
    with Serving(server.archive) as again:
        assert len(again.get("/dicom-web/studies/1.2.3/instances").json()) == 8


def test_a_download_under_way_comes_whole(server: Serving) -> None:
    content = make_instance(rows=1500, columns=1500)
    assert server.store(content).status_code == 200
    server.session.close()
    connection = connect(server)
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    connection.request("GET", FRAME.partition("/frames")[0], headers={"Accept": "application/dicom"})
    answer = connection.getresponse()
    got = answer.read(100_000)
    server.process.terminate()
    until_refused(server)
    while piece := answer.read(1_000_000):
        got += piece
        time.sleep(0.05)
    assert got == content
    connection.close()
    assert ends(server, 10) == 0


def test_kept_connections_are_served_once_more_and_end(server: Serving) -> None:
    assert server.store(make_instance()).status_code == 200
    server.session.close()
    body = multipart(make_instance("1.2.3.4.2"))
    holder, idle, reader = connect(server), connect(server), connect(server)
    for _ in range(2):  # the second of two frames goes out by the short way
        reader.request("GET", FRAME)
        reader.getresponse().read()
    begin_upload(holder, body, 100)
    time.sleep(0.3)
    server.process.terminate()
    until_refused(server)
    reader.request("GET", FRAME)
    with contextlib.suppress(
        http.client.RemoteDisconnected, ConnectionResetError
    ):  # of a worker that had nothing to do
        answer = reader.getresponse()
        assert (answer.status, answer.getheader("Connection")) == (200, "close")
        assert len(answer.read()) > 32
    holder.send(body[100:])
    assert holder.getresponse().status == 200
    began = time.monotonic()
    assert ends(server, 10) == 0
    assert time.monotonic() - began < 4, "an idle connection holds nothing up"
    assert idle.sock.recv(10) == b""


def test_a_client_that_never_ends_is_cut(server: Serving) -> None:
    body = multipart(make_instance())
    connection = connect(server)
    begin_upload(connection, body, len(body) // 2)
    time.sleep(0.3)
    began = time.monotonic()
    server.process.terminate()
    assert ends(server, 15) == 0
    assert time.monotonic() - began < 11
    with contextlib.suppress(ConnectionError):
        assert connection.sock.recv(1) in (b"", b"H")
    with Serving(server.archive) as again:
        assert again.get("/dicom-web/studies").status_code == 204
