"""Which service answers which message: by command and SOP class (PS3.4, PS3.7 9.1 and 10.1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from engine.archive.archive import Archive
from engine.dimse import find, store
from engine.dimse.association import Association, Message
from engine.dimse.command import C_CANCEL, C_ECHO, C_FIND, C_STORE
from engine.dimse.status import NO_SUCH_SOP_CLASS, SUCCESS, UNRECOGNIZED_OPERATION
from engine.ingest.accept import Acceptor
from engine.settings import Settings


@dataclass(frozen=True, slots=True)
class Services:
    """What services work with; any thread."""

    archive: Archive
    acceptor: Acceptor
    settings: Settings


Serve = Callable[[Association, Message, Services], None]


def _echo(association: Association, message: Message, services: Services) -> None:
    association.respond(message, SUCCESS)


_BY_COMMAND: dict[int, dict[str, Serve]] = {
    C_FIND: dict.fromkeys(find.LEVELS, find.serve),
}
_ANY_CLASS: dict[int, Serve] = {C_ECHO: _echo, C_STORE: store.serve}


def serve(association: Association, message: Message, services: Services) -> None:
    """Answer one message on the association's thread.

    Raises
    ------
    AssociationEnded
    """
    command = message.command
    if command.is_response or command.field == C_CANCEL:
        return  # to a request that we did not make, or have answered by now: the standard lets both pass
    if not message.context.is_scp:
        association.respond(message, NO_SUCH_SOP_CLASS, comment="we are not the SCP in this context")
        return
    by_class = _BY_COMMAND.get(command.field, {})
    handler = by_class.get(message.context.abstract_syntax) or _ANY_CLASS.get(command.field)
    if handler is None:
        _drop(message)
        status = NO_SUCH_SOP_CLASS if by_class else UNRECOGNIZED_OPERATION
        association.respond(message, status, comment=f"{command.name} is none of this SOP class")
        return
    handler(association, message, services)


def _drop(message: Message) -> None:
    if message.spool is not None:
        message.spool.abort()
