"""The short way of frames: one index get, and the page cache goes to the socket inside the kernel.

As they are stored, out of their segment; as HTJ2K, or the beginning of it, out of the series' pack.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http import SERVER_SOFTWARE

from engine._native import send_range
from engine.archive.records import InstanceRecord
from engine.archive.renditions.supply import HTJ2K_RPCL
from engine.errors import EngineError
from engine.stream.beginnings import HTJ2K
from engine.stream.transcoding import HTJ2K_SYNTAXES, possible_frames, rendition_of
from engine.stream.video import is_stream
from engine.types import Buffer
from engine.web.form_answer import FORMS, form_answer, is_possible, range_for
from engine.web.frame_answer import frame_answer, quick_choice, stored_kind
from engine.web.load import Load
from engine.web.negotiate import choose_frames
from engine.web.passport import Passport
from engine.web.services import Services

QUICK_BYTES_MAX = 1024 * 1024  # held in memory for each connection where the socket does not take it at once
_Send = Callable[[int, int], int | None]


@dataclass(frozen=True, slots=True)
class _Body:
    """Where the bytes of an answer lie, and what stands around them.

    Attributes
    ----------
    by : calls what it is given with a descriptor and an offset; None where the bytes are in no file, or not in memory.
    read : the same bytes, for what the socket has not taken.
    timing : of the step that found them, in ``Server-Timing``.
    """

    headers: Mapping[str, str]
    head: bytes
    tail: bytes
    size: int
    by: Callable[[_Send], int | None]
    read: Callable[[], Buffer]
    timing: str = ""


def quick_frame(
    services: Services,
    load: Load,
    passport: Passport,
    socket: int,
    study: str,
    series: str,
    instance: str,
    form: str,
    frame: str,
) -> bytes | None:
    """Send the whole answer with a frame as it is stored, or out of a pack; None: nothing is sent, it is the handler's.

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
    body = _stored(services, passport, record, index, frame) if form == "frames" else None
    body = body or _packed(services, passport, record, index, form)
    if body is None or not 0 < body.size <= QUICK_BYTES_MAX:
        return None
    length = len(body.head) + body.size + len(body.tail)
    total_ms = (time.perf_counter() - start) * 1e3
    lines = "".join([f"{name}: {value}\r\n" for name, value in body.headers.items()])
    timing = f"read;dur={total_ms:.3f}, {body.timing}total;dur={total_ms:.3f}"
    head = quick_head(lines, length, load, passport, timing) + body.head

    def send(file: int, offset: int) -> int | None:
        return send_range(socket, head, file, offset, body.size, body.tail)

    sent = body.by(send)
    if sent is None:
        return None  # a slow disk, which must not hold up the loop
    services.metrics.request("frame", "2xx", time.perf_counter() - start, length)
    if body.timing:
        services.metrics.add("rendition_hits")
    if sent == len(head) + body.size + len(body.tail):
        return b""
    return b"".join((head, body.read(), body.tail))[sent:]


def _stored(services: Services, passport: Passport, record: InstanceRecord, index: int, frame: str) -> _Body | None:
    choice, archive = quick_choice(record, passport.ranges), services.archive
    if choice is None:
        return None
    answer = frame_answer(record, frame, [index], choice)
    if answer.spans is None:
        return None
    [(at, size)] = answer.spans
    return _Body(
        answer.headers,
        answer.head,
        answer.tail,
        size,
        lambda send: archive.read_by(record, at, size, send),
        lambda: archive.read(record, at, size),
    )


def _packed(services: Services, passport: Passport, record: InstanceRecord, index: int, form: str) -> _Body | None:
    """Out of a pack that is open: to open one means reading its tables."""
    found = rendition_of(services.frames.decoded.shelf, record, index, is_open_only=True)
    if found is None:
        return None
    pack, frame = found
    size = frame.length
    if form == "frames":
        choice = choose_frames(passport.ranges, *stored_kind(record), possible_frames(record))
        if choice is None or choice.transfer_syntax_uid not in HTJ2K_SYNTAXES:
            return None
        plain = frame_answer(record, str(index + 1), [index], choice)
        headers, head, tail = plain.headers, plain.head, plain.tail
    else:
        shape, descriptor = FORMS[form], record.frame_descriptor
        wanted = range_for(passport.ranges, HTJ2K)
        if wanted is None or descriptor is None or not is_possible(record, shape):
            return None
        halvings = shape.size.halvings(descriptor.rows, descriptor.columns, len(frame.ends) - 1)
        answer = form_answer(record, index, shape, wanted, HTJ2K_RPCL, halvings)
        headers, head, tail = answer.headers, answer.head, answer.tail
        size = frame.ends[-1 - halvings]
    file, offset = pack.place_of(frame)
    return _Body(
        headers,
        head,
        tail,
        size,
        lambda send: send(file.fileno(), offset),
        lambda: pack.code_stream(frame, 0, size),
        'rendition;desc="sent as it is", ',
    )


def quick_head(lines: str, length: int, load: Load, passport: Passport, timing: str) -> bytes:
    """Status line and headers of an answer that the short way gives; `lines` are those of this one."""
    closing = "Connection: close\r\n" if load.is_draining else ""
    return (
        f"HTTP/1.1 200 OK\r\n{lines}Content-Length: {length}\r\n"
        f"X-Request-Id: {load.next_id()}\r\nServer-Timing: {timing}\r\n"
        f"X-Content-Type-Options: nosniff\r\n{passport.extra}{closing}"
        f"Date: {rfc822_formatted_time()}\r\nServer: {SERVER_SOFTWARE}\r\n\r\n"
    ).encode("latin_1")
