"""The short way of pictures: one index get on the loop, one hop to a decode thread, one write."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from yarl import URL

from engine.archive.records import InstanceRecord
from engine.errors import EngineError
from engine.settings import Settings
from engine.stream.flight import Flight
from engine.stream.frames import GIF
from engine.stream.video import is_stream
from engine.types import Timings
from engine.web.load import Load
from engine.web.negotiate import MediaRange
from engine.web.passport import Passport
from engine.web.pictures import HEADERS, NO_ADDITIONS, is_in_colours, picture_etag
from engine.web.quick_frame import quick_head
from engine.web.render_parameters import Wish, wish_from
from engine.web.services import Services
from engine.web.thumbnails import THUMBNAIL_SIDE

_KNOWN_MAX = 1024  # a drag with the mouse has a window of its own with every step
_LINES = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())


@dataclass(frozen=True, slots=True)
class _Asked:
    """A query that was read. `text`: of the wish, as a tag is made of it."""

    wish: Wish
    text: str


WishOf = Callable[[bytes, tuple[MediaRange, ...], bool], _Asked | None]


def wishes(settings: Settings) -> WishOf:
    """Reads queries (and what is accepted, and whether a thumbnail is meant), and remembers the last; None: the handler's."""

    @lru_cache(maxsize=_KNOWN_MAX)
    def wish_of(query: bytes, ranges: tuple[MediaRange, ...], is_small: bool) -> _Asked | None:
        parameters = URL.build(path="/", query_string=query.decode("ascii"), encoded=True).query
        if "accept" in parameters:
            return None
        try:
            wish = wish_from(parameters, ranges, settings, THUMBNAIL_SIDE if is_small else None)
        except EngineError:
            return None
        is_plain = not (wish.captions or wish.presentation_uid or wish.segmentation_uids or wish.in_parts)
        return _Asked(wish, str(wish)) if is_plain and wish.media_type != GIF else None

    return wish_of


@dataclass(slots=True)
class QuickPicture:
    """A picture on its way.

    Attributes
    ----------
    request : as it came, for the handler if it must do it after all.
    """

    flight: Flight[bytes]
    request: bytes
    passport: Passport
    start: float
    _timings: Timings
    _lines: str

    @classmethod
    def begin(
        cls, services: Services, passport: Passport, wish_of: WishOf, request: bytes, parts: tuple[bytes, ...]
    ) -> QuickPicture | None:
        """Begin a picture that is wanted plain, of an image that is shown plain; None: the handler's."""
        start = time.perf_counter()
        study, series, instance, frame, kind, query = parts
        is_small = kind == b"thumbnail"
        asked = wish_of(query, passport.ranges, is_small)
        if asked is None:
            return None
        try:
            record = services.archive.instance(instance.decode(), study.decode(), series.decode())
        except EngineError:
            return None  # the handler says why
        index = _index(record, frame, is_small)
        if index is None or (asked.wish.spec.window is None and is_in_colours(record, is_small)):
            return None
        timings, wish = Timings(), asked.wish
        timings.add("read", (time.perf_counter() - start) * 1e3)
        try:
            flight = services.frames.begin(record, index, wish.spec, wish.media_type, wish.quality, timings)
        except EngineError:
            return None
        etag = picture_etag([(record.data_set_sha256.hex(), index)], asked.text, NO_ADDITIONS.identity, is_small)
        lines = f"{_LINES}ETag: {etag}\r\nContent-Type: {wish.media_type}\r\n"
        return cls(flight, request, passport, start, timings, lines)

    def answer(self, picture: bytes, load: Load) -> bytes:
        """Head and body."""
        self._timings.add("total", (time.perf_counter() - self.start) * 1e3)
        head = quick_head(self._lines, len(picture), load, self.passport, self._timings.header())
        return head + picture


def _index(record: InstanceRecord, frame: bytes, is_small: bool) -> int | None:
    """0-based index of the frame that the address means; None where there is none, and of what plays."""
    if record.frame_table is None or is_stream(record):
        return None
    count = len(record.frame_table)
    if not frame:
        return count // 2 if is_small else 0
    index = int(frame) - 1
    return index if index < count else None
