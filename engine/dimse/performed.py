"""Modality Performed Procedure Step: N-CREATE and N-SET as its SCP, N-GET as that of its retrieval (PS3.4 F.7, F.8)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from pynetdicom.sop_class import ModalityPerformedProcedureStep, ModalityPerformedProcedureStepRetrieve

from engine.archive.worklist.records import PerformedStep
from engine.dicom.canonical import from_data_set
from engine.dicom.dictionary import hex_of, tag_of
from engine.dicom.uid import is_valid
from engine.dimse.association import Association, Message
from engine.dimse.data_set import encode, from_attributes
from engine.dimse.identifier import set_character_sets
from engine.dimse.status import SUCCESS, status_of
from engine.errors import (
    EngineError,
    InvalidAttributeValue,
    MissingAttribute,
    MissingAttributeValue,
    PerformedStepEnded,
    UnexpectedAttribute,
)
from engine.limits import MIB, Limits

if TYPE_CHECKING:
    from engine.dimse.services import Services

_LOG = logging.getLogger(__name__)
PERFORMED, RETRIEVAL = str(ModalityPerformedProcedureStep), str(ModalityPerformedProcedureStepRetrieve)
_SOME_NOT_SUPPORTED = 0x0001  # warning of PS3.4 F.8.2.1.4
_INVALID_INSTANCE, _CONFLICT = 0x0117, 0x0119
_PROCESSING_FAILURE, _RESOURCES = 0x0110, 0x0213
_ENDED, _ENDED_ID = "Performed Procedure Step Object may no longer be updated", 0xA710  # PS3.4 F.7.2.2.4
_INFLATED_BYTES_MAX = 16 * MIB
_OF_ATTRIBUTES = (MissingAttribute, MissingAttributeValue, InvalidAttributeValue, UnexpectedAttribute)

Attributes = dict[str, Any]


def create(association: Association, message: Message, services: Services) -> None:
    """Answer N-CREATE when the step, and the state of the scheduled ones that it is of, are on stable storage."""
    uid = message.command.text("AffectedSOPInstanceUID")

    def work() -> None:
        made = uid or f"2.25.{uuid4().int}"
        attributes = _attributes(message, services.settings.limits)
        services.archive.worklist.perform(PerformedStep.new(made, attributes, association.peer))
        association.respond(message, SUCCESS, AffectedSOPInstanceUID=made)

    if uid and not is_valid(uid):
        association.respond(message, _INVALID_INSTANCE, comment="the SOP Instance UID is none")
        return
    _answered(association, message, PERFORMED, work)


def change(association: Association, message: Message, services: Services) -> None:
    """Answer N-SET, in the same way."""

    def work() -> None:
        attributes = _attributes(message, services.settings.limits)
        services.archive.worklist.set_performed(message.command.text("RequestedSOPInstanceUID"), attributes)
        association.respond(message, SUCCESS)

    _answered(association, message, PERFORMED, work)


def retrieve(association: Association, message: Message, services: Services) -> None:
    """Answer N-GET with the attributes that are asked for, or all of them."""

    def work() -> None:
        step = services.archive.worklist.performed(message.command.text("RequestedSOPInstanceUID"))
        tags = message.command.get("AttributeIdentifierList")
        wanted = [hex_of(tag) for tag in tags] if isinstance(tags, tuple) and tags else list(step.attributes)
        found = {key: step.attributes[key] for key in wanted if key in step.attributes}
        ds = from_attributes(found)
        set_character_sets(ds, ())
        status = SUCCESS if len(found) == len(set(wanted)) else _SOME_NOT_SUPPORTED
        association.respond(message, status, encode(ds, message.context.transfer_syntax))

    _answered(association, message, RETRIEVAL, work)


def _attributes(message: Message, limits: Limits) -> Attributes:
    if message.error is not None:
        raise message.error
    bounded = replace(limits, inflated_bytes_max=min(limits.inflated_bytes_max, _INFLATED_BYTES_MAX))
    return from_data_set(message.data or b"", message.context.transfer_syntax, bounded)


def _answered(association: Association, message: Message, sop_class: str, work: Callable[[], None]) -> None:
    """Run `work`, which answers; an error of ours becomes the answer."""
    # Instances are of the one class, whichever of its services is asked (PS3.4 F.7.1); some requestors name the service's.
    if message.command.sop_class_uid not in (PERFORMED, sop_class):
        association.respond(message, _CONFLICT, comment="the SOP class is none of this presentation context")
        return
    try:
        work()
    except EngineError as error:
        uid = message.command.sop_instance_uid
        _LOG.warning("%s of %s from %s was refused: %s", message.command.name, uid, association.peer, error)
        more: dict[str, Any] = {}
        if isinstance(error, PerformedStepEnded):
            more = {"ErrorID": _ENDED_ID}
        elif isinstance(error, _OF_ATTRIBUTES):
            more = {"AttributeIdentifierList": (tag_of(error.attribute.partition(".")[0]),)}
        comment = _ENDED if isinstance(error, PerformedStepEnded) else str(error)
        association.respond(message, _status(error), comment=comment, **more)


def _status(error: EngineError) -> int:
    """As the table has it, but in words of the N-services (PS3.7 10.1)."""
    status = status_of(error)
    if status == 0xA700:
        return _RESOURCES
    return status if status < 0x1000 else _PROCESSING_FAILURE
