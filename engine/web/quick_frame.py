"""The short way of stored frames: one index get, one read from the page cache."""

from __future__ import annotations

import time

from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http import SERVER_SOFTWARE

from engine.errors import EngineError
from engine.stream.video import is_stream
from engine.web.frame_answer import frame_answer, quick_choice
from engine.web.load import Load
from engine.web.passport import Passport
from engine.web.services import Services

QUICK_BYTES_MAX = 1024 * 1024  # held in memory for each connection until the socket has taken it


def quick_frame(
    services: Services, load: Load, passport: Passport, study: str, series: str, instance: str, frame: str
) -> bytearray | None:
    """The whole answer with a frame as it is stored; None: the handler's."""
    start, archive = time.perf_counter(), services.archive
    try:
        record = archive.instance(instance, study, series)
    except EngineError:
        return None  # the handler says why
    index = int(frame) - 1
    if record.frame_table is None or index >= len(record.frame_table) or is_stream(record):
        return None
    choice = quick_choice(record, passport.ranges)
    if choice is None:
        return None
    answer = frame_answer(record, frame, [index], choice)
    if answer.spans is None or answer.spans[0][1] > QUICK_BYTES_MAX:
        return None
    [span] = answer.spans
    length = len(answer.head) + span[1] + len(answer.tail)
    total_ms = (time.perf_counter() - start) * 1e3
    lines = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
    head = quick_head(lines, length, load, passport, f"read;dur={total_ms:.3f}, total;dur={total_ms:.3f}")
    whole = archive.read_framed(record, *span, head + answer.head, answer.tail)
    if whole is not None:  # else a slow disk, which must not hold up the loop
        services.metrics.request("frame", "2xx", time.perf_counter() - start, length)
    return whole


def quick_head(lines: str, length: int, load: Load, passport: Passport, timing: str) -> bytes:
    """Status line and headers of an answer that the short way gives; `lines` are those of this one."""
    closing = "Connection: close\r\n" if load.is_draining else ""
    return (
        f"HTTP/1.1 200 OK\r\n{lines}Content-Length: {length}\r\n"
        f"X-Request-Id: {load.next_id()}\r\nServer-Timing: {timing}\r\n"
        f"X-Content-Type-Options: nosniff\r\n{passport.extra}{closing}"
        f"Date: {rfc822_formatted_time()}\r\nServer: {SERVER_SOFTWARE}\r\n\r\n"
    ).encode("latin_1")
