"""Storage Commitment Push Model: the request as its SCP, and the report of its result (PS3.4 annex J.3)."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from pydicom import Dataset
from pydicom.sequence import Sequence
from pynetdicom.sop_class import StorageCommitmentPushModel, StorageCommitmentPushModelInstance

from engine.archive.commitments import Commitment, Reference
from engine.dicom.uid import is_valid
from engine.dimse.association import Association, Message
from engine.dimse.command import N_EVENT_REPORT, RESPONSE, request
from engine.dimse.data_set import decode, encode
from engine.dimse.status import SUCCESS
from engine.errors import ArchiveFault, EngineError, LimitExceeded

if TYPE_CHECKING:
    from engine.dimse.services import Services

_LOG = logging.getLogger(__name__)
PUSH_MODEL, _INSTANCE = str(StorageCommitmentPushModel), str(StorageCommitmentPushModelInstance)
_REQUEST_ACTION = 1
_ALL_COMMITTED, _SOME_FAILED = 1, 2  # Event Type IDs (PS3.4 J.3.3)
# PS3.7 annex C
_PROCESSING_FAILURE, _NO_SUCH_INSTANCE, _INVALID_ARGUMENT, _MISSING_ATTRIBUTE = 0x0110, 0x0112, 0x0115, 0x0120
_NO_SUCH_ACTION, _DUPLICATE_TRANSACTION, _RESOURCES = 0x0123, 0x0131, 0x0213
_RETRIEVE_AE_CHARACTERS = 16
_ANSWER_S = 30.0
_LOOK_EVERY_S = 0.5


def serve(association: Association, message: Message, services: Services) -> None:
    """Answer an N-ACTION request once it is on stable storage; its result is reported later."""
    command = message.command
    if services.committer is None:
        association.respond(message, _PROCESSING_FAILURE, comment="storage commitment is off")
        return
    if command.text("RequestedSOPInstanceUID") != _INSTANCE:
        association.respond(message, _NO_SUCH_INSTANCE, comment="not the well-known instance of the SOP class")
        return
    if command.number("ActionTypeID") != _REQUEST_ACTION:
        association.respond(message, _NO_SUCH_ACTION, comment="the only action type is 1")
        return
    try:
        ds = decode(message)
        transaction, instances = str(ds.get("TransactionUID", "") or ""), _references(ds)
        if not transaction:
            association.respond(message, _MISSING_ATTRIBUTE, comment="TransactionUID is missing")
        elif instances is None:
            association.respond(
                message, _INVALID_ARGUMENT, comment="ReferencedSOPSequence names no instances, or not well"
            )
        elif not services.committer.take(association, transaction, instances):
            comment = "a request of this TransactionUID for other instances is under way"
            association.respond(message, _DUPLICATE_TRANSACTION, comment=comment)
        else:
            association.respond(message, SUCCESS)
            services.committer.begin()
    except EngineError as error:
        _LOG.warning("a request for storage commitment from %s was refused: %s", association.peer, error)
        is_later = isinstance(error, (LimitExceeded, ArchiveFault))
        association.respond(message, _RESOURCES if is_later else _PROCESSING_FAILURE, comment=str(error))


def report(association: Association, commitment: Commitment, retrieve_ae: str) -> str:
    """Tell the result over `association`, on its thread; empty when the peer has taken it, else why it has not.

    Raises
    ------
    AssociationEnded
    """
    context = next((one for one in association.contexts.values() if one.abstract_syntax == PUSH_MODEL), None)
    if context is None:
        return "the peer has not accepted Storage Commitment Push Model"
    message_id = association.next_message_id()
    command = request(
        N_EVENT_REPORT,
        message_id,
        AffectedSOPClassUID=PUSH_MODEL,
        AffectedSOPInstanceUID=_INSTANCE,
        EventTypeID=_SOME_FAILED if commitment.failures else _ALL_COMMITTED,
    )
    association.send(context.id, command, encode(_result(commitment, retrieve_ae), context.transfer_syntax))
    deadline = time.monotonic() + _ANSWER_S
    while True:
        answer = association.next_response(_LOOK_EVERY_S)
        if answer is None:
            if time.monotonic() > deadline:
                raise association.fail(f"no response to N-EVENT-REPORT for {_ANSWER_S:g} s", 0, 0)
            continue
        response = answer.command
        if response.field != N_EVENT_REPORT | RESPONSE or response.number("MessageIDBeingRespondedTo") != message_id:
            raise association.fail("the peer answers what it was not asked", 0, 0)
        if response.status == SUCCESS:
            return ""
        return f"the peer answers with status {response.status:04X} {response.text('ErrorComment')}".strip()


def _result(commitment: Commitment, retrieve_ae: str) -> Dataset:
    ds = Dataset()
    ds.TransactionUID = commitment.transaction_uid
    ds.RetrieveAETitle = retrieve_ae[:_RETRIEVE_AE_CHARACTERS]
    failed = {(class_uid, uid): reason for class_uid, uid, reason in commitment.failures or ()}
    committed = [one for one in commitment.instances if one not in failed]
    if committed:
        ds.ReferencedSOPSequence = Sequence([_item(*one) for one in committed])
    if failed:
        ds.FailedSOPSequence = Sequence([_item(*one, reason=reason) for one, reason in failed.items()])
    return ds


def _item(class_uid: str, uid: str, reason: int | None = None) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = class_uid, uid
    if reason is not None:
        item.FailureReason = reason
    return item


def _references(ds: Dataset) -> list[Reference] | None:
    """Each once; None where there are none, or one names nothing."""
    found: dict[Reference, None] = {}
    for item in ds.get("ReferencedSOPSequence") or ():
        one = str(item.get("ReferencedSOPClassUID", "") or ""), str(item.get("ReferencedSOPInstanceUID", "") or "")
        if not all(map(is_valid, one)):
            return None
        found[one] = None
    return list(found) or None
