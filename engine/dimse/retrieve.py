"""C-MOVE and C-GET in the Patient Root, Study Root and Patient/Study Only information models (PS3.4 annex C.4.2, C.4.3)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from engine.archive.outbox_records import Order
from engine.dimse.association import Association, AssociationEnded, Message
from engine.dimse.calling import call
from engine.dimse.data_set import decode
from engine.dimse.made import Made
from engine.dimse.negotiation import Proposal
from engine.dimse.outgoing import FromArchive, Outgoing
from engine.dimse.sender import CONTEXTS_MAX, WINDOW, Sender, contexts_for
from engine.dimse.status import UNKNOWN_DESTINATION, status_of
from engine.dimse.sub_operations import SubOperations
from engine.dimse.wanted import GET_LEVELS, MOVE_LEVELS, Wanted, read_keys, wanted_by
from engine.errors import EngineError
from engine.peers import Peer, peer_titled

if TYPE_CHECKING:
    from engine.dimse.services import Services

_LOG = logging.getLogger(__name__)
Outgoings = Callable[[Wanted], Outgoing]


def agree(sop_class_uid: str, value: bytes) -> bytes | None:
    """What we take of the extended negotiation: relational retrieval (PS3.4 C.5.2.1, C.5.3.1)."""
    if sop_class_uid not in GET_LEVELS and sop_class_uid not in MOVE_LEVELS:
        return None
    return bytes((value[0] & 1,)) if value else None


def serve_get(association: Association, message: Message, services: Services) -> None:
    """Answer one C-GET request: C-STORE sub-operations on the same association, in the contexts where we are the SCU."""
    wanted = _wanted(association, message, services, GET_LEVELS)
    if wanted is not None:
        give(association, message, services, wanted, as_stored(services))


def serve_move(association: Association, message: Message, services: Services) -> None:
    """Answer one C-MOVE request: C-STORE sub-operations on one association with the destination, which is a peer that we know."""
    peer = destination_of(association, message, services)
    if peer is None:
        return
    wanted = _wanted(association, message, services, MOVE_LEVELS)
    if wanted is None:
        return
    work = SubOperations(association, message, wanted)
    comment = ""
    if wanted:
        move(work, peer, association, message, services, as_stored(services))
        comment = _leave_to_outbox(work, peer, association, services)
    work.finish(comment)


def as_stored(services: Services) -> Outgoings:
    """What is wanted, out of the archive."""
    archive, limits = services.archive, services.settings.limits
    return lambda one: FromArchive(archive, archive.instance(one.sop_instance_uid), limits)


def destination_of(association: Association, message: Message, services: Services) -> Peer | None:
    """The peer that a C-MOVE goes to; None where there is none, and the requestor has been told."""
    title = message.command.text("MoveDestination")
    peer = peer_titled(services.settings.peers, title)
    if peer is None or not peer.is_reachable:
        _LOG.warning("%s asks us to send to %s, which is no peer that we can call", association.peer, title[:16])
        association.respond(message, UNKNOWN_DESTINATION, comment=f"move destination {title} is not known here")
        return None
    return peer


def give(
    association: Association, message: Message, services: Services, wanted: Sequence[Wanted], outgoing: Outgoings
) -> None:
    """The sub-operations of a C-GET, and its answers."""
    work = SubOperations(association, message, wanted)
    _send(work, association, services, outgoing, transcode=True)
    work.finish()


def _wanted(
    association: Association, message: Message, services: Services, levels: dict[str, tuple[str, ...]]
) -> list[Wanted] | None:
    """What the identifier names; None where that could not be told, and the requestor has been."""
    try:
        return wanted_by(read_keys(decode(message), levels[message.context.abstract_syntax]), services.archive)
    except EngineError as error:
        _LOG.warning("a %s from %s was refused: %s", message.command.name, association.peer, error)
        association.respond(message, status_of(error), comment=str(error))
        return None


def move(
    work: SubOperations,
    peer: Peer,
    association: Association,
    message: Message,
    services: Services,
    outgoing: Outgoings,
) -> None:
    """The sub-operations of a C-MOVE, over an association with `peer`; `work.finish` is the caller's."""
    kinds = dict.fromkeys((one.sop_class_uid, one.transfer_syntax_uid) for one in work.unsettled.values())
    proposal = Proposal(contexts=contexts_for(kinds, transcode=peer.transcode)[:CONTEXTS_MAX], window=WINDOW)
    work.tell()  # it may take a while to be heard
    try:
        receiver = call(peer, proposal, services.settings)
    except EngineError as error:
        _LOG.warning("%s asks us to send to %s: %s", association.peer, peer.name, error)
        work.give_up(str(error))
        return
    try:
        originator = association.peer, message.command.message_id
        _send(work, receiver, services, outgoing, transcode=peer.transcode, originator=originator)
        receiver.release()
    except AssociationEnded as error:
        if not association.is_open:
            raise
        _LOG.warning("sending to %s for %s: the association has ended: %s", peer.name, association.peer, error.reason)
        work.give_up(f"the association with {peer.name} has ended: {error.reason}")
    finally:
        receiver.abort()  # unless released


def _send(
    work: SubOperations,
    receiver: Association,
    services: Services,
    outgoing: Outgoings,
    *,
    transcode: bool,
    originator: tuple[str, int] | None = None,
) -> None:
    sender = Sender(receiver, services.settings.limits, transcode=transcode)
    instances = work.instances(outgoing)
    for instance, outcome in sender.send(instances, originator=originator, waiting=work.wait):
        if isinstance(instance, Made):
            instance.close()
        work.settle(instance.sop_instance_uid, outcome)


def _leave_to_outbox(work: SubOperations, peer: Peer, association: Association, services: Services) -> str:
    """Order again what may go another time; what the requestor is told of that."""
    if not work.later or services.outbox is None or not services.settings.move_retry:
        return ""
    instances = tuple((one.study_instance_uid, one.series_instance_uid, one.sop_instance_uid) for one in work.later)
    order = Order(peer=peer.name, instances=instances, reason=f"C-MOVE for {association.peer}", priority="high")
    try:
        services.outbox.put(order)
    except EngineError as error:
        _LOG.error("what %s did not take cannot wait in the outbox: %s", peer.name, error)
        return ""
    return f"{len(instances)} instances wait to be sent to {peer.aet} later"
