"""Senders of metadata and bulk data that are slow, or leave in the middle: they are told, and nothing of them remains."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

from in_process import InProcess
from serving import Serving

from engine.limits import Limits

KIND = 'Content-Type: multipart/related; type="application/dicom+json"; boundary=b'
PART = b"--b\r\nContent-Type: application/octet-stream\r\nContent-Location: bulk/1\r\n\r\n"


def connect(url: str, length: int) -> socket.socket:
    where = urlsplit(url)
    assert where.hostname and where.port
    connection = socket.create_connection((where.hostname, where.port), 20)
    head = f"POST /dicom-web/studies HTTP/1.1\r\nHost: {where.netloc}\r\n{KIND}\r\nContent-Length: {length}\r\n\r\n"
    connection.sendall(head.encode())
    return connection


def test_a_body_that_stands_still_or_trickles_is_408(tmp_path: Path) -> None:
    with InProcess(tmp_path, Limits(request_body_s_max=1)) as server:
        still = connect(f"http://127.0.0.1:{server.port}", 100_000)
        still.sendall(PART)
        assert still.recv(65536).startswith(b"HTTP/1.1 408 ")
        still.close()
        trickle = connect(f"http://127.0.0.1:{server.port}", 100_000)
        trickle.settimeout(0.2)
        answer = b""
        for _ in range(40):  # a byte every 0.2 s never meets the deadline of one piece
            trickle.sendall(b"-")
            try:
                answer = trickle.recv(65536)
                break
            except TimeoutError:
                continue
        assert answer.startswith(b"HTTP/1.1 408 ")
        trickle.close()


def test_who_leaves_in_the_middle_of_a_large_part_leaves_nothing(tmp_path: Path) -> None:
    with Serving(tmp_path / "archive") as server:
        folder = server.archive / "segments"
        before = sorted(folder.iterdir())
        leaver = connect(server.url, 200 * 1024 * 1024)
        leaver.sendall(PART)
        piece = bytes(1024 * 1024)
        for _ in range(40):  # beyond limits.spool_bytes: it is on the disk by now
            leaver.sendall(piece)
        assert until(lambda: len(list(folder.iterdir())) > len(before))
        leaver.close()
        assert until(lambda: sorted(folder.iterdir()) == before)
        assert server.get("/readyz").status_code == 200


def until(holds: object, seconds: float = 15.0) -> bool:
    """Whether it comes true in that time."""
    assert callable(holds)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.05)
    return False
