"""A transport over TLS: what came is acknowledged before more is waited for, so that a sender with Nagle's algorithm goes on."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from certificates import Authority

from engine.dimse.command import C_ECHO, Command, request
from engine.dimse.transport import Event, Transport
from engine.limits import Limits


@contextlib.contextmanager
def connected(folder: Path) -> Iterator[tuple[ssl.SSLSocket, ssl.SSLSocket]]:
    """Both ends of a TLS connection over loopback: the caller's, and the one that was called."""
    ours = Authority(folder, "ours")
    shown = ours.issue("server", "IP:127.0.0.1")
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(shown.certificate, shown.key)
    client = ssl.create_default_context(cafile=str(ours.certificate))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        got: list[ssl.SSLSocket] = []
        accepting = threading.Thread(
            target=lambda: got.append(server.wrap_socket(listening.accept()[0], server_side=True))
        )
        accepting.start()
        caller = client.wrap_socket(socket.create_connection(listening.getsockname(), 20), server_hostname="127.0.0.1")
        accepting.join(20)
    with caller, got[0] as called:
        yield caller, called


def test_each_wait_acknowledges_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    did: list[str] = []
    plain_wait = Transport._wait

    def wait(self: Transport, reading: list[object], writing: list[object], timeout_s: float) -> bool:
        did.append("wait")
        return plain_wait(self, reading, writing, timeout_s)

    def setsockopt(self: ssl.SSLSocket, level: int, name: int, value: int) -> None:
        socket.socket.setsockopt(self, level, name, value)
        if (level, name, value) == (socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1):
            did.append("acknowledge")

    monkeypatch.setattr(Transport, "_wait", wait)
    monkeypatch.setattr(ssl.SSLSocket, "setsockopt", setsockopt, raising=False)
    with connected(tmp_path) as (caller, called):
        transport = Transport(called, Limits(), 20)
        sender = Transport(caller, Limits(), 20)
        sent = bytearray()
        monkeypatch.setattr(sender, "_send_all", lambda parts: sent.extend(b"".join(parts)))
        sender.send_message(1, request(C_ECHO, 7, AffectedSOPClassUID="1.2.840.10008.1.1").encode(), ())
        try:
            for piece in (sent[:3], sent[3:20]):
                caller.sendall(piece)
                assert transport.receive(0.05) is Event.TIMEOUT
            waits = did.count("wait")
            assert waits >= 2
            assert did == ["acknowledge", "wait"] * waits
            assert transport.receive(0) is Event.TIMEOUT  # who only looks does not wait
            assert did.count("acknowledge") == waits
            caller.sendall(sent[20:])
            assert transport.receive(20) is Event.COMMAND
            assert Command.parse(transport.reader.take_command()).message_id == 7
            assert did == ["acknowledge", "wait"] * (len(did) // 2)
        finally:
            sender.close()
            transport.close()
