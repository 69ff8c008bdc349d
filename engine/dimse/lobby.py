"""Where connections wait until they have said what they are for: one thread for all, bounded in number, bytes, time (PS3.8 9.1.5).

A connection that sends nothing costs a file descriptor, not threads, and those who sent theirs go on.
"""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from engine.dimse.negotiation import ASSOCIATE_RQ
from engine.dimse.transport import ABORT, abort_pdu
from engine.limits import Limits

_LOG = logging.getLogger(__name__)
_HEAD_BYTES = 6
_READ_BYTES = 64 * 1024
_LOOK_EVERY_S = 0.5
_NO_ROOM_S = 0.5
_USER = 0

Enter = Callable[[socket.socket, tuple[str, int], bytes, bytes], None]  # socket, address, request PDU, what came behind


@dataclass(slots=True)
class _Waiting:
    connection: socket.socket
    address: tuple[str, int]
    deadline: float
    received: bytearray = field(default_factory=bytearray)
    is_shaking_hands: bool = False


class Lobby:
    """Accepts on `listener` and hands each whole association request to `enter`, on its own thread, until `close`."""

    def __init__(
        self, listener: socket.socket, limits: Limits, enter: Enter, tls: ssl.SSLContext | None = None
    ) -> None:
        self._listener, self._limits, self._enter, self._tls = listener, limits, enter, tls
        self._waiting: dict[socket.socket, _Waiting] = {}  # oldest first
        self._is_closing = False
        self._selector = selectors.DefaultSelector()
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name="lobby", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop accepting; who waits is closed."""
        self._is_closing = True
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._is_closing:
                for key, _ in self._selector.select(_LOOK_EVERY_S):
                    if key.fileobj is self._listener:
                        self._accept()
                    else:
                        self._hear(key.data)
                now = time.monotonic()
                for waiting in [one for one in self._waiting.values() if one.deadline <= now]:
                    _LOG.info("connection from %s sent no association request in time", waiting.address[0])
                    self._leave(waiting)
        finally:
            for waiting in list(self._waiting.values()):
                self._leave(waiting)
            self._selector.close()

    def _accept(self) -> None:
        try:
            connection, address = self._listener.accept()
        except (BlockingIOError, ConnectionError):
            return
        except OSError as error:  # no descriptors left: the oldest that only waits makes room
            if not self._waiting:
                time.sleep(_NO_ROOM_S)  # nothing of ours to give: those who are associated end some time
            _LOG.warning("no connection can be accepted (%s)", error)
            self._drop_oldest()
            return
        connection.setblocking(False)
        if len(self._waiting) >= self._limits.waiting_connections_max:
            self._drop_oldest()
        try:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        except (OSError, ValueError):  # gone already
            connection.close()
            return
        waiting = _Waiting(connection, address[:2], time.monotonic() + self._limits.association_request_s_max)
        waiting.is_shaking_hands = self._tls is not None
        self._waiting[connection] = waiting
        self._selector.register(connection, selectors.EVENT_READ, waiting)

    def _drop_oldest(self) -> None:
        oldest = next(iter(self._waiting.values()), None)
        if oldest is not None:
            _LOG.warning("connection from %s is closed: too many wait", oldest.address[0])
            self._leave(oldest)

    def _hear(self, waiting: _Waiting) -> None:
        try:
            if waiting.is_shaking_hands:
                waiting.connection.do_handshake()  # type: ignore[attr-defined]
                waiting.is_shaking_hands = False
                self._await(waiting, selectors.EVENT_READ)
            while True:
                piece = waiting.connection.recv(_READ_BYTES)
                if not piece:
                    self._leave(waiting)
                    return
                waiting.received += piece
                if self._look(waiting):
                    return
        except BlockingIOError:
            return
        except ssl.SSLWantReadError:
            self._await(waiting, selectors.EVENT_READ)
        except ssl.SSLWantWriteError:
            self._await(waiting, selectors.EVENT_WRITE)
        except ssl.SSLError as error:
            _LOG.warning("TLS with %s failed (%s)", waiting.address[0], error)
            self._leave(waiting)
        except OSError as error:
            _LOG.info("connection from %s ended before its association request (%s)", waiting.address[0], error)
            self._leave(waiting)

    def _await(self, waiting: _Waiting, events: int) -> None:
        self._selector.modify(waiting.connection, events, waiting)

    def _look(self, waiting: _Waiting) -> bool:
        """Whether `waiting` waits no longer."""
        received = waiting.received
        if received[0] == ABORT:
            self._leave(waiting)  # AA-2
            return True
        if received[0] != ASSOCIATE_RQ:
            self._refuse(waiting, "no association request")
            return True
        if len(received) < _HEAD_BYTES:
            return False
        length = _HEAD_BYTES + int.from_bytes(received[2:6], "big")
        if length > self._limits.association_request_bytes_max:
            self._refuse(waiting, f"an association request of {length} bytes")
            return True
        if len(received) < length:
            return False
        self._forget(waiting)
        waiting.connection.setblocking(True)
        self._enter(waiting.connection, waiting.address, bytes(received[:length]), bytes(received[length:]))
        return True

    def _refuse(self, waiting: _Waiting, why: str) -> None:
        """AA-1 of PS3.8 table 9-9: who has no association yet is aborted as by the user, without a reason."""
        _LOG.warning("connection from %s is aborted: it sent %s", waiting.address[0], why)
        with contextlib.suppress(OSError):
            waiting.connection.send(abort_pdu(_USER, 0))
        self._leave(waiting)

    def _leave(self, waiting: _Waiting) -> None:
        self._forget(waiting)
        waiting.connection.close()

    def _forget(self, waiting: _Waiting) -> None:
        del self._waiting[waiting.connection]
        self._selector.unregister(waiting.connection)
