"""WADO-RS metadata: DICOM JSON of instances, series and studies (PS3.18 10.4.1.1.2, annex F)."""

from __future__ import annotations

import gzip
import hashlib

from aiohttp import web

from engine.archive.documents import documents_of
from engine.web.negotiate import DICOM_JSON, choose
from engine.web.sending import is_known
from engine.web.services import on, services
from engine.web.wado import record_of

# Clients keep it but ask each time whether it is still true: a replaced instance must show at once.
_CACHE = "private, no-cache"


async def retrieve_series_metadata(request: web.Request) -> web.Response:
    """Prebuilt and gzipped as it is stored: one file read."""
    choose(request, (DICOM_JSON,))
    s, study, series = services(request), request.match_info["study"], request.match_info["series"]
    etag = s.documents.etag(study, series)
    if is_known(request, etag):
        return _unchanged(etag)
    document = await on(request, s.executors.index, "read", lambda: s.documents.get(study, series))
    return await _answer(request, document.body_gzip, document.etag)


async def retrieve_study_metadata(request: web.Request) -> web.Response:
    """The documents of its series, one array."""
    choose(request, (DICOM_JSON,))
    s, study = services(request), request.match_info["study"]
    uids = [
        one.series_instance_uid
        for one in await on(request, s.executors.index, "read", lambda: s.archive.series_of(study))
    ]
    tags = "\0".join(s.documents.etag(study, uid) for uid in uids)
    etag = f'"{hashlib.sha256(tags.encode()).hexdigest()[:32]}"'
    if is_known(request, etag):
        return _unchanged(etag)

    def join() -> bytes:
        arrays = (gzip.decompress(s.documents.get(study, uid).body_gzip) for uid in uids)
        return gzip.compress(b"[" + b",".join(array[1:-1] for array in arrays) + b"]", 1, mtime=0)

    return await _answer(request, await on(request, s.executors.index, "read", join), etag)


async def retrieve_instance_metadata(request: web.Request) -> web.Response:
    """An array of one, read from the stored header."""
    choose(request, (DICOM_JSON,))
    s, record = services(request), record_of(request)
    etag = s.documents.instance_etag(record)
    if is_known(request, etag):
        return _unchanged(etag)
    body = await on(
        request, s.executors.index, "read", lambda: documents_of(s.archive, iter([record]), s.documents.root)
    )
    return web.Response(body=body, headers={"Content-Type": DICOM_JSON, "ETag": etag, "Cache-Control": _CACHE})


async def _answer(request: web.Request, body_gzip: bytes, etag: str) -> web.Response:
    headers = {"Content-Type": DICOM_JSON, "ETag": etag, "Cache-Control": _CACHE, "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("Accept-Encoding", "").lower():
        return web.Response(body=body_gzip, headers={**headers, "Content-Encoding": "gzip"})
    plain = await on(request, services(request).executors.index, "encode", lambda: gzip.decompress(body_gzip))
    return web.Response(body=plain, headers=headers)


def _unchanged(etag: str) -> web.Response:
    return web.Response(status=304, headers={"ETag": etag, "Cache-Control": _CACHE})
