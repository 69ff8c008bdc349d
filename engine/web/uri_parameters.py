"""What the query of a WADO-URI request asks for (PS3.18 9.1.2, 9.4.1.2, 9.5.1.2), in the words that pictures are made by."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from aiohttp import web
from multidict import MultiMapping

from engine.dicom.frame import FrameDescriptor, VoiLutFunction, Window
from engine.errors import InvalidParameter, TooLarge
from engine.imaging.spec import RenderSpec
from engine.stream.frames import JPEG, WEBP
from engine.web.negotiate import MediaRange, parse_accept
from engine.web.parameters import WADO_URI_NAMES
from engine.web.render_parameters import Wish, captions_of, check_charset, integer, uid_of
from engine.web.services import services

_TARGET = ("studyUID", "seriesUID", "objectUID")
# A presentation state says these itself (PS3.18 9.5.1.2.7).
_SAID_BY_A_STATE = ("windowCenter", "windowWidth", "region")
_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_SIDE_MAX = 100_000


@dataclass(frozen=True, slots=True)
class Target:
    """The instance that is asked for."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str


def target_of(request: web.Request) -> Target:
    """The three UIDs, all of which the clause demands (PS3.18 9.1.2.1).

    Raises
    ------
    InvalidParameter
    """
    query = request.query
    kind = query.get("requestType", "")
    if kind != "WADO":
        raise InvalidParameter("requestType", kind[:80], "WADO")
    uids = [query.get(name, "") for name in _TARGET]
    for name, uid in zip(_TARGET, uids, strict=True):
        if not uid:
            raise InvalidParameter(name, "", "a UID: studyUID, seriesUID and objectUID must all be there")
    return Target(*uids)


def ranges_of(request: web.Request) -> tuple[MediaRange, ...]:
    """Media types that the client takes, best first: ``contentType`` stands above the header (PS3.18 9.1.2.2.1).

    An answer is never in parts here, so what asks for parts is left out.
    """
    query, header = request.query, request.headers.getall("Accept", [])
    said = query.getall("contentType", []) or query.getall("accept", []) or header
    return tuple(one for one in parse_accept(",".join(said) or "*/*") if not one.is_multipart)


def refuse_anonymize(request: web.Request) -> None:
    """501 for what nobody may take for done: nothing is de-identified here (PS3.18 9.4.1.2.1, PS3.15 annex E)."""
    value = request.query.get("anonymize")
    if value is None:
        return
    if value != "yes":
        raise InvalidParameter("anonymize", value[:80], "yes, or not to be there")
    raise web.HTTPNotImplemented(text="this server does not de-identify: nothing is given with anonymize=yes")


def ignored(request: web.Request) -> list[str]:
    """Names in the query that mean nothing here (PS3.18 8.3: they are ignored, and the answer says so)."""
    return [name[:80] for name in dict.fromkeys(request.query) if name not in WADO_URI_NAMES]


def frame_index_of(request: web.Request, frame_count: int) -> int:
    """0-based index of ``frameNumber``, of the first frame without one; `InvalidParameter` for one that is not there (9.5.2)."""
    text = request.query.get("frameNumber")
    return 0 if text is None else integer("frameNumber", text, 1, frame_count) - 1


def wish_of(request: web.Request, descriptor: FrameDescriptor, media_type: str) -> Wish:
    """How the picture shall be made.

    Raises
    ------
    InvalidParameter, TooLarge
    """
    check_charset(request.query)
    query, s = request.query, services(request)
    presentation = _presentation(query)
    if presentation[0]:
        for name in _SAID_BY_A_STATE:
            if name in query:
                raise InvalidParameter(name, query[name][:80], "nothing beside a presentation state, which says it")
    width, height = (
        integer(name, query[name], 1, _SIDE_MAX) if name in query else None for name in ("columns", "rows")
    )
    limit = s.settings.limits.rendered_pixels_max
    if width is not None and height is not None and width * height > limit:
        raise TooLarge("rows × columns", width * height, limit, "limits.rendered_pixels_max")
    quality = (
        integer("imageQuality", query["imageQuality"], 1, 100) if "imageQuality" in query else s.settings.jpeg_quality
    )
    # The clause calls it annotation up to 2016 and imageAnnotation since; clients send either.
    annotation = ",".join(query[name] for name in ("annotation", "imageAnnotation") if name in query)
    spec = RenderSpec(window=_window(query), width=width, height=height, region=_region(query, descriptor))
    return Wish(
        spec,
        media_type,
        quality if media_type in (JPEG, WEBP) else 0,
        captions_of(annotation) if annotation else (),
        *presentation,
    )


def _presentation(query: MultiMapping[str]) -> tuple[str, str]:
    """SOP Instance UID and Series Instance UID of a presentation state, both or neither (PS3.18 9.5.1.2.7)."""
    names = ("presentationUID", "presentationSeriesUID")
    for name, other in (names, names[::-1]):
        if name in query and other not in query:
            raise InvalidParameter(name, query[name][:80], f"{other} beside it")
    if names[0] not in query:
        return "", ""
    return uid_of(names[0], query[names[0]]), uid_of(names[1], query[names[1]])


def _window(query: MultiMapping[str]) -> Window | None:
    """``windowCenter`` and ``windowWidth``, both or neither (PS3.18 9.5.1.2.6)."""
    for name, other in (("windowCenter", "windowWidth"), ("windowWidth", "windowCenter")):
        if name in query and other not in query:
            raise InvalidParameter(name, query[name][:80], f"{other} beside it")
    if "windowCenter" not in query:
        return None
    width = _decimal("windowWidth", query["windowWidth"])
    if width < 1:  # PS3.3 C.11.2.1.2.1
        raise InvalidParameter("windowWidth", query["windowWidth"][:80], "a number of at least 1")
    return Window(_decimal("windowCenter", query["windowCenter"]), width, VoiLutFunction.LINEAR)


def _region(query: MultiMapping[str], descriptor: FrameDescriptor) -> tuple[int, int, int, int] | None:
    """``left,top,right,bottom`` as parts of the image's width and height (PS3.18 9.5.1.2.5), in whole stored pixels."""
    if "region" not in query:
        return None
    text = query["region"]
    expected = "left,top,right,bottom from 0.0 to 1.0, left below right, top below bottom"
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 4:
        raise InvalidParameter("region", text[:80], expected)
    left, top, right, bottom = (_decimal("region", part) for part in parts)
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise InvalidParameter("region", text[:80], expected)
    x, width = _pixels(left, right, descriptor.columns)
    y, height = _pixels(top, bottom, descriptor.rows)
    return x, y, width, height


def _pixels(low: float, high: float, count: int) -> tuple[int, int]:
    """The pixels that lie in a stretch, also those that do in part: the first, and how many."""
    # Seven digits are what a float in a URL is good for: 0.333333 of 3 pixels ends behind the first, not inside the second.
    first = min(math.floor(round(low * count, 3)), count - 1)
    return first, max(1, math.ceil(round(high * count, 3)) - first)


def _decimal(name: str, text: str) -> float:
    if len(text) <= 40 and _DECIMAL.fullmatch(text.strip()) and math.isfinite(float(text)):
        return float(text)
    raise InvalidParameter(name, text[:80], "a number")
