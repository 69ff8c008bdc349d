"""A worklist item: one scheduled procedure step with its requested procedure, order, visit and patient (PS3.4 K.6.1.2)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

from engine.dicom.dictionary import hex_of, keyword_of, tag_of
from engine.dicom.uid import is_valid
from engine.dicom.value_rules import misfit
from engine.errors import InvalidAttributeValue, MissingAttribute, MissingAttributeValue

Attributes = dict[str, Any]  # DICOM JSON (PS3.18 annex F)

STEP = tag_of("ScheduledProcedureStepSequence")
STATION, DATE, TIME = (
    tag_of("ScheduledStationAETitle"),
    tag_of("ScheduledProcedureStepStartDate"),
    tag_of("ScheduledProcedureStepStartTime"),
)
STEP_ID, STATUS = tag_of("ScheduledProcedureStepID"), tag_of("ScheduledProcedureStepStatus")
MODALITY, PATIENT_NAME, PATIENT_ID = tag_of("Modality"), tag_of("PatientName"), tag_of("PatientID")
ACCESSION, PROCEDURE_ID, STUDY_UID = (
    tag_of("AccessionNumber"),
    tag_of("RequestedProcedureID"),
    tag_of("StudyInstanceUID"),
)

# What steps are searched by at every door (PS3.4 table K.6-1, the keys of the IHE scheduled workflow): paths of tags.
SEARCHED: tuple[tuple[int, ...], ...] = (
    *(
        (STEP, tag)
        for tag in (STATION, DATE, TIME, MODALITY, tag_of("ScheduledPerformingPhysicianName"), STEP_ID, STATUS)
    ),
    (PATIENT_NAME,),
    (PATIENT_ID,),
    (ACCESSION,),
    (PROCEDURE_ID,),
    (STUDY_UID,),
    (tag_of("ReferringPhysicianName"),),
)
# Of return key type 1 (PS3.4 table K.6-1) without which no modality could show or start the step.
_REQUIRED = (PATIENT_NAME, PATIENT_ID, STUDY_UID, PROCEDURE_ID)
_REQUIRED_OF_STEP = (STATION, DATE, TIME, MODALITY, STEP_ID)
# Given a value when the sender leaves that to us.
MADE = (STUDY_UID, PROCEDURE_ID, STEP_ID)


class State(StrEnum):
    """Where a procedure step is (PS3.3 C.4.14: the words of Performed Procedure Step Status, and the one before them)."""

    SCHEDULED = "SCHEDULED"
    IN_PROGRESS = "IN PROGRESS"
    COMPLETED = "COMPLETED"
    DISCONTINUED = "DISCONTINUED"


ENDED = frozenset({State.COMPLETED, State.DISCONTINUED})
# Scheduled Procedure Step Status (PS3.3 C.4.10), its defined terms and those in use, and what each says of the step.
STATES: Mapping[str, State] = {
    "SCHEDULED": State.SCHEDULED,
    "ARRIVED": State.SCHEDULED,
    "READY": State.SCHEDULED,
    "STARTED": State.IN_PROGRESS,
    "DEPARTED": State.COMPLETED,
    "COMPLETED": State.COMPLETED,
    "CANCELED": State.DISCONTINUED,
    "DISCONTINUED": State.DISCONTINUED,
}
STATUS_OF: Mapping[State, str] = {
    State.SCHEDULED: "SCHEDULED",
    State.IN_PROGRESS: "STARTED",
    State.COMPLETED: "COMPLETED",
    State.DISCONTINUED: "DISCONTINUED",
}


def text_of(attributes: Attributes, tag: int) -> str:
    """First value of an attribute of characters, "" without one; of a name its first group."""
    values = attributes.get(hex_of(tag), {}).get("Value") or [""]
    value = values[0]
    if isinstance(value, dict):
        value = next((one for one in value.values() if one), "")
    return "" if value is None else str(value).strip()


def step_of(attributes: Attributes) -> Attributes:
    """The item of Scheduled Procedure Step Sequence."""
    return next(iter(items_of(attributes, STEP)), {})


def items_of(attributes: Attributes, tag: int) -> list[Attributes]:
    """Items of a sequence; none where it is missing or empty."""
    return [item or {} for item in attributes.get(hex_of(tag), {}).get("Value", ())]


def state_of(attributes: Attributes) -> State:
    return STATES.get(text_of(step_of(attributes), STATUS).upper(), State.SCHEDULED)


def with_status(attributes: Attributes, status: str) -> Attributes:
    """The same item with this Scheduled Procedure Step Status."""
    item = dict(step_of(attributes))
    item[hex_of(STATUS)] = {"vr": "CS", "Value": [status]}
    return _sorted({**attributes, hex_of(STEP): {"vr": "SQ", "Value": [_sorted(item)]}})


def identity(study_instance_uid: str, step_id: str) -> str:
    """32 hexadecimal digits that name a step everywhere: of the two attributes by which a modality refers to it."""
    return hashlib.sha256(f"{study_instance_uid}\0{step_id}".encode("utf_8", "surrogatepass")).hexdigest()[:32]


def identity_of(attributes: Attributes) -> str:
    return identity(text_of(attributes, STUDY_UID), text_of(step_of(attributes), STEP_ID))


def split(attributes: Attributes) -> Iterator[Attributes]:
    """One worklist item for each step: an order may be sent with several items in the sequence, an answer has one.

    Raises
    ------
    MissingAttribute
    """
    items = items_of(attributes, STEP)
    if not items:
        raise MissingAttribute(keyword_of(STEP))
    for item in items:
        yield _sorted({**attributes, hex_of(STEP): {"vr": "SQ", "Value": [item]}})


def completed(attributes: Attributes, made: Mapping[int, str]) -> Attributes:
    """The item with these values where it has none; the keys are of `MADE`."""
    item, found = dict(step_of(attributes)), dict(attributes)
    for tag, value in made.items():
        where = item if tag == STEP_ID else found
        if not text_of(where, tag):
            where[hex_of(tag)] = {"vr": "UI" if tag == STUDY_UID else "SH", "Value": [value]}
    found[hex_of(STEP)] = {"vr": "SQ", "Value": [_sorted(item)]}
    return _sorted(found)


def check(attributes: Attributes, *, is_strict: bool = True, where: str = "") -> None:
    """Whether this can be a worklist item.

    Parameters
    ----------
    is_strict : every value must be one that its VR can have; otherwise only those that are searched by.
    where : what the message says in front of the attribute.

    Raises
    ------
    MissingAttribute, MissingAttributeValue, InvalidAttributeValue
    """
    step = step_of(attributes)
    for scope, tags, prefix in ((attributes, _REQUIRED, ""), (step, _REQUIRED_OF_STEP, f"{keyword_of(STEP)}.")):
        for tag in tags:
            name = f"{where}{prefix}{keyword_of(tag)}"
            if hex_of(tag) not in scope:
                raise MissingAttribute(name)
            if not text_of(scope, tag):
                raise MissingAttributeValue(name)
    if not is_valid(text_of(attributes, STUDY_UID)):
        raise InvalidAttributeValue(f"{where}{keyword_of(STUDY_UID)}", "a UID")
    status = text_of(step, STATUS)
    if status and status.upper() not in STATES:
        raise InvalidAttributeValue(f"{where}{keyword_of(STEP)}.{keyword_of(STATUS)}", "one of " + ", ".join(STATES))
    searched = {hex_of(tag) for tag in (*_REQUIRED, *_REQUIRED_OF_STEP, ACCESSION, STATUS)}
    _check_values(attributes, where, None if is_strict else searched)


def _check_values(attributes: Attributes, where: str, only: set[str] | None) -> None:
    for key, attribute in attributes.items():
        name = where + (keyword_of(int(key, 16)) or key)
        if attribute["vr"] == "SQ":
            for item in attribute.get("Value", ()):
                _check_values(item or {}, f"{name}.", only)
        elif only is None or key in only:
            for value in attribute.get("Value", ()):
                expected = misfit(attribute["vr"], value)
                if expected:
                    raise InvalidAttributeValue(name, expected)


def _sorted(attributes: Attributes) -> Attributes:
    return dict(sorted(attributes.items()))
