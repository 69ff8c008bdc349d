"""The words of ``voxcast.stream.v1``: what a client says as JSON, what the server sends as records (docs/stream.md)."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Any

from engine._native import plain_word
from engine.dicom.frame import Window
from engine.errors import InvalidParameter
from engine.stream.demand import Quality, Spread

PROTOCOL = "voxcast.stream.v1"
HEAD = struct.Struct("<BBHIIIII")
COMPLETE, SEEN = 1, 2
_MEDIA = ("image/jpeg", "image/webp")
NUMBER_MAX = (1 << 32) - 1
_SIDE_MAX = 1 << 20
_PAIR_MAX = 1 << 40
_QUALITIES = {one.value: one for one in Quality}
_SPREADS = {one.value: one for one in Spread}


class Front(IntFlag):
    """What may stand in front of frames' own bytes, for a client that can tell the two apart."""

    NONE = 0
    SMALL = 1  # a small picture, where the frame has no smaller form
    APPROXIMATE = 2  # an approximate beginning, where the exact one has many more bytes


class Record(IntEnum):
    """The kind of a record, its first byte."""

    CHUNK = 1
    RUN = 2
    DROP = 3
    SERIES = 4
    PICTURE = 5


def head(
    kind: Record, series: int, *, level: int = 0, flags: int = 0, generation: int = 0, position: int = 0, detail: int = 0,
    length: int = 0,
) -> bytes:  # fmt: skip
    """The 24 bytes in front of a record's payload."""
    return HEAD.pack(kind, level, flags, series, generation & NUMBER_MAX, position, detail, length)


@dataclass(frozen=True, slots=True)
class Hello:
    """The first word: what the client has room for, in bytes; None: it drops nothing."""

    memory: int | None


@dataclass(frozen=True, slots=True)
class Open:
    """A series is wanted under a number of the client's; `held` counts if `tag` is still that of the series.

    `front`: what may stand in front of frames.
    """

    series: int
    study_uid: str
    series_uid: str
    tag: str
    held: dict[int, int]
    front: Front


@dataclass(frozen=True, slots=True)
class Picture:
    """How a viewport wants its pictures.

    Attributes
    ----------
    number : the client's name of it, said again with each picture.
    media_type : ``image/jpeg`` or ``image/webp``.
    quality : 1 to 100.
    window : None: what the header has.
    is_inverted : greys from 255 down.
    width, height : of the viewport; the picture fits inside, and is never larger than the frame.
    """

    number: int
    media_type: str
    quality: int
    window: Window | None
    is_inverted: bool
    width: int
    height: int


@dataclass(slots=True)
class Look:
    """A viewport over the series of this number; `members` are those of `Demand`, made of it when its turn comes.

    With a `picture` it wants pictures drawn by the server instead of frames.

    Sixty times a second from each session, and only the last one before a decision counts.
    """

    viewport: int
    series: int
    members: dict[str, Any]
    picture: Picture | None = None


@dataclass(frozen=True, slots=True)
class Close:
    """No such viewport, or no such series, any more."""

    what: str
    number: int


@dataclass(frozen=True, slots=True)
class Forget:
    """The client gave up frames' bytes: position → bytes kept."""

    series: int
    kept: dict[int, int]


@dataclass(frozen=True, slots=True)
class Got:
    """Payload bytes of chunks and runs in all."""

    total: int


@dataclass(frozen=True, slots=True)
class Ping:
    """Answered with the same value."""

    value: int


Word = Hello | Open | Look | Close | Forget | Got | Ping


def parse(text: str) -> Word:
    """One word of a client; members that it does not know are passed over.

    Raises
    ------
    InvalidParameter : no JSON object, no such type, or a member that is missing or out of range.
    """
    if (plain := plain_word(text)) is not None and (word := _plain(plain)) is not None:
        return word
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidParameter("word", text[:80], "a JSON object") from None
    if not isinstance(said, dict):
        raise InvalidParameter("word", text[:80], "a JSON object")
    kind = said.get("type")
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        raise InvalidParameter("type", str(kind)[:80], ", ".join(_READERS))
    return reader(said)


def _plain(said: Any) -> Got | Look | None:
    """What clients say all the time, in 1.5 µs instead of 8; None where a number is out of range."""
    if type(said) is int:
        return Got(said) if 0 <= said < 1 << 62 else None
    viewport, series, position, width, height, velocity, direction, is_loop = said
    position, direction = 0 if position is None else position, 1 if direction is None else direction
    width, height = _SIDE_MAX if width is None else width, _SIDE_MAX if height is None else height
    if (
        0 <= viewport <= NUMBER_MAX
        and 0 <= series <= NUMBER_MAX
        and -NUMBER_MAX <= position <= NUMBER_MAX
        and 1 <= width <= _SIDE_MAX
        and 1 <= height <= _SIDE_MAX
        and -1e5 <= velocity <= 1e5
        and -1 <= direction <= 1
    ):
        members = {
            "position": position, "width": width, "height": height, "velocity": velocity, "direction": direction,
            "quality": Quality.EXACT, "spread": Spread.AROUND, "reach": None, "is_loop": is_loop, "weight": 1.0,
        }  # fmt: skip
        return Look(viewport, series, members)
    return None


def _hello(said: Mapping[str, Any]) -> Hello:
    memory = said.get("memory")
    return Hello(None if memory is None else _whole(said, "memory", 1 << 20, 1 << 50))


def _open(said: Mapping[str, Any]) -> Open:
    return Open(
        _whole(said, "series", 0, NUMBER_MAX), _text(said, "study"), _text(said, "seriesInstanceUID"),
        _text(said, "tag", ""), _pairs(said, "held"), _front(said),
    )  # fmt: skip


def _front(said: Mapping[str, Any]) -> Front:
    front = Front.SMALL if said.get("small") is True else Front.NONE
    return front | Front.APPROXIMATE if said.get("approximate") is True else front


def _look(said: Mapping[str, Any]) -> Look:
    reach = said.get("reach")
    members = {
        "position": _whole(said, "position", -NUMBER_MAX, NUMBER_MAX, 0),
        "width": _whole(said, "width", 1, _SIDE_MAX, _SIDE_MAX),
        "height": _whole(said, "height", 1, _SIDE_MAX, _SIDE_MAX),
        "velocity": _real(said, "velocity", -1e5, 1e5, 0.0),
        "direction": _whole(said, "direction", -1, 1, 1),
        "quality": _one_of(said, "quality", _QUALITIES, Quality.EXACT),
        "spread": _one_of(said, "spread", _SPREADS, Spread.AROUND),
        "reach": None if reach is None else _whole(said, "reach", 0, NUMBER_MAX),
        "is_loop": said.get("loop") is True,
        "weight": _real(said, "weight", 0.01, 100.0, 1.0),
    }
    viewport, series = _whole(said, "viewport", 0, NUMBER_MAX), _whole(said, "series", 0, NUMBER_MAX)
    wanted = said.get("picture")
    return Look(
        viewport, series, members, None if wanted is None else _picture(wanted, members["width"], members["height"])
    )


def _picture(said: Any, width: int, height: int) -> Picture:
    if not isinstance(said, dict):
        raise InvalidParameter("picture", str(said)[:80], "a JSON object")
    window = None
    if "center" in said or "width" in said:
        window = Window(_real(said, "center", -1e9, 1e9, math.nan), _real(said, "width", 1, 1e9, math.nan))
    media_type = said.get("media", _MEDIA[0])
    if media_type not in _MEDIA:
        raise InvalidParameter("media", str(media_type)[:80], ", ".join(_MEDIA))
    return Picture(
        _whole(said, "number", 0, NUMBER_MAX, 0), media_type, _whole(said, "quality", 1, 100, 80), window,
        said.get("invert") is True, width, height,
    )  # fmt: skip


def _close(said: Mapping[str, Any]) -> Close:
    what = "viewport" if "viewport" in said else "series"
    return Close(what, _whole(said, what, 0, NUMBER_MAX))


_READERS: dict[str, Callable[[Mapping[str, Any]], Word]] = {
    "hello": _hello,
    "open": _open,
    "look": _look,
    "close": _close,
    "forget": lambda said: Forget(_whole(said, "series", 0, NUMBER_MAX), _pairs(said, "frames")),
    "got": lambda said: Got(_whole(said, "bytes", 0, 1 << 62)),
    "ping": lambda said: Ping(_whole(said, "value", 0, 1 << 53)),
}


def _whole(said: Mapping[str, Any], name: str, low: int, high: int, default: int | None = None) -> int:
    value = said.get(name, default)
    if type(value) is not int or not low <= value <= high:
        raise InvalidParameter(name, str(value)[:80], f"a whole number from {low} to {high}")
    return value


def _real(said: Mapping[str, Any], name: str, low: float, high: float, default: float) -> float:
    value = said.get(name, default)
    if type(value) not in (int, float) or not math.isfinite(value) or not low <= value <= high:
        raise InvalidParameter(name, str(value)[:80], f"a number from {low:g} to {high:g}")
    return float(value)


def _text(said: Mapping[str, Any], name: str, default: str | None = None) -> str:
    value = said.get(name, default)
    if not isinstance(value, str) or len(value) > 128:
        raise InvalidParameter(name, str(value)[:80], "a text of at most 128 characters")
    return value


def _one_of(said: Mapping[str, Any], name: str, kinds: Mapping[str, Any], default: Any) -> Any:
    value = said.get(name)
    if value is None:
        return default
    found = kinds.get(value) if isinstance(value, str) else None
    if found is None:
        raise InvalidParameter(name, str(value)[:80], ", ".join(kinds))
    return found


def _pairs(said: Mapping[str, Any], name: str) -> dict[int, int]:
    value = said.get(name, [])
    if not isinstance(value, list):
        raise InvalidParameter(name, str(value)[:80], "a list of [position, bytes]")
    try:
        found: dict[Any, Any] = dict(value)
    except (TypeError, ValueError):
        found = {None: None}
    # Passes in C, for there may be 200 000 of them; which one is wrong is looked for only then.
    if value and not (
        len(found) == len(value)
        and {*map(type, found), *map(type, found.values())} == {int}
        and min(min(found), min(found.values())) >= 0
        and max(max(found), max(found.values())) < _PAIR_MAX
    ):
        for pair in value:
            if not _is_pair(pair):
                raise InvalidParameter(name, str(pair)[:80], "a list of [position, bytes]")
    return found


def _is_pair(pair: Any) -> bool:
    return isinstance(pair, list) and len(pair) == 2 and all(type(n) is int and 0 <= n < _PAIR_MAX for n in pair)
