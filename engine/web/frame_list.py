"""Lists of frame numbers in addresses (PS3.18 10.4.1.1.6)."""

from __future__ import annotations

import re

from aiohttp import web

from engine.archive.records import InstanceRecord
from engine.errors import FrameNotFound, InvalidParameter, TooLarge
from engine.stream.video import without_pixels
from engine.web.services import services

_LIST = re.compile(r"[1-9]\d{0,8}(?:,[1-9]\d{0,8})*")


def frame_indexes(request: web.Request, record: InstanceRecord, listed: str | None = None) -> list[int]:
    """0-based frame indexes of the address's list, or of another one; every one is there.

    Raises
    ------
    NoPixels, FrameNotFound, InvalidParameter, TooLarge
    """
    text = request.match_info["frames"] if listed is None else listed
    limit = services(request).settings.limits.frames_per_request_max
    if not _LIST.fullmatch(text):
        raise InvalidParameter("frames", text[:80], "frame numbers from 1, separated by commas")
    if record.frame_table is None:
        raise without_pixels(record)
    numbers = [int(part) for part in text.split(",")]
    if len(numbers) > limit:
        raise TooLarge("the number of frames", len(numbers), limit, "limits.frames_per_request_max")
    for number in numbers:
        if number > len(record.frame_table):
            raise FrameNotFound(record.sop_instance_uid, number, len(record.frame_table))
    return [number - 1 for number in numbers]
