"""A stored video as an MP4 file for players, whatever it is stored in (PS3.18 8.7.4)."""

from __future__ import annotations

from functools import partial

from aiohttp import web

from engine.archive.records import InstanceRecord
from engine.limits import MIB
from engine.stream.content import Content
from engine.stream.video import is_stream
from engine.stream.video_files import MP4, VideoFile, VideoFiles
from engine.web.contents import send_file
from engine.web.pieces import MadePiece, Piece
from engine.web.services import TIMINGS, on, services

VIDEO_FILES: web.AppKey[VideoFiles] = web.AppKey("video_files", VideoFiles)


def mp4_beside(record: InstanceRecord, content: Content) -> tuple[str, ...]:
    """``video/mp4``, where the video is stored as something else and can be made one."""
    return (MP4,) if is_stream(record) and content.media_type != MP4 and VideoFiles.form() else ()


async def send_mp4(request: web.Request, record: InstanceRecord, *, in_parts: bool) -> web.StreamResponse:
    """The file that is made of it, whole or in ranges.

    Raises
    ------
    BadFrame, TooLarge, TooBusy, CorruptInstance, ArchiveFull
    """
    file = await request.app[VIDEO_FILES].mp4_of(record, request[TIMINGS])
    return await send_file(request, record, _pieces(request, file), MP4, in_parts=in_parts, form=VideoFiles.form())


def _pieces(request: web.Request, file: VideoFile) -> list[Piece]:
    pool = services(request).executors.read
    lengths = ((at, min(MIB, file.length - at)) for at in range(0, file.length, MIB))
    return [
        MadePiece(length, partial(on, request, pool, "read", partial(file.read, at, length))) for at, length in lengths
    ]
