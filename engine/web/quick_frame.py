"""The short way of frames: one index get, and the page cache goes to the socket inside the kernel.

As they are stored, out of their segment; as HTJ2K, or the beginning of it, out of the series' pack.
"""

from __future__ import annotations

import time
from collections import OrderedDict
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
_PLANS_MAX, _REQUEST_BYTES_MAX = 1024, 2048  # so at most some 4 MB
_Send = Callable[[int, int], int | None]
_Keep = Callable[[int, int], None]


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


@dataclass(frozen=True, slots=True)
class FramePlan:
    """All of an answer but what is another one each time; good as long as the index gives this very record.

    Attributes
    ----------
    lines : its header lines, but for its length and what `quick_head` adds.
    """

    study: str
    series: str
    instance: str
    record: InstanceRecord
    body: _Body
    lines: str

    @property
    def length(self) -> int:
        return len(self.body.head) + self.body.size + len(self.body.tail)


class FramePlans:
    """Plans by the request that they answer, byte for byte: who scrolls comes back to a frame, and others look at it too.

    Spares what is made of a record for each answer: half of what a frame costs beside the kernel's sending. What comes out of a
    pack is planned each time, for a pack may be another one without the index knowing.
    """

    def __init__(self) -> None:
        self._plans: OrderedDict[bytes, tuple[bytes, FramePlan]] = OrderedDict()

    def find(self, request: bytes, passport: Passport) -> FramePlan | None:
        """What `keep` was told of a request with the passport's header block."""
        found = self._plans.get(request)
        if found is None or found[0] != passport.block:
            return None
        self._plans.move_to_end(request)
        return found[1]

    def keep(self, request: bytes, passport: Passport, plan: FramePlan) -> None:
        """`request` ends in the passport's block."""
        if plan.body.timing or len(request) > _REQUEST_BYTES_MAX:
            return
        self._plans[request] = passport.block, plan
        if len(self._plans) > _PLANS_MAX:
            self._plans.popitem(last=False)


def frame_plan(
    services: Services, passport: Passport, study: str, series: str, instance: str, form: str, frame: str
) -> FramePlan | None:
    """How to answer with a frame as it is stored, or out of a pack; None: it is the handler's."""
    try:
        record = services.archive.instance(instance, study, series)
    except EngineError:
        return None  # the handler says why
    index = int(frame) - 1
    if record.frame_table is None or index >= len(record.frame_table) or is_stream(record):
        return None
    body = _stored(services, passport, record, index, frame) if form == "frames" else None
    body = body or _packed(services, passport, record, index, form)
    if body is None or not 0 < body.size <= QUICK_BYTES_MAX:
        return None
    lines = "".join([f"{name}: {value}\r\n" for name, value in body.headers.items()])
    return FramePlan(study, series, instance, record, body, lines)


def is_current(services: Services, plan: FramePlan) -> bool:
    """Whether a plan of a moment ago is good now: one index get."""
    try:
        return services.archive.instance(plan.instance, plan.study, plan.series) is plan.record
    except EngineError:
        return False


def quick_frame(
    services: Services, load: Load, passport: Passport, socket: int, plan: FramePlan, start: float, keep: _Keep
) -> bytes | None:
    """Send the whole answer; None: nothing is sent, it is the handler's.

    Parameters
    ----------
    start : of `time.perf_counter`, when the request came.
    keep : called with a descriptor and an offset, where the bytes of the body lie, when the socket has taken all.

    Returns
    -------
    bytes
        What `socket` has not taken, for the transport; empty when it has taken all.

    Raises
    ------
    OSError
        The client has gone.
    """
    body, length = plan.body, plan.length
    total_ms = (time.perf_counter() - start) * 1e3
    timing = f"read;dur={total_ms:.3f}, {body.timing}total;dur={total_ms:.3f}"
    head = quick_head(plan.lines, length, load, passport, timing) + body.head

    def send(file: int, offset: int) -> int | None:
        taken = send_range(socket, head, file, offset, body.size, body.tail)
        if taken == len(head) + body.size + len(body.tail):
            keep(file, offset)
        return taken

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


def quick_lines(plan: FramePlan, passport: Passport) -> str:
    """The header lines that are the same whenever the plan is followed: all but those of the moment."""
    return _same_lines(plan.lines, plan.length, passport)


def _same_lines(lines: str, length: int, passport: Passport) -> str:
    return f"{lines}Content-Length: {length}\r\nX-Content-Type-Options: nosniff\r\n{passport.extra}"


def quick_head(lines: str, length: int, load: Load, passport: Passport, timing: str) -> bytes:
    """Status line and headers of an answer that the short way gives; `lines` are those of this one."""
    closing = "Connection: close\r\n" if load.is_draining else ""
    return (
        f"HTTP/1.1 200 OK\r\n{_same_lines(lines, length, passport)}"
        f"X-Request-Id: {load.next_id()}\r\nServer-Timing: {timing}\r\n{closing}"
        f"Date: {rfc822_formatted_time()}\r\nServer: {SERVER_SOFTWARE}\r\n\r\n"
    ).encode("latin_1")
