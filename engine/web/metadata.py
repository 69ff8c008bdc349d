"""WADO-RS metadata: DICOM JSON of instances, series and studies (PS3.18 10.4.1.1.2, annex F)."""

from __future__ import annotations

import gzip
import hashlib

from aiohttp import web

from engine.archive.documents import documents_of
from engine.web.compression import takes_gzip
from engine.web.negotiate import DICOM_JSON, choose
from engine.web.sending import is_known
from engine.web.services import on, services
from engine.web.trimming import Trimming, trimming_of
from engine.web.wado import record_of

# Clients keep it but ask each time whether it is still true: a replaced instance must show at once.
_CACHE = "private, no-cache"


async def retrieve_series_metadata(request: web.Request) -> web.Response:
    """Prebuilt and gzipped as it is stored: one file read."""
    choose(request, (DICOM_JSON,))
    s, study, series = services(request), request.match_info["study"], request.match_info["series"]
    trimming = trimming_of(request)
    etag = _etag(s.documents.etag(study, series), trimming)
    if is_known(request, etag):
        return _unchanged(etag)
    document = await on(request, s.executors.index, "read", lambda: s.documents.get(study, series))
    return await _answer(request, document.body_gzip, document.etag, trimming)


async def retrieve_study_metadata(request: web.Request) -> web.Response:
    """The documents of its series, one array."""
    choose(request, (DICOM_JSON,))
    s, study, trimming = services(request), request.match_info["study"], trimming_of(request)
    uids = [
        one.series_instance_uid
        for one in await on(request, s.executors.index, "read", lambda: s.archive.series_of(study))
    ]
    tags = "\0".join(s.documents.etag(study, uid) for uid in uids)
    etag = f'"{hashlib.sha256(tags.encode()).hexdigest()[:32]}"'
    if is_known(request, _etag(etag, trimming)):
        return _unchanged(_etag(etag, trimming))

    def join() -> bytes:
        arrays = (gzip.decompress(s.documents.get(study, uid).body_gzip) for uid in uids)
        return gzip.compress(b"[" + b",".join(array[1:-1] for array in arrays) + b"]", 1, mtime=0)

    return await _answer(request, await on(request, s.executors.index, "read", join), etag, trimming)


async def retrieve_instance_metadata(request: web.Request) -> web.Response:
    """An array of one, read from the stored header."""
    choose(request, (DICOM_JSON,))
    s, record, trimming = services(request), record_of(request), trimming_of(request)
    etag = _etag(s.documents.instance_etag(record), trimming)
    if is_known(request, etag):
        return _unchanged(etag)

    def read() -> bytes:
        body = documents_of(s.archive, iter([record]), s.documents.root)
        return body if trimming is None else trimming.trimmed(body)

    headers = {"Content-Type": DICOM_JSON, "ETag": etag, "Cache-Control": _CACHE}
    headers |= {} if trimming is None else trimming.headers
    return web.Response(body=await on(request, s.executors.index, "read", read), headers=headers)


async def _answer(request: web.Request, body_gzip: bytes, whole_etag: str, trimming: Trimming | None) -> web.Response:
    etag = _etag(whole_etag, trimming)
    headers = {"Content-Type": DICOM_JSON, "ETag": etag, "Cache-Control": _CACHE, "Vary": "Accept-Encoding"}
    if trimming is not None:
        headers |= trimming.headers
        whole, pool = body_gzip, services(request).executors.index
        body_gzip = await on(request, pool, "encode", lambda: trimming.trimmed_gzip(whole))
    if takes_gzip(request):
        return web.Response(body=body_gzip, headers={**headers, "Content-Encoding": "gzip"})
    plain = await on(request, services(request).executors.index, "encode", lambda: gzip.decompress(body_gzip))
    return web.Response(body=plain, headers=headers)


def _etag(whole: str, trimming: Trimming | None) -> str:
    return whole if trimming is None else trimming.etag(whole)


def _unchanged(etag: str) -> web.Response:
    return web.Response(status=304, headers={"ETag": etag, "Cache-Control": _CACHE})
