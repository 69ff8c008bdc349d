"""What the archive knows of a series beside its headers: how it is stored, who sent it and when, what is odd about it (JSON)."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from engine.archive.archive import Archive
from engine.dicom.defects import DEFECTS
from engine.dicom.transfer_syntax import lookup
from engine.web.services import on, services

# Some 10 µs each; of a longer series the answer says that it is of a part.
_COUNTED_MAX = 20_000


async def series(request: web.Request) -> web.Response:
    """The account of one series; it names no patient."""
    s, match = services(request), request.match_info
    found = await on(request, s.executors.index, "read", lambda: _account(s.archive, match["study"], match["series"]))
    headers = {"Cache-Control": "private, no-store"}
    return web.Response(body=json.dumps(found).encode(), content_type="application/json", headers=headers)


def _account(archive: Archive, study_uid: str, series_uid: str) -> dict[str, Any]:
    """Blocks. Raises `NotFound` leaves where there is no such series."""
    summary, is_whole = archive.series(study_uid, series_uid), True
    count = size = replacing = 0
    classes: Counter[str] = Counter()
    syntaxes: Counter[str] = Counter()
    sources: Counter[tuple[str, str, str]] = Counter()
    defects: Counter[str] = Counter()
    first, last = None, None
    for record in archive.walk(study_uid, series_uid):
        if count >= _COUNTED_MAX:
            is_whole = False
            break
        count, size = count + 1, size + record.location.length
        replacing += record.is_replacing
        classes[record.sop_class_uid] += 1
        syntaxes[record.transfer_syntax_uid] += 1
        sources[record.source.door, record.source.peer, record.source.called] += 1
        defects.update({defect.code for defect in record.defects})
        first = record.received_ns if first is None else min(first, record.received_ns)
        last = record.received_ns if last is None else max(last, record.received_ns)
    return {
        "studyInstanceUID": summary.study_instance_uid,
        "seriesInstanceUID": summary.series_instance_uid,
        "instances": count,
        "isWhole": is_whole,
        "bytes": size,
        "hash": "SHA-256",
        "replacing": replacing,
        "sopClasses": [{"uid": uid, "instances": n} for uid, n in classes.most_common()],
        "transferSyntaxes": [
            {"uid": uid, "name": lookup(uid).name, "isLossless": lookup(uid).is_lossless, "instances": n}
            for uid, n in syntaxes.most_common()
        ],
        "sources": [
            {"door": door, "peer": peer, "called": called, "instances": n}
            for (door, peer, called), n in sources.most_common(20)
        ],
        "defects": [
            {"code": code, "meaning": DEFECTS.get(code, ""), "instances": n} for code, n in defects.most_common()
        ],
        "firstReceived": _when(first),
        "lastReceived": _when(last),
    }


def _when(ns: int | None) -> str | None:
    return (
        None
        if ns is None
        else datetime.fromtimestamp(ns / 1e9, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )
