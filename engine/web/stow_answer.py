"""What a sender is told: which instances are safe, which are not, and why (PS3.18 10.5.3, annex I.2)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from engine.archive.records import StoreStatus
from engine.archive.rows import resource
from engine.errors import ArchiveFault, ArchiveFull, EngineError, LimitExceeded, OtherStudy, TooBusy
from engine.ingest.accept import Accepted
from engine.web.addresses import root_of
from engine.web.errors import status_of, warning
from engine.web.negotiate import DICOM_JSON, DICOM_XML
from engine.web.xml_answer import answer_xml

# Failure Reason (0008,1197), PS3.18 table I.2-2.
_OUT_OF_RESOURCES = 0xA700
_DOES_NOT_MATCH = 0xA900
_CANNOT_UNDERSTAND = 0xC000
_PROCESSING_FAILURE = 0x0110
# Warning Reason (0008,1196), table I.2-1.
_COERCED = 0xB000
_NOTES_MAX = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one part or instance: `accepted`, or the `error` that kept it out.

    Attributes
    ----------
    is_coerced : it is stored, but a value had to be shortened to what its VR may hold.
    sop_class_uid, sop_instance_uid : of one that was kept out, where they could be read.
    """

    accepted: Accepted | None = None
    error: Exception | None = None
    is_coerced: bool = False
    sop_class_uid: str = ""
    sop_instance_uid: str = ""


async def answer(request: web.Request, outcomes: list[Outcome], media_type: str) -> web.StreamResponse:
    """200 when all are safe as they were sent, 202 when some are or with changes, otherwise what kept them all out.

    That is 507, 503 or 409.

    Parameters
    ----------
    media_type : of the answer: DICOM JSON or XML.
    """
    root = root_of(request)
    stored = [(o.accepted, o.is_coerced) for o in outcomes if o.accepted is not None]
    errors = [o.error for o in outcomes if o.error is not None]
    document: dict[str, Any] = {}
    studies = {a.study_instance_uid for a, _ in stored}
    if len(studies) == 1:
        document["00081190"] = {"vr": "UR", "Value": [root + resource(studies.pop())]}
    failed = [found for o in outcomes if (found := _failed(o)) is not None]
    others = [_reason(o.error) for o in outcomes if o.error is not None and _failed(o) is None]
    if failed:
        document["00081198"] = {"vr": "SQ", "Value": failed}
    if stored:
        document["00081199"] = {"vr": "SQ", "Value": [_stored(a, root, coerced) for a, coerced in stored]}
    if others:
        document["0008119A"] = {"vr": "SQ", "Value": others}
    notes = list(dict.fromkeys(map(str, errors)))
    conflicts = sum(a.status in (StoreStatus.CONFLICT_KEPT, StoreStatus.CONFLICT_REPLACED) for a, _ in stored)
    if conflicts:
        notes.append(
            f"{conflicts} instances differ from ones with the same SOP Instance UID; both are kept, see /api/conflicts"
        )
    coerced = sum(is_coerced for _, is_coerced in stored)
    if coerced:
        notes.append(f"in {coerced} instances decimal numbers were rounded to the 16 characters of VR DS")
    status = _status(bool(stored), bool(coerced), errors)
    headers = {"Cache-Control": "no-store"}
    if notes:
        headers["Warning"] = ", ".join(map(warning, notes[:_NOTES_MAX]))
    body = json.dumps(document, separators=(",", ":")).encode()
    if media_type == DICOM_XML:
        return await answer_xml(request, b"[" + body + b"]", headers, status)
    return web.Response(status=status, headers=headers | {"Content-Type": DICOM_JSON}, body=body)


def _status(any_stored: bool, any_coerced: bool, errors: list[Exception]) -> int:
    if not errors and not any_coerced:
        return 200
    if any_stored:
        return 202
    faults = [error for error in errors if isinstance(error, (ArchiveFault, TooBusy))]
    if len(faults) < len(errors):
        return 409
    return 507 if any(isinstance(error, ArchiveFull) for error in faults) else max(map(status_of, faults))


def _stored(a: Accepted, root: str, is_coerced: bool) -> dict[str, Any]:
    url = root + resource(a.study_instance_uid, a.series_instance_uid, a.sop_instance_uid)
    item: dict[str, Any] = {
        "00081150": {"vr": "UI", "Value": [a.sop_class_uid]},
        "00081155": {"vr": "UI", "Value": [a.sop_instance_uid]},
        "00081190": {"vr": "UR", "Value": [url]},
    }
    if is_coerced:
        item["00081196"] = {"vr": "US", "Value": [_COERCED]}
    return dict(sorted(item.items()))


def _failed(outcome: Outcome) -> dict[str, Any] | None:
    """An item of Failed SOP Sequence; None where the instance is not known: then Other Failures has it."""
    error = outcome.error
    known = error if isinstance(error, OtherStudy) else outcome
    if error is None or not known.sop_instance_uid:
        return None
    return {
        "00081150": {"vr": "UI", "Value": [known.sop_class_uid]},
        "00081155": {"vr": "UI", "Value": [known.sop_instance_uid]},
        **_reason(error),
    }


def _reason(error: Exception) -> dict[str, Any]:
    match error:
        case OtherStudy():
            code = _DOES_NOT_MATCH
        case ArchiveFault() | LimitExceeded():
            code = _OUT_OF_RESOURCES
        case EngineError():
            code = _CANNOT_UNDERSTAND
        case _:
            code = _PROCESSING_FAILURE
    return {"00081197": {"vr": "US", "Value": [code]}}
