"""A listening socket, and what its connections inherit."""

from __future__ import annotations

import socket

import pytest

from engine.errors import InvalidParameter
from engine.server.listening import PortTaken, listen
from engine.settings import load


def control(sock: socket.socket) -> bytes:
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0")


def test_connections_have_the_congestion_control_that_is_set() -> None:
    with socket.socket() as plain:
        machine = control(plain)
    for name, expected in (("", machine), ("reno", b"reno")):  # every Linux has reno
        listener = listen("http", "127.0.0.1:0", name)
        assert listener is not None
        with listener, socket.create_connection(listener.getsockname()) as client, listener.accept()[0] as accepted:
            assert control(accepted) == expected
            assert control(client) == machine


def test_a_congestion_control_that_is_not_there_is_named() -> None:
    with pytest.raises(PortTaken, match="congestion_control nosuch cannot be had"):
        listen("http", "127.0.0.1:0", "nosuch")


@pytest.mark.parametrize("value", ["BBR", "a b", "sixteen_letters_"])
def test_a_name_that_no_kernel_has_is_refused_at_once(value: str) -> None:
    with pytest.raises(InvalidParameter, match="congestion-control"):
        load(config=None, environ={}, command_line={"congestion_control": value})
