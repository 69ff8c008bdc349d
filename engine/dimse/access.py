"""Who may associate with us, and for what: titles, address, certificate, and what the caller may then ask (PS3.8 9.3.4)."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, replace

from engine.dimse.negotiation import NOT_ALLOWED, UNKNOWN_CALLED, UNKNOWN_CALLER, Rejection, Request
from engine.limits import Limits
from engine.peer_metrics import OTHER
from engine.peers import PERMISSIONS, Peer, peer_titled
from engine.settings import ANY_TITLE, Settings
from engine.tls import Secured


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """One that may associate.

    Attributes
    ----------
    name : of its peer, or `OTHER`.
    account : what its associations are counted together by.
    limits : ours, with those that it has of its own.
    """

    name: str
    account: str
    permissions: tuple[str, ...]
    associations_max: int
    limits: Limits
    needs_user: bool = False


def admit(asked: Request, address: str, settings: Settings, secured: Secured | None = None) -> Caller | Rejection:
    """Whether the caller at the IP address `address` may associate at all.

    `secured` is what TLS has shown, None without it.

    An AE title is what someone says of itself: a peer is who says so from where it may be and with what it has to show.
    Whoever has a peer's title without that is nobody, not an unknown caller.
    """
    titles = settings.called_aets
    if ANY_TITLE not in titles and asked.called not in (settings.aet, *titles):
        return replace(UNKNOWN_CALLED, why=f"it called {asked.called!r}, which is none of our AE titles")
    peer = peer_titled(settings.peers, asked.calling)
    if peer is None:
        return _unknown(address, settings)
    if not peer.calls_from(address):
        return replace(UNKNOWN_CALLER, why=f"the peer {peer.name} does not call from there")
    if peer.tls == "on" and (why := _unproven(peer, secured)):
        return replace(NOT_ALLOWED, why=f"the peer {peer.name} {why}")
    if not peer.permissions:
        return replace(NOT_ALLOWED, why=f"the peer {peer.name} may ask nothing of us")
    return Caller(
        name=peer.name,
        account=f"peer {peer.name}",
        permissions=peer.permissions,
        associations_max=peer.associations_max or settings.limits.caller_associations_max,
        limits=_own_limits(peer, settings.limits),
        needs_user=peer.needs_user,
    )


def may_unknown(address: str, settings: Settings) -> tuple[str, ...]:
    """What callers that are no peer may ask; without a setting everything from this machine, and nothing from elsewhere."""
    if settings.unknown_callers is not None:
        return settings.unknown_callers
    return PERMISSIONS if ipaddress.ip_address(address).is_loopback else ()


def _unknown(address: str, settings: Settings) -> Caller | Rejection:
    permissions = may_unknown(address, settings)
    if not permissions:
        return UNKNOWN_CALLER
    return Caller(
        name=OTHER,
        account=f"address {address}",
        permissions=permissions,
        associations_max=settings.limits.caller_associations_max,
        limits=settings.limits,
    )


def _unproven(peer: Peer, secured: Secured | None) -> str:
    """What is missing to believe that this is the peer; empty where nothing is."""
    if secured is None:
        return "has to call with TLS"
    if secured.certificate is None:
        return "has to show a certificate" if peer.tls_client_certificate or peer.tls_names else ""
    if peer.tls_names and not secured.certificate.has_one_of(peer.tls_names):
        return "shows a certificate of somebody else"
    return ""


def _own_limits(peer: Peer, limits: Limits) -> Limits:
    return replace(
        limits,
        pdu_bytes_max=peer.pdu_bytes_max or limits.pdu_bytes_max,
        association_idle_s_max=peer.idle_s_max or limits.association_idle_s_max,
        association_total_s_max=peer.total_s_max or limits.association_total_s_max,
    )
