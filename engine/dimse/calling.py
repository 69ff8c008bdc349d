"""Calling a peer: its address, our names, its TLS and limits, as the settings have them."""

from __future__ import annotations

from dataclasses import replace

from engine.dimse.association import Association, Intake
from engine.dimse.negotiation import Proposal
from engine.dimse.requestor import associate
from engine.errors import InvalidParameter, PeerUnavailable
from engine.peers import Peer
from engine.settings import Settings
from engine.tls import client_context


def call(peer: Peer, proposal: Proposal, settings: Settings, intake: Intake | None = None) -> Association:
    """An association with `peer`, for the calling thread alone.

    Raises
    ------
    PeerUnavailable : cannot be called, or cannot be reached, does not answer, or rejects; says which.
    """
    if not peer.is_reachable:
        raise PeerUnavailable(peer.name, "has no host in the settings, so it can only call us", "connect")
    limits = settings.limits
    if peer.pdu_bytes_max:
        limits = replace(limits, pdu_bytes_max=peer.pdu_bytes_max)
    if peer.idle_s_max:
        limits = replace(limits, association_idle_s_max=peer.idle_s_max)
    try:
        tls = client_context(peer, settings.dicom_tls.profile) if peer.tls == "on" else None
    except InvalidParameter as error:
        raise PeerUnavailable(peer.name, f"cannot be called with TLS as the settings say ({error})", "tls") from error
    return associate(
        (peer.host, peer.port),
        proposal,
        calling=peer.calling_aet or settings.aet,
        called=peer.aet,
        limits=limits,
        tls=tls,
        tls_names=peer.tls_names,
        intake=intake,
    )
