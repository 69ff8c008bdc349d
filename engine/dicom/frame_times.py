"""When the frames of a multi-frame image are, in seconds from its Content Time (PS3.3 C.7.6.5.1, C.7.6.16.2.2, PS3.4 Y.3.2.1.3)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from itertools import accumulate

from engine.dicom.elements import EXPLICIT_LITTLE, Elements
from engine.dicom.rewrite import Header

FRAME_TIME, FRAME_TIME_VECTOR, FRAME_DELAY, FRAME_INCREMENT_POINTER = 0x00181063, 0x00181065, 0x00181066, 0x00280009
CONTENT_DATE, CONTENT_TIME = 0x00080023, 0x00080033
PER_FRAME_GROUPS = 0x52009230
_FRAME_CONTENT, _REFERENCE, _ACQUISITION = 0x00209111, 0x00189151, 0x00189074
_DATE_TIME = re.compile(r"(\d{14})(?:\.(\d{1,6}))?(?:([+-])(\d\d)(\d\d))?")


def increment_pointer(header: Header) -> tuple[int, ...]:
    """Tags that Frame Increment Pointer names; empty without one."""
    whole = header.element(FRAME_INCREMENT_POINTER)
    if whole is None or whole[4:6] != b"AT":
        return ()
    value = whole[8:]
    words = [int.from_bytes(value[at : at + 2], "little") for at in range(0, len(value) - 1, 2)]
    return tuple(group << 16 | number for group, number in zip(words[::2], words[1::2], strict=False))


def cine_times(header: Header, frame_count: int) -> list[float] | None:
    """By Frame Time or Frame Time Vector, whichever Frame Increment Pointer names; None where neither is there."""
    pointer = increment_pointer(header)
    delay = (number_of(header.text(FRAME_DELAY)) or 0.0) / 1000
    increments = [number_of(text) for text in header.text(FRAME_TIME_VECTOR).split("\\")]
    is_vector = len(increments) == frame_count and None not in increments
    step = number_of(header.text(FRAME_TIME))
    if is_vector and (FRAME_TIME_VECTOR in pointer or step is None):
        return [delay + at / 1000 for at in accumulate(one or 0.0 for one in increments)]
    if step is not None and (not pointer or FRAME_TIME in pointer):
        return [delay + step * index / 1000 for index in range(frame_count)]
    return None


def frame_times(header: Header, frame_count: int) -> list[float] | None:
    """Also by the dates and times of the functional groups; None where the header does not tell."""
    found = cine_times(header, frame_count)
    if found is not None:
        return found
    content = moment(header.text(CONTENT_DATE) + header.text(CONTENT_TIME))
    groups = header.items(PER_FRAME_GROUPS)
    if content is None or len(groups) != frame_count:
        return None
    times: list[float] = []
    for group in groups:
        at = moment(_date_time(group, header))
        if at is None:
            return None
        times.append((at - content).total_seconds())
    return times


def moment(text: str) -> datetime | None:
    """A DT value with seconds; without an offset as if it were UTC, which differences do not see."""
    found = _DATE_TIME.fullmatch(text.strip())
    if found is None:
        return None
    zone = UTC
    try:
        if found[3]:
            zone = timezone((1 if found[3] == "+" else -1) * timedelta(hours=int(found[4]), minutes=int(found[5])))
        at = datetime.strptime(found[1], "%Y%m%d%H%M%S")
    except ValueError:  # no such day, or an offset of more than a day
        return None
    return at.replace(microsecond=int((found[2] or "0").ljust(6, "0")), tzinfo=zone)


def _date_time(group: bytes, header: Header) -> str:
    """Frame Reference DateTime, else Frame Acquisition DateTime, of the Frame Content Sequence in one frame's groups."""
    limits = header.elements.limits
    inside = Elements(group, EXPLICIT_LITTLE, limits)
    for element in inside.between(0, len(group)):
        if element.tag != _FRAME_CONTENT:
            continue
        for at, end in inside.items(element):
            texts = {
                one.tag: group[one.value_at : one.value_end].decode("latin_1").strip("\0 ")
                for one in inside.between(at, end)
                if one.tag in (_REFERENCE, _ACQUISITION)
            }
            return texts.get(_REFERENCE) or texts.get(_ACQUISITION) or ""
    return ""


def number_of(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < 1e12 else None  # neither infinite nor no number


def decimals(values: Sequence[float]) -> bytes:
    """DS values of at most 16 characters."""
    return "\\".join(f"{value:.9g}" for value in values).encode("ascii")
