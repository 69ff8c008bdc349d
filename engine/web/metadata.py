"""WADO-RS metadata: instances, series and studies as DICOM JSON or XML (PS3.18 10.4.1.1.2, annex F, PS3.19 A.1)."""

from __future__ import annotations

import gzip
import hashlib

from aiohttp import web

from engine.archive.documents import documents_of
from engine.web.charset import choose_data_sets
from engine.web.compression import takes_gzip
from engine.web.negotiate import DICOM_JSON, DICOM_XML
from engine.web.sending import is_known
from engine.web.services import on, services
from engine.web.trimming import Trimming, trimming_of
from engine.web.wado import record_of
from engine.web.xml_answer import answer_xml

# Clients keep it but ask each time whether it is still true: a replaced instance must show at once.
_CACHE = "private, no-cache"


async def retrieve_series_metadata(request: web.Request) -> web.StreamResponse:
    """Prebuilt and gzipped as it is stored: one file read."""
    media_type = choose_data_sets(request)
    s, study, series = services(request), request.match_info["study"], request.match_info["series"]
    trimming = trimming_of(request)
    etag = _etag(s.documents.etag(study, series), trimming, media_type)
    if is_known(request, etag):
        return _unchanged(etag)
    document = await on(request, s.executors.index, "read", lambda: s.documents.get(study, series))
    return await _answer(request, document.body_gzip, document.etag, trimming, media_type)


async def retrieve_study_metadata(request: web.Request) -> web.StreamResponse:
    """The documents of its series, one array."""
    media_type = choose_data_sets(request)
    s, study, trimming = services(request), request.match_info["study"], trimming_of(request)
    uids = [
        one.series_instance_uid
        for one in await on(request, s.executors.index, "read", lambda: s.archive.series_of(study))
    ]
    tags = "\0".join(s.documents.etag(study, uid) for uid in uids)
    etag = f'"{hashlib.sha256(tags.encode()).hexdigest()[:32]}"'
    own = _etag(etag, trimming, media_type)
    if is_known(request, own):
        return _unchanged(own)

    def join() -> bytes:
        arrays = (gzip.decompress(s.documents.get(study, uid).body_gzip) for uid in uids)
        return gzip.compress(b"[" + b",".join(array[1:-1] for array in arrays) + b"]", 1, mtime=0)

    return await _answer(request, await on(request, s.executors.index, "read", join), etag, trimming, media_type)


async def retrieve_instance_metadata(request: web.Request) -> web.StreamResponse:
    """An array of one, read from the stored header."""
    media_type = choose_data_sets(request)
    s, record, trimming = services(request), record_of(request), trimming_of(request)
    etag = _etag(s.documents.instance_etag(record), trimming, media_type)
    if is_known(request, etag):
        return _unchanged(etag)

    def read() -> bytes:
        body = documents_of(s.archive, iter([record]), s.documents.root)
        return body if trimming is None else trimming.trimmed(body)

    body, headers = await on(request, s.executors.index, "read", read), _headers(etag, trimming)
    if media_type == DICOM_XML:
        return await answer_xml(request, body, headers | {"Vary": "Accept, Accept-Encoding"})
    return web.Response(body=body, headers=headers | {"Content-Type": DICOM_JSON, "Vary": "Accept"})


async def _answer(
    request: web.Request, body_gzip: bytes, whole_etag: str, trimming: Trimming | None, media_type: str
) -> web.StreamResponse:
    headers = _headers(_etag(whole_etag, trimming, media_type), trimming) | {"Vary": "Accept, Accept-Encoding"}
    pool = services(request).executors.index
    if trimming is not None:
        whole = body_gzip
        body_gzip = await on(request, pool, "encode", lambda: trimming.trimmed_gzip(whole))
    json_headers = headers | {"Content-Type": DICOM_JSON}
    if media_type == DICOM_JSON and takes_gzip(request):
        return web.Response(body=body_gzip, headers=json_headers | {"Content-Encoding": "gzip"})
    plain = await on(request, pool, "encode", lambda: gzip.decompress(body_gzip))
    if media_type == DICOM_XML:
        return await answer_xml(request, plain, headers)
    return web.Response(body=plain, headers=json_headers)


def _headers(etag: str, trimming: Trimming | None) -> dict[str, str]:
    return {"ETag": etag, "Cache-Control": _CACHE} | ({} if trimming is None else trimming.headers)


def _etag(whole: str, trimming: Trimming | None, media_type: str) -> str:
    """Of one form: strong tags of different bytes differ (RFC 9110 8.8.3)."""
    etag = whole if trimming is None else trimming.etag(whole)
    return etag if media_type == DICOM_JSON else f'{etag[:-1]}-xml"'


def _unchanged(etag: str) -> web.Response:
    return web.Response(status=304, headers={"ETag": etag, "Cache-Control": _CACHE})
