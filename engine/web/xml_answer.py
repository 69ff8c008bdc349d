"""Answers as XML: each data set a Native DICOM Model document, each document a part (PS3.18 8.7.3.2, PS3.19 A.1)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from aiohttp import web

from engine.dicom.native_model import native_models
from engine.limits import MIB
from engine.web.compression import takes_gzip
from engine.web.multipart import boundary_for, closing, content_type, part_head
from engine.web.negotiate import DICOM_XML, wants_multipart
from engine.web.sending import send
from engine.web.services import on, services

_GZIP = zlib.MAX_WBITS | 16
_GZIP_LEVEL = 1  # 5 MB of XML become 0.2 MB in 20 ms


async def answer_xml(
    request: web.Request, documents: bytes, headers: dict[str, str], status: int = 200
) -> web.StreamResponse:
    """The data sets of a JSON array that this program made, in its order.

    In parts; one alone comes bare to a client that names ``application/dicom+xml`` without ``multipart/related``.
    """
    pool = services(request).executors.index
    if not wants_multipart(request, DICOM_XML):
        found = await on(request, pool, "encode", lambda: _only(native_models(documents)))
        if found is not None:
            return web.Response(status=status, body=found, headers=headers | {"Content-Type": DICOM_XML})
    boundary = boundary_for("xml", headers.get("ETag", ""), request.path_qs)
    sent = headers | {"Content-Type": content_type(DICOM_XML, boundary)}
    is_packed = takes_gzip(request)
    if is_packed:
        sent["Content-Encoding"] = "gzip"
    response = web.StreamResponse(status=status, headers=sent)
    if request.method == "HEAD":
        return web.Response(status=status, headers=sent)
    pieces = _packed(_body(documents, boundary)) if is_packed else _body(documents, boundary)
    # What fails is said with a status as long as nothing has been sent.
    piece = await on(request, pool, "encode", lambda: next(pieces, None))
    await response.prepare(request)
    while piece is not None:
        await send(response, piece)
        piece = await on(request, pool, "encode", lambda: next(pieces, None))
    return response


def _only(found: Iterator[bytes]) -> bytes | None:
    """The first of one; None of more."""
    first = next(found, None)
    return first if next(found, None) is None else None


def _body(documents: bytes, boundary: str) -> Iterator[bytes]:
    """A multipart body in pieces of some 1 MiB."""
    piece = bytearray()
    for document in native_models(documents):
        piece += part_head(boundary, DICOM_XML)
        piece += document
        piece += b"\r\n"
        if len(piece) >= MIB:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece) + closing(boundary)


def _packed(pieces: Iterator[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP)
    for piece in pieces:
        yield packer.compress(piece)
    yield packer.flush()
