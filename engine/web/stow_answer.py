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
from engine.web.negotiate import DICOM_JSON

# Failure Reason (0008,1197), PS3.18 table I.2-2.
_OUT_OF_RESOURCES = 0xA700
_DOES_NOT_MATCH = 0xA900
_CANNOT_UNDERSTAND = 0xC000
_PROCESSING_FAILURE = 0x0110


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one part: `accepted`, or the `error` that kept it out."""

    accepted: Accepted | None = None
    error: Exception | None = None


def answer(request: web.Request, outcomes: list[Outcome]) -> web.Response:
    """200 when all are safe, 202 when some are, otherwise what kept them all out: 507, 503 or 409."""
    root = root_of(request)
    stored = [o.accepted for o in outcomes if o.accepted is not None]
    errors = [o.error for o in outcomes if o.error is not None]
    document: dict[str, Any] = {}
    studies = {a.study_instance_uid for a in stored}
    if len(studies) == 1:
        document["00081190"] = {"vr": "UR", "Value": [root + resource(studies.pop())]}
    failed = [_failed(error) for error in errors if isinstance(error, OtherStudy)]
    others = [_reason(error) for error in errors if not isinstance(error, OtherStudy)]
    if failed:
        document["00081198"] = {"vr": "SQ", "Value": failed}
    if stored:
        document["00081199"] = {"vr": "SQ", "Value": [_stored(a, root) for a in stored]}
    if others:
        document["0008119A"] = {"vr": "SQ", "Value": others}
    response = web.Response(
        status=_status(bool(stored), errors),
        headers={"Content-Type": DICOM_JSON, "Cache-Control": "no-store"},
        body=json.dumps(document, separators=(",", ":")).encode(),
    )
    notes = list(dict.fromkeys(map(str, errors)))
    conflicts = sum(a.status in (StoreStatus.CONFLICT_KEPT, StoreStatus.CONFLICT_REPLACED) for a in stored)
    if conflicts:
        notes.append(
            f"{conflicts} instances differ from ones with the same SOP Instance UID; both are kept, see /api/conflicts"
        )
    for note in notes[:10]:
        response.headers.add("Warning", warning(note))
    return response


def _status(any_stored: bool, errors: list[Exception]) -> int:
    if not errors:
        return 200
    if any_stored:
        return 202
    faults = [error for error in errors if isinstance(error, (ArchiveFault, TooBusy))]
    if len(faults) < len(errors):
        return 409
    return 507 if any(isinstance(error, ArchiveFull) for error in faults) else max(map(status_of, faults))


def _stored(a: Accepted, root: str) -> dict[str, Any]:
    url = root + resource(a.study_instance_uid, a.series_instance_uid, a.sop_instance_uid)
    return {
        "00081150": {"vr": "UI", "Value": [a.sop_class_uid]},
        "00081155": {"vr": "UI", "Value": [a.sop_instance_uid]},
        "00081190": {"vr": "UR", "Value": [url]},
    }


def _failed(error: OtherStudy) -> dict[str, Any]:
    return {
        "00081150": {"vr": "UI", "Value": [error.sop_class_uid]},
        "00081155": {"vr": "UI", "Value": [error.sop_instance_uid]},
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
