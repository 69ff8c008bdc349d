"""The bytes of one association: whole messages in, PDUs out, over a socket with or without TLS (PS3.8 9.3)."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import ssl
import struct
import time
from collections.abc import Iterable
from enum import IntEnum
from typing import Any

from engine._native import PduReader
from engine.limits import KIB, Limits
from engine.types import Buffer

P_DATA, RELEASE_RQ, RELEASE_RP, ABORT = 4, 5, 6, 7
_SLACK_BYTES = 64  # peers disagree on whether the agreed length counts the heads of items
_OTHER_PDU_BYTES_MAX = 256 * KIB  # an association request with 128 contexts of 40 transfer syntaxes has some 230 KB
_COMMAND_BYTES_MAX = 64 * KIB
_PROGRESS_BYTES = 64 * KIB  # that each wait has to bring, in the middle of a message
_PARTS_MAX = 256  # of one sendmsg; the system takes 1024
_TLS_READ_BYTES = 64 * KIB
_TLS_SEND_BYTES = 256 * KIB
_OWN_PDU_BYTES_MAX = 256 * KIB  # to peers that take any length


class Event(IntEnum):
    """What `Transport.receive` brings; in the order of native/src/pdu_reader.hpp."""

    MORE = 0
    COMMAND = 1
    DATA = 2
    PIECE = 3
    PDU = 4
    TIMEOUT = 5
    WOKEN = 6
    CLOSED = 7
    BAD = 8


class Transport:
    """One connection; its association's thread reads and writes, any thread may `shut` it.

    Attributes
    ----------
    reader : where what was received is taken from.
    peer_pdu_bytes_max : of P-DATA-TF that the peer takes; 0 for any.
    bytes_in, bytes_out : so far; in: data sets only.
    """

    def __init__(self, connection: socket.socket, limits: Limits, timeout_s: float) -> None:
        self._socket = connection
        self._is_tls = isinstance(connection, ssl.SSLSocket)
        self._timeout_s = timeout_s
        connection.settimeout(timeout_s)
        with contextlib.suppress(OSError):  # not a TCP socket (a test's pair), or closed already: the first read tells
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = PduReader(
            limits.pdu_bytes_max + _SLACK_BYTES, _OTHER_PDU_BYTES_MAX, _COMMAND_BYTES_MAX, limits.spool_bytes
        )
        self.peer_pdu_bytes_max = 16 * KIB
        self.bytes_in = self.bytes_out = 0
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._is_closed = False

    def receive(self, timeout_s: float) -> Event:
        """Wait until something is whole, the peer is gone or silent, or `wake` was called. A timeout of 0 looks only.

        MORE: not whole yet, but what came is more than a trickle; the caller decides for how long.
        """
        if self._is_tls:
            return self._receive_tls(timeout_s)
        fd = self._socket.fileno()
        if fd < 0:
            return Event.CLOSED
        event = Event(self.reader.receive(fd, self._wake, int(timeout_s * 1000), _PROGRESS_BYTES))
        if event is Event.WOKEN:
            self._drain_wake()
        return event

    def wake(self) -> None:
        """End the `receive` that runs, or the next; from any thread."""
        with contextlib.suppress(OSError):  # closed meanwhile: nobody waits any more
            os.eventfd_write(self._wake, 1)

    def wait_woken(self, timeout_s: float) -> None:
        """Until `wake` is called, whatever comes."""
        self._wait([], [], timeout_s)

    def feed(self, data: bytes) -> None:
        """What was read before there was a Transport."""
        for at in range(0, len(data), _TLS_READ_BYTES):
            self.reader.feed(data[at : at + _TLS_READ_BYTES])

    def send_pdu(self, pdu: bytes) -> None:
        """Raises OSError."""
        self._send([pdu])

    def send_message(self, context_id: int, command: bytes, data: Iterable[Buffer]) -> None:
        """A command and the data set behind it, in as few calls and PDUs as the peer's length allows. Raises OSError."""
        length = min(self.peer_pdu_bytes_max or _OWN_PDU_BYTES_MAX, _OWN_PDU_BYTES_MAX)
        chunk = max(length - 6, 1)
        self._send(
            part
            for is_command, buffers in ((1, (command,)), (0, data))
            for part in _pdus(context_id, is_command, buffers, chunk)
        )

    def shut(self) -> None:
        """End whatever waits on the connection; from any thread."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Once; the thread that reads."""
        if not self._is_closed:
            self._is_closed = True
            self._socket.close()
            os.close(self._wake)

    def wait_closed(self, timeout_s: float) -> None:
        """Give the peer the time to close first, as it should after a release or an abort (PS3.8 9.2, ARTIM)."""
        deadline = time.monotonic() + timeout_s
        with contextlib.suppress(OSError):
            while (left := deadline - time.monotonic()) > 0:
                self._socket.settimeout(left)
                if not self._socket.recv(_TLS_READ_BYTES):
                    return

    def _send(self, parts: Iterable[Buffer]) -> None:
        pending: list[Buffer] = []
        for part in parts:
            pending.append(part)
            if len(pending) == _PARTS_MAX:
                self._send_all(pending)
                pending = []
        if pending:
            self._send_all(pending)

    def _send_all(self, parts: list[Buffer]) -> None:
        if self._is_tls:
            parts = [b"".join(parts)]
            self._socket.settimeout(self._timeout_s)
        views = [memoryview(part).cast("B") for part in parts]
        first = 0
        since, taken = time.monotonic(), 0
        while first < len(views):
            # A record of TLS is 16 KiB at most, and one call makes several.
            sent = (
                self._socket.send(views[0][:_TLS_SEND_BYTES]) if self._is_tls else self._socket.sendmsg(views[first:])
            )
            self.bytes_out += sent
            taken += sent
            if time.monotonic() - since > self._timeout_s:
                if taken < _PROGRESS_BYTES:
                    raise TimeoutError("it is taken too slowly")
                since, taken = time.monotonic(), 0
            while first < len(views) and sent >= len(views[first]):
                sent -= len(views[first])
                first += 1
            if sent:
                views[first] = views[first][sent:]

    def _receive_tls(self, timeout_s: float) -> Event:
        tls: Any = self._socket
        deadline = time.monotonic() + timeout_s
        got = 0
        tls.setblocking(False)
        while True:
            event = Event(self.reader.next())
            if event is not Event.MORE:
                return event
            try:
                piece = tls.recv(_TLS_READ_BYTES)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
                waits = ([tls], []) if isinstance(error, ssl.SSLWantReadError) else ([], [tls])
                left = deadline - time.monotonic()
                if left <= 0:
                    return Event.MORE if got >= _PROGRESS_BYTES else Event.TIMEOUT
                # A sender with Nagle's algorithm keeps the rest until what it sent is acknowledged: 40 ms a time. Whether a
                # record or a message is half here, only OpenSSL knows; the plain way looks (native/src/pdu_reader.cpp).
                with contextlib.suppress(OSError):
                    tls.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
                if self._wait(*waits, left):
                    return Event.WOKEN
                continue
            except (OSError, ValueError):  # ValueError: closed by another thread
                return Event.CLOSED
            if not piece:
                return Event.CLOSED
            got += len(piece)
            self.reader.feed(piece)

    def _wait(self, reading: list[Any], writing: list[Any], timeout_s: float) -> bool:
        """Until the socket is ready or the time is over; whether `wake` was called."""
        waiting = select.poll()  # select() takes no descriptor above 1023
        waiting.register(self._wake, select.POLLIN)
        for one in reading:
            waiting.register(one, select.POLLIN)
        for one in writing:
            waiting.register(one, select.POLLOUT)
        if any(fd == self._wake for fd, _ in waiting.poll(timeout_s * 1000)):
            self._drain_wake()
            return True
        return False

    def _drain_wake(self) -> None:
        with contextlib.suppress(OSError):
            os.eventfd_read(self._wake)


def abort_pdu(source: int, reason: int) -> bytes:
    """Of A-ABORT; source 0 is the service user, 2 the provider (PS3.8 9.3.8)."""
    return struct.pack(">BxI2xBB", ABORT, 4, source, reason)


def release_pdu(kind: int) -> bytes:
    return struct.pack(">BxI4x", kind, 4)


def _pdus(context_id: int, is_command: int, buffers: Iterable[Buffer], chunk: int) -> Iterable[Buffer]:
    """Heads and pieces of one P-DATA-TF after the other, over the borders of the buffers; nothing where these are empty."""
    coming = (memoryview(buffer).cast("B") for buffer in buffers if len(buffer))
    views: list[memoryview] = []
    left, is_all = 0, False
    while True:
        while left <= chunk and not is_all:  # one byte more than fits tells that there is another PDU
            view = next(coming, None)
            if view is None:
                is_all = True
            else:
                views.append(view)
                left += len(view)
        if not left:
            return
        n = min(chunk, left)
        left -= n
        yield struct.pack(">BxIIBB", P_DATA, n + 6, n + 2, context_id, is_command | (0 if left else 2))
        while n:
            piece = views[0][:n]
            n -= len(piece)
            if len(piece) == len(views[0]):
                views.pop(0)
            else:
                views[0] = views[0][len(piece) :]
            yield piece
