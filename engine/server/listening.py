"""Opening a port once, before any process that serves it: its children inherit the socket."""

from __future__ import annotations

import errno
import socket

from engine.setting_values import endpoint

_BACKLOG = 1024
# A peer that takes nothing for this long is gone; the kernel then ends the connection and frees what waits for it.
_USER_TIMEOUT_MS = 60_000


class PortTaken(Exception):
    """Another program listens there, the address is not this machine's, or the kernel has no such congestion control."""


def listen(setting: str, value: str, congestion_control: str = "") -> socket.socket | None:
    """A listening socket for ``host:port`` (port 0: a free one); None for ``off``.

    Its connections inherit the `congestion_control` that the kernel knows by this name; empty leaves the machine's.

    Without ``SO_REUSEPORT``: all workers accept from one queue, so a worker that dies takes no waiting connection with it,
    and a second server on the same port is an error instead of a coin toss (docs/decisions).
    """
    where = endpoint(value)
    if where is None:
        return None
    family, kind, protocol, _, address = socket.getaddrinfo(*where, type=socket.SOCK_STREAM)[0]
    sock = socket.socket(family, kind, protocol)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _USER_TIMEOUT_MS)
    try:
        if congestion_control:
            _control(sock, congestion_control)
        sock.bind(address)
        sock.listen(_BACKLOG)
    except PortTaken:
        sock.close()
        raise
    except OSError as error:
        sock.close()
        what = "another program listens there" if error.errno == errno.EADDRINUSE else error.strerror
        raise PortTaken(f"{setting} {value} cannot be opened: {what}; choose another for this setting") from None
    return sock


def _control(sock: socket.socket, name: str) -> None:
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, name.encode())
    except OSError as error:
        why = (
            "it is not among net.ipv4.tcp_allowed_congestion_control" if error.errno == errno.EPERM else error.strerror
        )
        raise PortTaken(f"congestion_control {name} cannot be had from this kernel: {why}") from None


def name_of(sock: socket.socket) -> str:
    """``127.0.0.1:8080``, ``[::1]:8080``."""
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
