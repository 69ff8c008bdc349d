"""Worklist items and performed procedure steps for tests, in the DICOM JSON Model."""

from __future__ import annotations

from typing import Any

from engine.dicom.dictionary import hex_of, tag_of, vr_of

Attributes = dict[str, Any]


def attributes(**values: Any) -> Attributes:
    """By keyword; None and "" make an attribute without a value, a list of dicts a sequence of such."""
    found = {}
    for keyword, value in values.items():
        tag = tag_of(keyword)
        vr = vr_of(tag)
        attribute: Attributes = {"vr": vr}
        if vr == "SQ":
            attribute["Value"] = [attributes(**item) for item in value or ()]
            if not value:
                del attribute["Value"]
        elif value not in (None, ""):
            many = value if isinstance(value, list) else [value]
            attribute["Value"] = [{"Alphabetic": one} for one in many] if vr == "PN" else many
        found[hex_of(tag)] = attribute
    return dict(sorted(found.items()))


def item(step_id: str = "S1", study: str = "1.2.3", **values: Any) -> Attributes:
    """A worklist item; what belongs into Scheduled Procedure Step Sequence is put there."""
    step = {
        "Modality": "CT",
        "ScheduledStationAETitle": "CT1",
        "ScheduledProcedureStepStartDate": "20260131",
        "ScheduledProcedureStepStartTime": "100000",
        "ScheduledPerformingPhysicianName": "HOUSE^GREGORY",
        "ScheduledProcedureStepDescription": "CT THORAX",
        "ScheduledProcedureStepID": step_id,
        "ScheduledProcedureStepStatus": "SCHEDULED",
    }
    whole = {
        "PatientName": "DOE^JANE",
        "PatientID": "P1",
        "PatientBirthDate": "19700101",
        "PatientSex": "F",
        "AccessionNumber": "A1",
        "RequestedProcedureID": "R1",
        "RequestedProcedureDescription": "CT THORAX",
        "StudyInstanceUID": study,
    }
    for keyword, value in values.items():
        (step if keyword in step or keyword.startswith(("Scheduled", "PreMedication")) else whole)[keyword] = value
    kept = {k: v for k, v in step.items() if v is not ...}
    return attributes(ScheduledProcedureStepSequence=[kept], **{k: v for k, v in whole.items() if v is not ...})


def created(step_id: str = "S1", study: str = "1.2.3", **values: Any) -> Attributes:
    """What a modality sends with N-CREATE, complete."""
    empty = dict.fromkeys(
        ("PatientBirthDate", "PatientSex", "ReferencedPatientSequence", "PerformedStationName", "PerformedLocation",
         "PerformedProcedureStepDescription", "PerformedProcedureTypeDescription", "ProcedureCodeSequence",
         "PerformedProcedureStepEndDate", "PerformedProcedureStepEndTime", "StudyID", "PerformedProtocolCodeSequence",
         "PerformedSeriesSequence"),
        "",
    )  # fmt: skip
    scheduled = {
        "StudyInstanceUID": study, "ReferencedStudySequence": "", "AccessionNumber": "A1", "RequestedProcedureID": "R1",
        "RequestedProcedureDescription": "", "ScheduledProcedureStepID": step_id, "ScheduledProcedureStepDescription": "",
        "ScheduledProtocolCodeSequence": "",
    }  # fmt: skip
    whole = {
        **empty,
        "ScheduledStepAttributesSequence": [scheduled],
        "PatientName": "DOE^JANE",
        "PatientID": "P1",
        "PerformedProcedureStepID": "PPS1",
        "PerformedStationAETitle": "CT1",
        "PerformedProcedureStepStartDate": "20260131",
        "PerformedProcedureStepStartTime": "101500",
        "PerformedProcedureStepStatus": "IN PROGRESS",
        "Modality": "CT",
        **values,
    }
    return attributes(**{k: v for k, v in whole.items() if v is not ...})


def ended(*sops: str, status: str = "COMPLETED", series: str = "1.2.3.4", **values: Any) -> Attributes:
    """What it sends with its last N-SET."""
    made = {
        "SeriesInstanceUID": series, "ProtocolName": "THORAX", "PerformingPhysicianName": "", "OperatorsName": "",
        "SeriesDescription": "", "RetrieveAETitle": "", "ReferencedNonImageCompositeSOPInstanceSequence": "",
        "ReferencedImageSequence": [
            {"ReferencedSOPClassUID": "1.2.840.10008.5.1.4.1.1.2", "ReferencedSOPInstanceUID": uid} for uid in sops
        ],
    }  # fmt: skip
    whole = {
        "PerformedProcedureStepStatus": status,
        "PerformedProcedureStepEndDate": "20260131",
        "PerformedProcedureStepEndTime": "103000",
        "PerformedSeriesSequence": [made],
        **values,
    }
    return attributes(**{k: v for k, v in whole.items() if v is not ...})
