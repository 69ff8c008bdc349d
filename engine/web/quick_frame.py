"""The short way of stored frames: one index get, and the page cache goes to the socket inside the kernel."""

from __future__ import annotations

import time

from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http import SERVER_SOFTWARE

from engine._native import send_range
from engine.errors import EngineError
from engine.stream.video import is_stream
from engine.web.frame_answer import frame_answer, quick_choice
from engine.web.load import Load
from engine.web.passport import Passport
from engine.web.services import Services

QUICK_BYTES_MAX = 1024 * 1024  # held in memory for each connection where the socket does not take it at once


def quick_frame(
    services: Services,
    load: Load,
    passport: Passport,
    socket: int,
    study: str,
    series: str,
    instance: str,
    frame: str,
) -> bytes | None:
    """Send the whole answer with a frame as it is stored; None: nothing is sent, it is the handler's.

    Returns
    -------
    bytes
        What `socket` has not taken, for the transport; empty when it has taken all.

    Raises
    ------
    OSError
        The client has gone.
    """
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
    if answer.spans is None or not 0 < answer.spans[0][1] <= QUICK_BYTES_MAX:
        return None
    [(at, size)] = answer.spans
    length = len(answer.head) + size + len(answer.tail)
    total_ms = (time.perf_counter() - start) * 1e3
    lines = "".join([f"{name}: {value}\r\n" for name, value in answer.headers.items()])
    timing = f"read;dur={total_ms:.3f}, total;dur={total_ms:.3f}"
    head = quick_head(lines, length, load, passport, timing) + answer.head

    def send(file: int, offset: int) -> int | None:
        return send_range(socket, head, file, offset, size, answer.tail)

    sent = archive.read_by(record, at, size, send)
    if sent is None:
        return None  # a slow disk, which must not hold up the loop
    services.metrics.request("frame", "2xx", time.perf_counter() - start, length)
    if sent == len(head) + size + len(answer.tail):
        return b""
    return b"".join((head, archive.read(record, at, size), answer.tail))[sent:]


def quick_head(lines: str, length: int, load: Load, passport: Passport, timing: str) -> bytes:
    """Status line and headers of an answer that the short way gives; `lines` are those of this one."""
    closing = "Connection: close\r\n" if load.is_draining else ""
    return (
        f"HTTP/1.1 200 OK\r\n{lines}Content-Length: {length}\r\n"
        f"X-Request-Id: {load.next_id()}\r\nServer-Timing: {timing}\r\n"
        f"X-Content-Type-Options: nosniff\r\n{passport.extra}{closing}"
        f"Date: {rfc822_formatted_time()}\r\nServer: {SERVER_SOFTWARE}\r\n\r\n"
    ).encode("latin_1")
