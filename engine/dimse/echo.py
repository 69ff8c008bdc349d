"""Verification as the SCU: whether a peer is there, takes us, and answers (PS3.4 annex A)."""

from __future__ import annotations

import time
from dataclasses import dataclass

from pynetdicom.sop_class import Verification

from engine.dicom.transfer_syntax import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from engine.dimse.association import AssociationEnded
from engine.dimse.calling import call
from engine.dimse.command import C_ECHO, request
from engine.dimse.negotiation import Proposal
from engine.errors import PeerUnavailable
from engine.peers import Peer
from engine.settings import Settings

_PROPOSAL = Proposal(contexts=[(str(Verification), [EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN])])


@dataclass(frozen=True, slots=True)
class Echo:
    """Seconds for the association, and for the answer of the C-ECHO."""

    association_s: float
    answer_s: float


def echo(peer: Peer, settings: Settings) -> Echo:
    """One C-ECHO over an association of its own.

    Raises
    ------
    PeerUnavailable : its `step` says how far it came.
    """
    began = time.monotonic()
    association = call(peer, _PROPOSAL, settings)
    associated = time.monotonic()
    try:
        context = association.context_for(str(Verification))
        if context is None:
            raise PeerUnavailable(peer.name, "takes the association, and no C-ECHO over it", "context")
        number = association.next_message_id()
        association.send(context.id, request(C_ECHO, number, AffectedSOPClassUID=str(Verification)))
        message = association.receive()
        if message is None or message.command.number("MessageIDBeingRespondedTo") != number:
            raise PeerUnavailable(peer.name, "answers the C-ECHO with something else", "answer")
        if message.command.status != 0:
            raise PeerUnavailable(peer.name, f"answers the C-ECHO with status {message.command.status:04X}", "answer")
        answered = time.monotonic()
        association.release()
    except AssociationEnded as error:
        raise PeerUnavailable(
            peer.name, f"ended the association before its answer: {error.reason}", "answer"
        ) from error
    except PeerUnavailable:
        association.abort()
        raise
    return Echo(associated - began, answered - associated)
