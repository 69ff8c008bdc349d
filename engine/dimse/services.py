"""Which service answers which message: by command and SOP class (PS3.4, PS3.7 9.1 and 10.1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pynetdicom.sop_class import Verification

from engine.archive.archive import Archive
from engine.archive.outbox import Outbox
from engine.dimse import commitment, composite, find, performed, retrieve, store, worklist
from engine.dimse.association import Association, Message
from engine.dimse.command import C_CANCEL, C_ECHO, C_FIND, C_GET, C_MOVE, C_STORE, N_ACTION, N_CREATE, N_GET, N_SET
from engine.dimse.committer import Committer
from engine.dimse.contexts import context_of
from engine.dimse.status import NO_SUCH_SOP_CLASS, NOT_AUTHORIZED, SUCCESS, UNRECOGNIZED_OPERATION
from engine.dimse.wanted import GET_LEVELS, MOVE_LEVELS, ROOT_GET, ROOT_MOVE, WITHOUT_BULK
from engine.ingest.accept import Acceptor
from engine.metrics import Metrics
from engine.settings import Settings


@dataclass(frozen=True, slots=True)
class Services:
    """What services work with; any thread.

    Attributes
    ----------
    outbox : None where nothing is sent later.
    committer : None where nobody is committed to.
    """

    archive: Archive
    acceptor: Acceptor
    settings: Settings
    metrics: Metrics
    outbox: Outbox | None = None
    committer: Committer | None = None


Serve = Callable[[Association, Message, Services], None]


def _echo(association: Association, message: Message, services: Services) -> None:
    association.respond(message, SUCCESS)


_BY_COMMAND: dict[int, dict[str, Serve]] = {
    C_ECHO: {str(Verification): _echo},
    C_FIND: {**dict.fromkeys(find.LEVELS, find.serve), worklist.WORKLIST: worklist.serve},
    N_CREATE: {performed.PERFORMED: performed.create},
    N_SET: {performed.PERFORMED: performed.change},
    N_ACTION: {commitment.PUSH_MODEL: commitment.serve},
    N_GET: {performed.RETRIEVAL: performed.retrieve},
    C_GET: {
        **dict.fromkeys(GET_LEVELS, retrieve.serve_get),
        ROOT_GET: composite.serve_get,
        WITHOUT_BULK: composite.serve_without_bulk,
    },
    C_MOVE: {**dict.fromkeys(MOVE_LEVELS, retrieve.serve_move), ROOT_MOVE: composite.serve_move},
}
_OF_SERVICE: dict[int, tuple[str, Serve]] = {C_STORE: ("Storage", store.serve)}


def serve(association: Association, message: Message, services: Services) -> None:
    """Answer one message on the association's thread.

    Raises
    ------
    AssociationEnded
    """
    command = message.command
    if command.is_response or command.field == C_CANCEL:
        return  # to a request that we did not make, or have answered by now: the standard lets both pass
    status, comment = _refusal(association, message)
    if status != SUCCESS:
        _drop(message)
        association.respond(message, status, comment=comment)
        return
    handler = _handler(message)
    assert handler is not None
    handler(association, message, services)


def _refusal(association: Association, message: Message) -> tuple[int, str]:
    """Of a request in a context that it does not belong in, or that its sender may not make (PS3.7 C.5)."""
    command, ours = message.command, context_of(message.context.abstract_syntax)
    if ours.permission not in association.permissions:
        return NOT_AUTHORIZED, f"you may not use {command.name} here"
    if not message.context.is_scp:
        return NO_SUCH_SOP_CLASS, "we are not the SCP in this context"
    if _handler(message) is None:
        is_known = command.field in _BY_COMMAND or command.field in _OF_SERVICE
        return (NO_SUCH_SOP_CLASS if is_known else UNRECOGNIZED_OPERATION), f"{command.name} is none of this SOP class"
    return SUCCESS, ""


def _handler(message: Message) -> Serve | None:
    field, abstract_syntax = message.command.field, message.context.abstract_syntax
    handler = _BY_COMMAND.get(field, {}).get(abstract_syntax)
    if handler is None and field in _OF_SERVICE:
        service, of_service = _OF_SERVICE[field]
        ours = context_of(abstract_syntax)
        handler = of_service if ours.service == service else None
    return handler


def agree(sop_class_uid: str, value: bytes) -> bytes | None:
    """What of a SOP class extended negotiation we take, in the words of its service; None for nothing."""
    return next((taken for one in (find, worklist, retrieve) if (taken := one.agree(sop_class_uid, value))), None)


def _drop(message: Message) -> None:
    if message.spool is not None:
        message.spool.abort()
