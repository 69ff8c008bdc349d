"""WADO-RS rendered frames and thumbnails: what a screen shows, as JPEG or PNG (PS3.18 10.4.1.1.3, 8.3.5)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from aiohttp import web

from engine.archive.records import InstanceRecord
from engine.dicom.frame import VoiLutFunction, Window
from engine.errors import InvalidParameter, NoPixels, TooLarge
from engine.imaging.spec import IccProfile, RenderSpec, Values
from engine.stream.frames import JPEG, PNG
from engine.stream.video import without_pixels
from engine.web.frames import frame_indexes
from engine.web.multipart import boundary_for, content_type, join
from engine.web.negotiate import choose
from engine.web.sending import is_known
from engine.web.services import TIMINGS, on, services
from engine.web.wado import record_of

THUMBNAIL_SIDE = 128
_PARAMETERS = frozenset(
    {"accept", "charset", "window", "viewport", "quality", "iccprofile", "voi", "values", "overlays"}
)
_FUNCTIONS = {
    "linear": VoiLutFunction.LINEAR,
    "linear-exact": VoiLutFunction.LINEAR_EXACT,
    "sigmoid": VoiLutFunction.SIGMOID,
}
_CACHE = "private, no-cache"


class _Switch(StrEnum):
    ON = "true"
    OFF = "false"


Choice = TypeVar("Choice", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class _Wish:
    """What the query asks for."""

    spec: RenderSpec
    media_type: str
    quality: int


async def retrieve_rendered_instance(request: web.Request) -> web.StreamResponse:
    """The first frame of an instance."""
    return await _answer(request, record_of(request), [0], _wish(request))


async def retrieve_rendered_frames(request: web.Request) -> web.StreamResponse:
    """One frame bare, several as parts in the order of the list."""
    record = record_of(request)
    return await _answer(request, record, frame_indexes(request, record), _wish(request))


async def retrieve_rendered_instance_thumbnail(request: web.Request) -> web.StreamResponse:
    """The middle frame of an instance, small."""
    return await _thumbnail(request, record_of(request))


async def retrieve_frame_thumbnail(request: web.Request) -> web.StreamResponse:
    """One frame, small."""
    record = record_of(request)
    return await _answer(request, record, frame_indexes(request, record)[:1], _wish(request, THUMBNAIL_SIDE))


async def retrieve_series_thumbnail(request: web.Request) -> web.StreamResponse:
    """The middle slice of a series, small."""
    s, match = services(request), request.match_info
    record = await on(
        request, s.executors.index, "read", lambda: s.archive.representative(match["study"], match["series"])
    )
    return await _thumbnail(request, record)


async def retrieve_study_thumbnail(request: web.Request) -> web.StreamResponse:
    """The middle slice of the study's largest series that has pixels, small."""
    s, study = services(request), request.match_info["study"]

    def largest() -> InstanceRecord:
        failure: NoPixels | None = None
        for one in sorted(s.archive.series_of(study), key=lambda series: -series.instance_count):
            try:
                return s.archive.representative(study, one.series_instance_uid)
            except NoPixels as error:
                failure = failure or error
        assert failure is not None  # a study has at least one series
        raise failure

    return await _thumbnail(request, await on(request, s.executors.index, "read", largest))


async def _thumbnail(request: web.Request, record: InstanceRecord) -> web.StreamResponse:
    if record.frame_table is None:
        raise without_pixels(record)
    return await _answer(request, record, [len(record.frame_table) // 2], _wish(request, THUMBNAIL_SIDE))


async def _answer(request: web.Request, record: InstanceRecord, indexes: list[int], wish: _Wish) -> web.Response:
    if record.frame_table is None:
        raise without_pixels(record)
    identity = (record.data_set_sha256.hex(), indexes, wish)
    etag = f'"{boundary_for("rendered", *identity)}"'
    headers = {"ETag": etag, "Cache-Control": _CACHE, "Vary": "Accept"}
    if is_known(request, etag):
        return web.Response(status=304, headers=headers)
    pictures = [
        await services(request).frames.rendered(
            record, index, wish.spec, wish.media_type, wish.quality, request[TIMINGS]
        )
        for index in indexes
    ]
    if len(pictures) == 1:
        return web.Response(body=pictures[0], content_type=wish.media_type, headers=headers)
    boundary = boundary_for("pictures", *identity)
    headers["Content-Type"] = content_type(wish.media_type, boundary)
    return web.Response(body=join(boundary, wish.media_type, pictures), headers=headers)


def _wish(request: web.Request, side: int | None = None) -> _Wish:
    """The query's parameters; `side`: a thumbnail, which fits a square of this unless a viewport is asked for.

    Raises
    ------
    InvalidParameter, NotAcceptable
    """
    query, s = request.query, services(request)
    for name in query:
        if name not in _PARAMETERS:
            raise InvalidParameter(name[:80], query[name][:80], "one of " + ", ".join(sorted(_PARAMETERS)))
    values = _one_of(Values, "values", query.get("values", Values.MODALITY))
    window = _window(query["window"], values) if "window" in query else None
    if window is not None and "voi" in query and values is not Values.REAL_WORLD:
        raise InvalidParameter("voi", query["voi"][:80], "no window beside it")
    width = height = side
    region: tuple[int, int, int, int] | None = None
    if "viewport" in query:
        width, height, region = _viewport(query["viewport"])
        limit = s.settings.limits.rendered_pixels_max
        if width * height > limit:
            raise TooLarge("the viewport", width * height, limit, "limits.rendered_pixels_max")
    quality = s.settings.jpeg_quality
    if "quality" in query:
        quality = _integer("quality", query["quality"], 1, 100)
    media_type = choose(request, (JPEG, PNG))
    spec = RenderSpec(
        window=window,
        width=width,
        height=height,
        region=region,
        voi=query.get("voi", ""),
        values=values,
        overlays=_one_of(_Switch, "overlays", query.get("overlays", _Switch.OFF)) is _Switch.ON,
        icc_profile=_one_of(IccProfile, "iccprofile", query.get("iccprofile", IccProfile.NO)),
    )
    return _Wish(spec, media_type, quality if media_type == JPEG else 0)


def _window(text: str, values: Values) -> Window:
    """``center,width,function`` (PS3.18 8.3.5.1.4); the function may be left out: linear-exact for measured values."""
    usual = "linear" if values is Values.MODALITY else "linear-exact"
    expected = "center,width,function with a function of " + ", ".join(_FUNCTIONS)
    parts = [part.strip() for part in text.split(",")]
    function = _FUNCTIONS.get(parts[2].lower() if len(parts) == 3 else usual)
    try:
        center, width = float(parts[0]), float(parts[1])
    except (ValueError, IndexError):
        raise InvalidParameter("window", text[:80], expected) from None
    if len(parts) > 3 or function is None or not (math.isfinite(center) and math.isfinite(width)):
        raise InvalidParameter("window", text[:80], expected)
    # PS3.3 C.11.2.1.2.1: a LINEAR window is at least one value wide, the others wider than nothing.
    if width < 1 if function is VoiLutFunction.LINEAR else width <= 0:
        raise InvalidParameter("window", text[:80], "a width of at least 1 for linear, above 0 for the others")
    return Window(center, width, function)


def _viewport(text: str) -> tuple[int, int, tuple[int, int, int, int] | None]:
    """``vw,vh`` or ``vw,vh,sx,sy,sw,sh``: size on the screen, and the part of the image (PS3.18 8.3.5.1.3)."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) not in (2, 6):
        raise InvalidParameter("viewport", text[:80], "width,height or width,height,x,y,width,height")
    width, height = (_integer("viewport", part, 1, 100_000) for part in parts[:2])
    if len(parts) == 2:
        return width, height, None
    x, y, columns, rows = (_integer("viewport", part, 0, 100_000) for part in parts[2:])
    return width, height, (x, y, columns, rows)


def _one_of(choices: type[Choice], name: str, text: str) -> Choice:
    try:
        return choices(text.lower())
    except ValueError:
        raise InvalidParameter(name, text[:80], "one of " + ", ".join(choices)) from None


def _integer(name: str, text: str, low: int, high: int) -> int:
    if text.isascii() and text.isdigit() and len(text) < 9 and low <= int(text) <= high:
        return int(text)
    raise InvalidParameter(name, text[:80], f"a whole number from {low} to {high}")
