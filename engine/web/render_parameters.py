"""What the query of a request for a picture asks for (PS3.18 8.3.5), and what of it does not go together."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from aiohttp import web
from multidict import MultiMapping

from engine.dicom.caption import CaptionKind
from engine.dicom.frame import VoiLutFunction, Window
from engine.dicom.uid import is_valid
from engine.errors import InvalidParameter, NotAcceptable, TooLarge
from engine.imaging.spec import IccProfile, RenderSpec, Values
from engine.settings import Settings
from engine.stream.frames import GIF, JPEG, PNG, WEBP
from engine.stream.presented import SEGMENT_OPACITY
from engine.web.negotiate import MediaRange, accepted, best_range
from engine.web.negotiate import said as words_of
from engine.web.parameters import NEGOTIATION_NAMES, RENDERING_NAMES
from engine.web.services import services

PICTURES = (JPEG, PNG, WEBP, GIF)  # PS3.18 table 8.7.4-1
# Ten to a hundred times the work of a JPEG: not for browsers, which name WebP in one breath with everything else.
RATHER_NOT = (WEBP, GIF)
_RENDERING = RENDERING_NAMES - NEGOTIATION_NAMES
# A presentation state says these itself (PS3.18 9.5.1.2.7 forbids the first beside it).
_SAID_BY_A_STATE = ("window", "voi", "values", "overlays")
_SEGMENTATIONS_MAX = 16
_CHARSET = r"\s*[A-Za-z0-9*][A-Za-z0-9.:_+-]{0,40}\s*(;\s*q=[01](\.\d{0,3})?\s*)?"
_CHARSETS = re.compile(f"{_CHARSET}(,{_CHARSET}){{0,20}}", re.ASCII)
_FUNCTIONS = {
    "linear": VoiLutFunction.LINEAR,
    "linear-exact": VoiLutFunction.LINEAR_EXACT,
    "sigmoid": VoiLutFunction.SIGMOID,
}


class _Switch(StrEnum):
    ON = "true"
    OFF = "false"


Choice = TypeVar("Choice", bound=StrEnum)
Query = MultiMapping[str]


@dataclass(frozen=True, slots=True)
class Wish:
    """What the query asks for.

    Attributes
    ----------
    in_parts : ``multipart/related`` is asked for in so many words.
    presentation_uid, presentation_series_uid : of the presentation state to show an image through; the second may be empty.
    segmentation_uids : of segmentations to show over it.
    """

    spec: RenderSpec
    media_type: str
    quality: int
    captions: tuple[CaptionKind, ...] = ()
    presentation_uid: str = ""
    presentation_series_uid: str = ""
    segmentation_uids: tuple[str, ...] = ()
    opacity: float = SEGMENT_OPACITY
    in_parts: bool = False


def wish_of(request: web.Request, side: int | None = None, media_types: Sequence[str] = PICTURES) -> Wish:
    """The query's parameters.

    Parameters
    ----------
    side : of a thumbnail, which fits a square of this unless a viewport is asked for.
    media_types : what there is to choose from.

    Raises
    ------
    InvalidParameter, NotAcceptable
    """
    settings = services(request).settings
    wish = wish_from(request.query, accepted(request), settings, side, media_types, words_of(request))
    if wish.presentation_uid:
        refuse_what_a_state_says(request, wish)
    return wish


def wish_from(
    query: Query,
    ranges: Sequence[MediaRange],
    settings: Settings,
    side: int | None = None,
    media_types: Sequence[str] = PICTURES,
    said: str = "",
) -> Wish:
    """As `wish_of`, of a query by itself; `ranges` are what the client accepts, in words `said`."""
    check_names(query)
    values = _one_of(Values, "values", query.get("values", Values.MODALITY))
    window = _window(query["window"], values) if "window" in query else None
    if window is not None and "voi" in query and values is not Values.REAL_WORLD:
        raise InvalidParameter("voi", query["voi"][:80], "no window beside it")
    width = height = side
    region: tuple[int, int, int, int] | None = None
    if "viewport" in query:
        width, height, region = _viewport(query["viewport"])
        limit = settings.limits.rendered_pixels_max
        if width * height > limit:
            raise TooLarge("the viewport", width * height, limit, "limits.rendered_pixels_max")
    quality = settings.jpeg_quality
    if "quality" in query:
        quality = integer("quality", query["quality"], 1, 100)
    offers, rather_not = ([one for one in media_types if (one in RATHER_NOT) is late] for late in (False, True))
    found = best_range(ranges, offers, rather_not)
    if found is None:
        raise NotAcceptable(said, (*offers, *rather_not))
    wanted, media_type = found
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
    wish = Wish(
        spec,
        media_type,
        quality if media_type in (JPEG, WEBP) else 0,
        captions_of(query["annotation"]) if "annotation" in query else (),
        uid_of("presentationUID", query["presentationUID"]) if "presentationUID" in query else "",
        uid_of("presentationSeriesUID", query["presentationSeriesUID"]) if "presentationSeriesUID" in query else "",
        _segmentations(query["segmentation"]) if "segmentation" in query else (),
        _opacity(query["opacity"]) if "opacity" in query else SEGMENT_OPACITY,
        wanted.is_multipart,
    )
    if media_type == GIF and spec.icc_profile is not IccProfile.NO:
        raise InvalidParameter("iccprofile", spec.icc_profile, "a picture that can carry one, which image/gif is not")
    if wish.presentation_series_uid and not wish.presentation_uid:
        raise InvalidParameter("presentationSeriesUID", wish.presentation_series_uid, "presentationUID beside it")
    return wish


def check_names(query: Query) -> None:
    """`InvalidParameter` for a name that is no parameter of pictures, for one said twice, and for a malformed ``charset``."""
    for name in query:
        if name not in RENDERING_NAMES:
            raise InvalidParameter(name[:80], query[name][:80], "one of " + ", ".join(sorted(RENDERING_NAMES)))
        if name != "accept" and len(query.getall(name)) > 1:
            raise InvalidParameter(name, "".join(query.getall(name))[:80], "it once")
    check_charset(query)


def check_charset(query: Query) -> None:
    """Pictures have no character set; it is taken, and looked at, as for every other resource (PS3.18 8.3.3.2)."""
    if "charset" in query and not _CHARSETS.fullmatch(query["charset"]):
        raise InvalidParameter("charset", query["charset"][:80], "names of character sets, separated by commas")


def is_rendering(request: web.Request) -> bool:
    """Whether the query says how a picture shall be made."""
    return any(name in _RENDERING for name in request.query)


def refuse_what_a_state_says(request: web.Request, wish: Wish, also: tuple[str, ...] = ()) -> None:
    """`InvalidParameter` for what cannot stand beside a presentation state: it would not be the picture it describes."""
    for name in (*_SAID_BY_A_STATE, *also):
        if name in request.query:
            raise InvalidParameter(name, request.query[name][:80], "nothing beside a presentation state, which says it")
    if wish.spec.region is not None:
        text = request.query["viewport"][:80]
        raise InvalidParameter("viewport", text, "width,height beside a presentation state, which says the region")


def captions_of(text: str) -> tuple[CaptionKind, ...]:
    """What shall be burned in, each once; raises InvalidParameter."""
    return tuple(dict.fromkeys(_one_of(CaptionKind, "annotation", part.strip()) for part in text.split(",")))


def uid_of(name: str, text: str) -> str:
    """The UID that a parameter's value is; raises InvalidParameter."""
    if not is_valid(text):
        raise InvalidParameter(name, text[:80], "a UID")
    return text


def _segmentations(text: str) -> tuple[str, ...]:
    uids = tuple(dict.fromkeys(uid_of("segmentation", part.strip()) for part in text.split(",")))
    if len(uids) > _SEGMENTATIONS_MAX:
        raise InvalidParameter("segmentation", text[:80], f"{_SEGMENTATIONS_MAX} UIDs at most")
    return uids


def _opacity(text: str) -> float:
    if not re.fullmatch(r"0?\.\d{1,6}|[01](\.0{0,6})?", text):
        raise InvalidParameter("opacity", text[:80], "a number from 0 to 1")
    return float(text)


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
    width, height = (integer("viewport", part, 1, 100_000) for part in parts[:2])
    if len(parts) == 2:
        return width, height, None
    x, y, columns, rows = (integer("viewport", part, 0, 100_000) for part in parts[2:])
    return width, height, (x, y, columns, rows)


def _one_of(choices: type[Choice], name: str, text: str) -> Choice:
    try:
        return choices(text.lower())
    except ValueError:
        raise InvalidParameter(name, text[:80], "one of " + ", ".join(choices)) from None


def integer(name: str, text: str, low: int, high: int) -> int:
    """The whole number that a parameter's value is; raises InvalidParameter."""
    if text.isascii() and text.isdigit() and len(text) < 9 and low <= int(text) <= high:
        return int(text)
    raise InvalidParameter(name, text[:80], f"a whole number from {low} to {high}")
