"""Calling a peer: its address, our names, its TLS and limits, as the settings have them."""

from __future__ import annotations

import ssl
from dataclasses import replace

from engine.dimse.association import Association, Intake
from engine.dimse.negotiation import Proposal
from engine.dimse.requestor import associate
from engine.errors import PeerUnavailable
from engine.peers import Peer
from engine.settings import Settings


def call(peer: Peer, proposal: Proposal, settings: Settings, intake: Intake | None = None) -> Association:
    """An association with `peer`, for the calling thread alone.

    Raises
    ------
    PeerUnavailable : cannot be called, or cannot be reached, does not answer, or rejects; says which.
    """
    if not peer.is_reachable:
        raise PeerUnavailable(peer.name, "has no host in the settings, so it can only call us")
    limits = settings.limits
    if peer.pdu_bytes_max:
        limits = replace(limits, pdu_bytes_max=peer.pdu_bytes_max)
    if peer.idle_s_max:
        limits = replace(limits, association_idle_s_max=peer.idle_s_max)
    return associate(
        (peer.host, peer.port),
        proposal,
        calling=peer.calling_aet or settings.aet,
        called=peer.aet,
        limits=limits,
        tls=_client_context(peer) if peer.tls == "on" else None,
        intake=intake,
    )


def _client_context(peer: Peer) -> ssl.SSLContext:
    """TLS 1.2 or later, with authentication of the peer (PS3.15 B.12)."""
    try:
        context = ssl.create_default_context(cafile=None if peer.tls_ca is None else str(peer.tls_ca))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.check_hostname = peer.tls_verify_host
        if peer.tls_certificate is not None:
            context.load_cert_chain(peer.tls_certificate, peer.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise PeerUnavailable(peer.name, f"cannot be called with TLS as the settings say ({error})") from error
    return context
