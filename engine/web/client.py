"""Who asks: the address of the connection, or, where a proxy that the operator trusts made it, the one that it names."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from aiohttp import web

from engine.web.services import services

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_HOPS_MAX = 16


def client_of(request: web.Request) -> str:
    """The client's address, for limits, audit and the source of instances; never for the question whether it may ask.

    ``X-Forwarded-For`` counts only when the connection comes from one of the setting ``trusted_proxies``, and only back
    to the first address that is none of them: what stands before it anybody may have written.
    """
    peer = request.remote or ""
    named = services(request).settings.trusted_proxies
    if not named or not _is_trusted(peer, named):
        return peer
    hops = ",".join(request.headers.getall("X-Forwarded-For", ())).split(",")
    for hop in reversed(hops[-_HOPS_MAX:]):
        try:
            peer = str(ipaddress.ip_address(hop.strip()))
        except ValueError:
            return peer  # nothing more, or no address: the last proxy that is known
        if not _is_trusted(peer, named):
            return peer
    return peer


@lru_cache(maxsize=4096)
def _is_trusted(address: str, named: str) -> bool:
    try:
        one = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(one in network for network in _networks(named))


@lru_cache(maxsize=8)
def _networks(named: str) -> tuple[_Network, ...]:
    return tuple(ipaddress.ip_network(part.strip(), strict=False) for part in named.split(","))
