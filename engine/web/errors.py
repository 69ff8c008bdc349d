"""The one table from error class to HTTP status, and the answer that an error becomes (RFC 9457, PS3.18 8.8)."""

from __future__ import annotations

import json
from http import HTTPStatus

from aiohttp import web

from engine import errors as e

# Leaves of engine/errors.py; a test demands every one.
STATUS: dict[type[e.EngineError], int] = {
    e.NotDicom: 400,
    e.TruncatedDataSet: 400,
    e.MalformedDataSet: 400,
    e.MissingUid: 400,
    e.InvalidParameter: 400,
    e.UnsatisfiableRange: 416,
    e.UnknownLevel: 400,
    e.MissingKey: 400,
    e.OtherStudy: 409,
    e.BadBulkData: 409,
    e.MissingAttribute: 400,
    e.MissingAttributeValue: 400,
    e.InvalidAttributeValue: 400,
    e.UnexpectedAttribute: 400,
    e.StepExists: 409,
    e.PerformedStepExists: 409,
    e.StepUnderWay: 409,
    e.PerformedStepEnded: 409,
    e.InvalidFrameList: 400,
    e.BadFrame: 422,  # the address and the request are right; what was stored cannot be decoded
    e.UnsupportedTransferSyntax: 406,
    e.UnsupportedPixels: 406,
    e.NotMultiFrame: 406,
    e.NotExtractable: 406,
    e.NoFrameTimes: 406,
    e.UnsupportedPresentation: 406,
    e.NotAcceptable: 406,
    e.StudyNotFound: 404,
    e.SeriesNotFound: 404,
    e.InstanceNotFound: 404,
    e.FrameNotFound: 404,
    e.StepNotFound: 404,
    e.PerformedStepNotFound: 404,
    e.NoPixels: 404,
    e.ChangesGone: 410,
    e.OutboxEntryNotFound: 404,
    e.TooLarge: 413,
    e.TooBusy: 503,
    e.ArchiveFull: 507,
    e.ArchiveReadOnly: 503,
    e.ArchiveLocked: 503,
    e.PeerUnavailable: 502,
    e.CorruptInstance: 500,
    e.WorklistMismatch: 500,
    e.IndexMismatch: 500,
    e.OutboxDamaged: 500,
    e.CommitmentsDamaged: 500,
}
# Fields of an error that are UIDs and help whoever reads the answer.
_UIDS = {
    "study_instance_uid": "studyInstanceUID",
    "series_instance_uid": "seriesInstanceUID",
    "sop_instance_uid": "sopInstanceUID",
    "transfer_syntax_uid": "transferSyntaxUID",
}


def status_of(error: e.EngineError) -> int:
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def problem(request: web.BaseRequest, error: e.EngineError) -> web.Response:
    """The answer to a request that ended with one of our errors."""
    uids = {ours: str(getattr(error, name)) for name, ours in _UIDS.items() if hasattr(error, name)}
    headers: dict[str, str] = {}
    if isinstance(error, e.TooBusy):
        headers["Retry-After"] = str(error.retry_after_s)
    elif isinstance(error, e.UnsatisfiableRange):
        headers["Content-Range"] = f"bytes */{error.total}"  # RFC 9110 15.5.17
    return problem_response(request, status_of(error), str(error), uids, headers)


def problem_response(
    request: web.BaseRequest,
    status: int,
    detail: str,
    members: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
) -> web.Response:
    """``application/problem+json``; on DICOMweb paths its text also as a ``Warning`` header (PS3.18 8.4)."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    sent = dict(headers or {})
    if request.path.startswith("/dicom-web/"):
        sent["Warning"] = warning(detail)
    return web.Response(
        status=status,
        headers=sent,
        body=json.dumps(body | (members or {}), ensure_ascii=False).encode("utf_8", "replace"),
        content_type="application/problem+json",
    )


def warning(text: str) -> str:
    """Value of a ``Warning`` header: code 299 and a quoted string without anything that could end it or the line."""
    plain = "".join(c if " " <= c <= "~" and c not in '"\\' else "?" for c in text)
    return f'299 voxcast "{plain[:500]}"'
