"""The rules of a Modality Performed Procedure Step: what it must have at its creation and end, what may change (PS3.4 F.7.2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from engine.dicom.dictionary import hex_of, keyword_of, tag_of
from engine.dicom.scheduled_step import ENDED, STATUS_OF, STEP_ID, STUDY_UID, State, identity, items_of, text_of
from engine.dicom.uid import is_valid
from engine.dicom.value_rules import misfit
from engine.errors import InvalidAttributeValue, MissingAttribute, MissingAttributeValue, UnexpectedAttribute

Attributes = dict[str, Any]  # DICOM JSON (PS3.18 annex F)

STATUS = tag_of("PerformedProcedureStepStatus")
SCHEDULED_STEPS, SERIES = tag_of("ScheduledStepAttributesSequence"), tag_of("PerformedSeriesSequence")
SERIES_UID, PROTOCOL = tag_of("SeriesInstanceUID"), tag_of("ProtocolName")
START_DATE, START_TIME = tag_of("PerformedProcedureStepStartDate"), tag_of("PerformedProcedureStepStartTime")
END_DATE, END_TIME = tag_of("PerformedProcedureStepEndDate"), tag_of("PerformedProcedureStepEndTime")
STATION, MODALITY = tag_of("PerformedStationAETitle"), tag_of("Modality")
_REASON = tag_of("PerformedProcedureStepDiscontinuationReasonCodeSequence")
_REFERENCES = (tag_of("ReferencedImageSequence"), tag_of("ReferencedNonImageCompositeSOPInstanceSequence"))
_REFERENCED_UID = tag_of("ReferencedSOPInstanceUID")
_CODE_VALUE, _CODE_SCHEME = tag_of("CodeValue"), tag_of("CodingSchemeDesignator")
_WRONG_ENTRY = ("110514", "DCM")  # "Incorrect worklist entry selected" (PS3.16 CID 9300)


def _tags(*keywords: str) -> tuple[int, ...]:
    return tuple(map(tag_of, keywords))


# PS3.4 table F.7.2-1, requirement types of N-CREATE: 1 wants a value, 2 the attribute.
_CREATED_WITH_VALUE = (
    SCHEDULED_STEPS, STATUS, START_DATE, START_TIME, STATION, MODALITY, *_tags("PerformedProcedureStepID"),
)  # fmt: skip
_CREATED = _tags(
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "ReferencedPatientSequence", "PerformedStationName",
    "PerformedLocation", "PerformedProcedureStepDescription", "PerformedProcedureTypeDescription", "ProcedureCodeSequence",
    "PerformedProcedureStepEndDate", "PerformedProcedureStepEndTime", "StudyID", "PerformedProtocolCodeSequence",
    "PerformedSeriesSequence",
)  # fmt: skip
_CREATED_PER_STEP = _tags(
    "ReferencedStudySequence", "AccessionNumber", "RequestedProcedureID", "RequestedProcedureDescription",
    "ScheduledProcedureStepID", "ScheduledProcedureStepDescription", "ScheduledProtocolCodeSequence",
)  # fmt: skip
# "Not allowed" in N-SET. The same value once more does no harm; many modalities send it.
_NEVER_SET = frozenset(
    _tags(
        "ScheduledStepAttributesSequence", "PatientName", "PatientID", "PatientBirthDate", "PatientSex",
        "ReferencedPatientSequence", "PerformedProcedureStepID", "PerformedStationAETitle", "PerformedStationName",
        "PerformedLocation", "PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime", "Modality", "StudyID",
        "SOPInstanceUID", "SOPClassUID",
    )
)  # fmt: skip
# Checked wherever they come: what is found by, counted with or shown as a time must be one.
_CHECKED = (START_DATE, START_TIME, END_DATE, END_TIME, STATION, MODALITY)


@dataclass(frozen=True, slots=True)
class PerformedSeries:
    """One item of Performed Series Sequence: the series and the SOP Instance UIDs that it names, in its order."""

    series_instance_uid: str
    protocol_name: str
    sop_instance_uids: tuple[str, ...]


def performed_state(attributes: Attributes) -> State:
    return State(text_of(attributes, STATUS))


def is_wrong_entry(attributes: Attributes) -> bool:
    """Whether it was discontinued because another worklist item was meant: then nothing was done of this one."""
    return performed_state(attributes) is State.DISCONTINUED and any(
        (text_of(code, _CODE_VALUE), text_of(code, _CODE_SCHEME)) == _WRONG_ENTRY
        for code in items_of(attributes, _REASON)
    )


def scheduled_identities(attributes: Attributes) -> tuple[str, ...]:
    """`scheduled_step.identity` of each step that it is for; none where it was not scheduled (no step ID)."""
    named = (
        (text_of(item, STUDY_UID), text_of(item, STEP_ID))
        for item in items_of(attributes, SCHEDULED_STEPS)
    )  # fmt: skip
    return tuple(dict.fromkeys(identity(study, step) for study, step in named if step))


def series_of(attributes: Attributes) -> Iterator[PerformedSeries]:
    """Series that were made, with every instance that is named."""
    for item in items_of(attributes, SERIES):
        named = (text_of(reference, _REFERENCED_UID) for tag in _REFERENCES for reference in items_of(item, tag))
        yield PerformedSeries(
            text_of(item, SERIES_UID), text_of(item, PROTOCOL), tuple(dict.fromkeys(uid for uid in named if uid))
        )


def check_created(attributes: Attributes) -> None:
    """Whether an N-CREATE may make this (PS3.4 F.7.2.1).

    Raises
    ------
    MissingAttribute, MissingAttributeValue, InvalidAttributeValue
    """
    _demand(attributes, _CREATED_WITH_VALUE, _CREATED)
    for item in items_of(attributes, SCHEDULED_STEPS):
        _demand(item, (STUDY_UID,), _CREATED_PER_STEP, f"{keyword_of(SCHEDULED_STEPS)}.")
        if not is_valid(text_of(item, STUDY_UID)):
            raise InvalidAttributeValue(f"{keyword_of(SCHEDULED_STEPS)}.{keyword_of(STUDY_UID)}", "a UID")
    if text_of(attributes, STATUS) != State.IN_PROGRESS:
        raise InvalidAttributeValue(keyword_of(STATUS), "IN PROGRESS at the creation")
    _check_values(attributes)


def with_set(attributes: Attributes, modifications: Attributes) -> Attributes:
    """What it is after an N-SET (PS3.4 F.7.2.2); whether it may still be set is the caller's question.

    Raises
    ------
    UnexpectedAttribute, MissingAttribute, MissingAttributeValue, InvalidAttributeValue
    """
    for key, attribute in modifications.items():
        tag = int(key, 16)
        if tag in _NEVER_SET and attribute != attributes.get(key):
            raise UnexpectedAttribute(keyword_of(tag), "it may not be changed by N-SET")
    found = dict(sorted((attributes | modifications).items()))
    status = text_of(found, STATUS)
    if status not in (State.IN_PROGRESS, *ENDED):
        raise InvalidAttributeValue(keyword_of(STATUS), "IN PROGRESS, COMPLETED or DISCONTINUED")
    _check_values(found)
    if State(status) in ENDED:
        _check_ended(found)
    return found


def followed(performed: Iterable[Attributes]) -> str:
    """Scheduled Procedure Step Status of a step by what was performed of it; empty where nothing was."""
    states = [performed_state(one) for one in performed if not is_wrong_entry(one)]
    if State.IN_PROGRESS in states:
        return STATUS_OF[State.IN_PROGRESS]
    if State.COMPLETED in states:
        return STATUS_OF[State.COMPLETED]
    return STATUS_OF[State.DISCONTINUED] if states else ""


def _check_ended(attributes: Attributes) -> None:
    """Requirement type final state. What was discontinued may have no series: no image was made, and none is owed."""
    _demand(attributes, (END_DATE, END_TIME), ())
    if performed_state(attributes) is State.COMPLETED:
        _demand(attributes, (SERIES,), ())
    for item in items_of(attributes, SERIES):
        _demand(item, (SERIES_UID, PROTOCOL), (), f"{keyword_of(SERIES)}.")


def _demand(attributes: Attributes, with_value: Iterable[int], at_all: Iterable[int], where: str = "") -> None:
    for tag in (*with_value, *at_all):
        if hex_of(tag) not in attributes:
            raise MissingAttribute(where + keyword_of(tag))
    for tag in with_value:
        has_value = any(attributes[hex_of(tag)].get("Value", ()))
        if not has_value:
            raise MissingAttributeValue(where + keyword_of(tag))


def _check_values(attributes: Attributes) -> None:
    for tag in _CHECKED:
        attribute = attributes.get(hex_of(tag), {})
        for value in attribute.get("Value", ()):
            if expected := misfit(attribute["vr"], value):
                raise InvalidAttributeValue(keyword_of(tag), expected)
    for item in items_of(attributes, SERIES):
        uid = text_of(item, SERIES_UID)
        if uid and not is_valid(uid):
            raise InvalidAttributeValue(f"{keyword_of(SERIES)}.{keyword_of(SERIES_UID)}", "a UID")
