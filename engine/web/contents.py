"""Documents and videos as the files that they are, whole or in ranges (PS3.18 8.7.4, 10.4.1.1.3, 10.4.1.1.5)."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from engine.archive.records import InstanceRecord
from engine.stream.content import Content
from engine.web.addresses import file_name
from engine.web.multipart import boundary_for, closing, content_type, part_head
from engine.web.pieces import Piece, StoredPiece, answer

_SUFFIXES = {
    "application/pdf": "pdf", "application/rtf": "rtf", "application/sla": "stl", "application/xml": "xml",
    "image/jpeg": "jpg", "image/png": "png", "model/mtl": "mtl", "model/obj": "obj", "model/stl": "stl",
    "text/plain": "txt", "text/rtf": "rtf", "text/xml": "xml", "video/h264": "h264", "video/h265": "h265",
    "video/mp2t": "ts", "video/mp4": "mp4", "video/mpeg": "mpg", "video/quicktime": "mov",
}  # fmt: skip
# A document comes from anyone. What a browser shows of it runs no script and is of no origin; browsers' PDF viewers run none by
# themselves and refuse to work in a sandbox.
_SANDBOX = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"


async def send_contents(request: web.Request, contents: Sequence[tuple[InstanceRecord, Content]]) -> web.StreamResponse:
    """Several files, each in its part."""
    boundary = boundary_for("contents", *((r.data_set_sha256.hex(), r.received_ns) for r, _ in contents))
    pieces: list[Piece] = []
    for record, content in contents:
        pieces += part_head(boundary, content.media_type), *_pieces(record, content), b"\r\n"
    pieces.append(closing(boundary))
    kind = content_type(contents[0][1].media_type, boundary)
    return await answer(
        request, pieces, kind, f'"{boundary}"', {"Cache-Control": "private, no-cache", "Vary": "Accept"}
    )


async def send_content(
    request: web.Request, record: InstanceRecord, content: Content, media_type: str, *, in_parts: bool
) -> web.StreamResponse:
    """The file bare, or as the only part; 206 for a ``Range``.

    Parameters
    ----------
    media_type : what it is called in this answer, `content.media_type` or a wider one.
    """
    return await send_file(request, record, _pieces(record, content), media_type, in_parts=in_parts)


async def send_file(
    request: web.Request,
    record: InstanceRecord,
    pieces: list[Piece],
    media_type: str,
    *,
    in_parts: bool,
    form: str = "",
) -> web.StreamResponse:
    """As `send_content`, of any pieces; `form` names what was made of the stored bytes, the same ones every time."""
    headers = {"Cache-Control": "private, no-cache", "Vary": "Accept, Sec-Fetch-Dest"}
    boundary = boundary_for("content", record.data_set_sha256.hex(), record.received_ns, media_type, in_parts, form)
    if in_parts:
        pieces = [part_head(boundary, media_type), *pieces, b"\r\n" + closing(boundary)]
        return await answer(request, pieces, content_type(media_type, boundary), f'"{boundary}"', headers)
    if media_type != "application/pdf":
        headers["Content-Security-Policy"] = _SANDBOX
    suffix = _SUFFIXES.get(media_type, "bin")
    headers["Content-Disposition"] = f'inline; filename="{file_name(record.sop_instance_uid, suffix)}"'
    return await answer(request, pieces, media_type, f'"{boundary}"', headers)


def _pieces(record: InstanceRecord, content: Content) -> list[Piece]:
    if isinstance(content.spans, bytes):
        return [content.spans]
    return [StoredPiece(record, start, length) for start, length in content.spans]
