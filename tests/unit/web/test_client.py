"""Whose address counts as the client's: X-Forwarded-For from trusted proxies alone, and no further than the first stranger."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from multidict import CIMultiDict

from engine.errors import InvalidParameter
from engine.settings import load
from engine.web.client import client_of
from engine.web.services import SERVICES


def request(peer: str | None, trusted: str, *forwarded: str) -> Any:
    services = SimpleNamespace(settings=SimpleNamespace(trusted_proxies=trusted))
    headers = CIMultiDict([("X-Forwarded-For", value) for value in forwarded])
    return SimpleNamespace(remote=peer, headers=headers, app={SERVICES: services})


@pytest.mark.parametrize(
    ("peer", "trusted", "forwarded", "client"),
    [
        ("127.0.0.1", "", ("10.1.1.1",), "127.0.0.1"),
        ("10.9.9.9", "127.0.0.1", ("10.1.1.1",), "10.9.9.9"),
        ("127.0.0.1", "127.0.0.1", ("10.1.1.1",), "10.1.1.1"),
        ("127.0.0.1", "127.0.0.1", (), "127.0.0.1"),
        ("127.0.0.1", "127.0.0.1", ("6.6.6.6, 10.1.1.1",), "10.1.1.1"),
        ("127.0.0.1", "127.0.0.1, 192.168.0.0/16", ("6.6.6.6, 10.1.1.1, 192.168.3.4",), "10.1.1.1"),
        ("127.0.0.1", "127.0.0.1", ("6.6.6.6", "10.1.1.1"), "10.1.1.1"),
        ("127.0.0.1", "127.0.0.1", ("<script>",), "127.0.0.1"),
        ("127.0.0.1", "127.0.0.1,192.168.3.4", ("6.6.6.6, unknown, 192.168.3.4",), "192.168.3.4"),
        ("::1", "::1", ("2001:db8::0001",), "2001:db8::1"),
        ("127.0.0.1", "127.0.0.1", ("127.0.0.1," * 1000,), "127.0.0.1"),
        (None, "127.0.0.1", ("10.1.1.1",), ""),
    ],
)
def test_the_client_is_the_first_that_no_trusted_proxy_is(
    peer: str | None, trusted: str, forwarded: tuple[str, ...], client: str
) -> None:
    assert client_of(request(peer, trusted, *forwarded)) == client


@pytest.mark.parametrize("value", ["localhost", "10.0.0.0/33", "127.0.0.1,,", "*"])
def test_the_setting_takes_addresses_and_networks_alone(value: str) -> None:
    with pytest.raises(InvalidParameter):
        load(config=None, environ={}, command_line={"trusted_proxies": value})


def test_the_setting_may_name_several() -> None:
    given = "127.0.0.1, ::1, 10.0.0.0/8"
    assert load(config=None, environ={}, command_line={"trusted_proxies": given}).settings.trusted_proxies == given
