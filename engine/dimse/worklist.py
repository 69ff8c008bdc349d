"""The Modality Worklist: C-FIND of scheduled procedure steps, with the attributes that a modality asks for (PS3.4 K.4.1, K.6.1)."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pydicom import Dataset
from pynetdicom.sop_class import ModalityWorklistInformationFind

from engine.archive.searchable import check_value
from engine.archive.worklist.records import StepQuery
from engine.archive.worklist.worklist import Worklist
from engine.dicom.dictionary import hex_of, keyword_of, vr_of
from engine.dicom.query import Match
from engine.dicom.scheduled_step import ENDED, STATUS, STEP, State
from engine.dimse.association import Association, Message
from engine.dimse.data_set import decode, encode, from_attributes
from engine.dimse.identifier import character_sets_of, keys_in, set_character_sets
from engine.dimse.status import CANCELLED, PENDING, SUCCESS, status_of
from engine.errors import EngineError, InvalidParameter

if TYPE_CHECKING:
    from engine.dimse.services import Services

_LOG = logging.getLogger(__name__)
WORKLIST = str(ModalityWorklistInformationFind)
_PAGE_STEPS = 500  # held in memory at a time; no transaction is open while they are sent
# Character set and time zone say how the rest is meant; level and AE title are of Query/Retrieve, some modalities send them.
_NEVER_KEYS = frozenset((0x00080005, 0x00080201, 0x00080052, 0x00080053, 0x00080054))
_NEVER_RETURNED = frozenset((0x00080005, 0x00080201))
# What modalities have to do with: a step that has ended is asked for by its status.
_OPEN = frozenset(State) - ENDED

Attributes = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Attributes of an answer: tag → VR, and for a sequence what of its items; None for all of it."""

    of: Mapping[int, tuple[str, Wanted | None]]


def serve(association: Association, message: Message, services: Services) -> None:
    """Answer one C-FIND request: each step as pending, then the end; a cancel is seen between two steps."""
    try:
        identifier = decode(message)
        query, wanted = _query(identifier, is_fuzzy=_is_fuzzy(association)), _wanted(identifier)
        character_sets = character_sets_of(identifier)
        for found in _steps(services.archive.worklist, query):
            if association.is_cancelled(message.command.message_id):
                association.respond(message, CANCELLED)
                return
            answer = from_attributes(_restricted(found, wanted))
            set_character_sets(answer, character_sets)
            association.respond(message, PENDING, encode(answer, message.context.transfer_syntax))
    except EngineError as error:
        _LOG.warning("a worklist query from %s was refused: %s", association.peer, error)
        association.respond(message, status_of(error), comment=str(error))
        return
    association.respond(message, SUCCESS)


def agree(sop_class_uid: str, value: bytes) -> bytes | None:
    """What we take of the extended negotiation: fuzzy names; no query in another time zone (PS3.4 K.5.1)."""
    if sop_class_uid != WORKLIST or len(value) < 3:
        return None
    return bytes((1, 1, value[2] & 1, 0)[: len(value)])


def _is_fuzzy(association: Association) -> bool:
    agreed = association.extended.get(WORKLIST, b"")
    return len(agreed) > 2 and agreed[2] == 1


def _query(identifier: Dataset, *, is_fuzzy: bool) -> StepQuery:
    """Raises `InvalidParameter` for a key that has a value which it cannot have."""
    matches: list[Match] = []
    states = _OPEN
    for element in identifier:
        if int(element.tag) in _NEVER_KEYS or element.tag.element == 0:
            continue
        for path, vr, value in keys_in(element):
            check_value(keyword_of(path[-1]) or hex_of(path[-1]), vr, value)
            matches.append(Match(path[-1], vr, value, path if len(path) > 1 else ()))
            if path == (STEP, STATUS) and value.strip() not in ("", "*"):
                states = frozenset(State)
    return StepQuery(matches=tuple(matches), states=states, fuzzy=is_fuzzy, limit=_PAGE_STEPS)


def _wanted(identifier: Dataset) -> Wanted:
    found: dict[int, tuple[str, Wanted | None]] = {}
    for element in identifier:
        tag = int(element.tag)
        if tag in _NEVER_RETURNED or element.tag.element == 0:
            continue
        inner = None
        vr = vr_of(tag)
        if element.VR == "SQ":
            items = element.value or []
            if len(items) > 1:
                raise InvalidParameter(keyword_of(tag) or hex_of(tag), f"{len(items)} items", "one item")
            inner = _wanted(items[0]) if items and len(items[0]) else None
        found[tag] = (element.VR if vr == "UN" else vr), inner
    return Wanted(found)


def _restricted(found: Attributes, wanted: Wanted) -> Attributes:
    """What was asked for, empty where there is none (return keys of type 2)."""
    answer: Attributes = {}
    for tag, (vr, inner) in wanted.of.items():
        key = hex_of(tag)
        attribute = found.get(key, {"vr": vr})
        if inner is not None and attribute["vr"] == "SQ":
            attribute = {"vr": "SQ", "Value": [_restricted(item or {}, inner) for item in attribute.get("Value", ())]}
        answer[key] = attribute
    return answer


def _steps(worklist: Worklist, query: StepQuery) -> Iterator[Attributes]:
    while True:
        page = worklist.find(query)
        yield from (step.attributes for step in page.steps)
        if not page.has_more:
            return
        query = replace(query, after=page.cursor)
