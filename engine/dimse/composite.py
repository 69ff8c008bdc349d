"""C-MOVE and C-GET of single instances, of some of their frames, and without their bulk data (PS3.4 annexes Y and Z)."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydicom import Dataset
from pydicom.multival import MultiValue

from engine.dicom.frame_list import KEYWORDS, TIME_RANGE, FrameList
from engine.dimse.association import Association, Message
from engine.dimse.data_set import decode
from engine.dimse.made import Made, extracted, without_bulk
from engine.dimse.retrieve import Outgoings, as_stored, destination_of, give, move
from engine.dimse.status import status_of
from engine.dimse.sub_operations import SubOperations
from engine.dimse.wanted import Wanted, read_keys, wanted_by
from engine.errors import EngineError, FrameNotFound, InvalidFrameList, UnknownLevel

if TYPE_CHECKING:
    from engine.dimse.services import Services

_IMAGE, _FRAME = "IMAGE", "FRAME"  # table Y.6.1-1; table Z.6.1-1 has the first alone
_LOG = logging.getLogger(__name__)


def serve_get(association: Association, message: Message, services: Services) -> None:
    """Answer a C-GET in the Composite Instance Root: instances as they are stored, or one made of frames."""
    with _prepared(association, message, services) as prepared:
        if prepared is not None:
            give(association, message, services, *prepared)


def serve_move(association: Association, message: Message, services: Services) -> None:
    """Answer a C-MOVE there. What is made of frames is kept nowhere, so that nothing of it waits in the outbox."""
    peer = destination_of(association, message, services)
    if peer is None:
        return
    with _prepared(association, message, services) as prepared:
        if prepared is None:
            return
        wanted, outgoing = prepared
        work = SubOperations(association, message, wanted)
        if wanted:
            move(work, peer, association, message, services, outgoing)
        work.finish()


def serve_without_bulk(association: Association, message: Message, services: Services) -> None:
    """Answer a C-GET of instances without their bulk data."""
    try:
        wanted = wanted_by(read_keys(decode(message), (_IMAGE,)), services.archive)
    except EngineError as error:
        _refuse(association, message, error)
        return
    stored, limits = as_stored(services), services.settings.limits
    give(association, message, services, wanted, lambda one: without_bulk(stored(one), limits))


@contextlib.contextmanager
def _prepared(
    association: Association, message: Message, services: Services
) -> Iterator[tuple[list[Wanted], Outgoings] | None]:
    """What is wanted, and how it is given; None where that could not be told, and the requestor has been."""
    made: Made | None = None
    try:
        ds = decode(message)
        if str(ds.get("QueryRetrieveLevel", "") or "").strip().upper() != _FRAME:
            prepared = _stored(ds, services), as_stored(services)
        else:
            made = _made(ds, services)
            prepared = [_wanted(made)], _only(made)
    except (EngineError, OSError) as error:
        _refuse(association, message, error)
        yield None
        return
    try:
        yield prepared
    finally:
        if made is not None:
            made.close()


def _stored(ds: Dataset, services: Services) -> list[Wanted]:
    try:
        return wanted_by(read_keys(ds, (_IMAGE,)), services.archive)
    except UnknownLevel as error:
        raise UnknownLevel(error.level, (_IMAGE, _FRAME)) from error


def _made(ds: Dataset, services: Services) -> Made:
    """The instance that the frames make; the one that they are of is read and hashed to its end before."""
    asked = _frame_list(ds)
    ds.QueryRetrieveLevel = _IMAGE
    keys = read_keys(ds, (_IMAGE,))
    if len(keys.instances) != 1:
        raise InvalidFrameList("SOPInstanceUID", "one UID")
    found = wanted_by(keys, services.archive)
    if not found:
        raise FrameNotFound(keys.instances[0], 1, 0)
    return extracted(as_stored(services)(found[0]), asked, services.settings.limits)


def _frame_list(ds: Dataset) -> FrameList:
    """Raises InvalidFrameList unless one and only one of the three keys is there (Y.6.1.1.3)."""
    present = [tag for tag in KEYWORDS if tag in ds]
    if len(present) != 1:
        raise InvalidFrameList("the frame level key", f"one of {', '.join(KEYWORDS.values())}")
    value = ds[present[0]].value
    values = list(value) if isinstance(value, (MultiValue, list)) else [value] if value is not None else []
    try:
        return FrameList(present[0], tuple(float(one) if present[0] == TIME_RANGE else int(one) for one in values))
    except (TypeError, ValueError, OverflowError) as error:  # of another VR than the attribute's
        raise InvalidFrameList(KEYWORDS[present[0]], "numbers") from error


def _wanted(made: Made) -> Wanted:
    return Wanted(
        made.study_instance_uid,
        made.series_instance_uid,
        made.sop_instance_uid,
        made.sop_class_uid,
        made.transfer_syntax_uid,
    )


def _only(made: Made) -> Outgoings:
    return lambda _: made


def _refuse(association: Association, message: Message, error: Exception) -> None:
    _LOG.warning("a %s from %s was refused: %s", message.command.name, association.peer, error)
    comment = str(error) if isinstance(error, EngineError) else "it could not be made"
    association.respond(message, status_of(error), comment=comment)
