"""What a client accepts, and which of what we can give fits best (PS3.18 8.7, RFC 9110 12.5.1)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from functools import lru_cache, partial

from aiohttp import web

from engine.dicom.transfer_syntax import EXPLICIT_VR_LITTLE_ENDIAN, lookup
from engine.errors import NotAcceptable

MULTIPART = "multipart/related"
OCTET_STREAM = "application/octet-stream"
DICOM = "application/dicom"
DICOM_JSON = "application/dicom+json"
DICOM_XML = "application/dicom+xml"
DATA_SETS = (DICOM_JSON, DICOM_XML)  # the first is what a client gets that takes any
ZIP = "application/zip"
AS_STORED = "*"
UTF_8_NAMES = ("utf-8", "utf8", "iso_ir 192")  # IANA's, a common one, and DICOM's defined term

_PARAMETER = re.compile(r';\s*([^=;\s]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)')
_QUOTED_COMMA = re.compile(r'((?:[^,"]|"(?:[^"\\]|\\.)*")+)')
# What a media type of frames means without a transfer syntax (PS3.18 tables 8.7.3-4 and 8.7.3-5).
_DEFAULTS = {
    OCTET_STREAM: EXPLICIT_VR_LITTLE_ENDIAN,
    "image/dicom-rle": "1.2.840.10008.1.2.5",
    "image/jpeg": "1.2.840.10008.1.2.4.70",
    "image/jls": "1.2.840.10008.1.2.4.80",
    "image/jp2": "1.2.840.10008.1.2.4.90",
    "image/jxl": "1.2.840.10008.1.2.4.110",
    "image/jphc": "1.2.840.10008.1.2.4.201",
}
_SYNONYMS = {"image/jhc": "image/jphc", "image/x-jls": "image/jls", "application/json": DICOM_JSON}


@dataclass(frozen=True, slots=True)
class MediaRange:
    """One alternative of an Accept header.

    Attributes
    ----------
    media_type : of one part: what ``type=`` says for ``multipart/related``; lower case; ``*/*`` where nothing is said.
    transfer_syntaxes : every ``transfer-syntax`` parameter, in order (cornerstone3D sends two).
    refused : media types and transfer syntaxes (none: all) of narrower alternatives with a quality of 0.
    """

    media_type: str
    is_multipart: bool
    transfer_syntaxes: tuple[str, ...]
    quality: float
    refused: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def width(self) -> tuple[int, bool]:
        """Larger the less it says; the narrowest alternative decides on a media type (RFC 9110 12.5.1)."""
        types = 2 if self.media_type == "*/*" else int(self.media_type.endswith("/*"))
        return types, not self.transfer_syntaxes or "*" in self.transfer_syntaxes

    @property
    def takes_parts(self) -> bool:
        return self.is_multipart or (self.media_type == "*/*" and not self.refuses(MULTIPART))

    def covers(self, media_type: str, transfer_syntax_uid: str = "") -> bool:
        return _fits(self.media_type, media_type) and not self.refuses(media_type, transfer_syntax_uid)

    def refuses(self, media_type: str, transfer_syntax_uid: str = "") -> bool:
        """Whether a quality of 0 takes out of this alternative what it would cover otherwise (RFC 9110 12.4.2)."""
        return any(
            _fits(wide, media_type) and (not syntaxes or "*" in syntaxes or transfer_syntax_uid in syntaxes)
            for wide, syntaxes in self.refused
        )


def accepted(request: web.Request, parameter: str | None = None) -> tuple[MediaRange, ...]:
    """What the client accepts, best first; the ``accept`` query parameter stands above the header (PS3.18 8.3.3.1).

    `parameter` : what that says where it is not in the query itself.
    """
    said = [parameter] if parameter else request.query.getall("accept", None) or request.headers.getall("Accept", None)
    return parse_accept(",".join(said) if said else "*/*")


@lru_cache(maxsize=256)
def parse_accept(text: str) -> tuple[MediaRange, ...]:
    """Alternatives by descending quality, in the order sent where that is equal."""
    every = (_media_range(one) for one in _QUOTED_COMMA.findall(text) if one.strip())
    found = [one for one in every if one is not None]
    wanted = [replace(r, refused=_refused(r, found)) for r in found if r.quality > 0]
    return tuple(sorted(wanted, key=lambda r: -r.quality))


def _refused(of: MediaRange, every: list[MediaRange]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """``q=0`` holds for wider alternatives of its own form, in parts or bare; ``*/*`` is of both."""
    is_anything = of.media_type == "*/*" and not of.is_multipart
    return tuple(
        (MULTIPART if r.is_multipart and r.media_type == "*/*" else r.media_type, r.transfer_syntaxes)
        for r in every
        if r.quality <= 0
        and ((r.is_multipart and is_anything) or (r.is_multipart == of.is_multipart and r.width < of.width))
    )


def choose(request: web.Request, offers: Sequence[str]) -> str:
    """The one of `offers` (media types, best first) that the client likes best; each by the narrowest alternative it fits.

    Raises
    ------
    NotAcceptable
    """
    return chosen_range(request, offers)[1]


def chosen_range(request: web.Request, offers: Sequence[str], rather_not: Sequence[str] = ()) -> tuple[MediaRange, str]:
    """As `choose`: the alternative that decided, and the media type.

    Parameters
    ----------
    rather_not : media types that are given where the client likes none of `offers` as much.
    """
    found = best_range(accepted(request), offers, rather_not)
    if found is None:
        raise NotAcceptable(said(request), (*offers, *rather_not))
    return found


def best_range(
    ranges: Sequence[MediaRange], offers: Sequence[str], rather_not: Sequence[str] = ()
) -> tuple[MediaRange, str] | None:
    """As `chosen_range`, of alternatives that are at hand; None where none fits."""
    fitting = {
        offer: [at for at, wanted in enumerate(ranges) if wanted.covers(offer)] for offer in (*offers, *rather_not)
    }
    places = {offer: min(at, key=lambda i: ranges[i].width) for offer, at in fitting.items() if at}
    if not places:
        return None
    best = min(places, key=lambda offer: (-ranges[places[offer]].quality, offer in rather_not, places[offer]))
    return ranges[places[best]], best


def wants_multipart(request: web.Request, media_type: str) -> bool:
    """Whether the best alternative for `media_type` asks for ``multipart/related``; also when nothing particular is asked."""
    for wanted in accepted(request):
        if wanted.covers(media_type):
            return wanted.takes_parts
    return True


@dataclass(frozen=True, slots=True)
class FrameChoice:
    """How to answer a request for frames.

    Attributes
    ----------
    transfer_syntax_uid : what to give them in; `AS_STORED` for their own bytes.
    is_multipart : in parts, or (one frame) bare.
    """

    transfer_syntax_uid: str
    is_multipart: bool

    @property
    def is_as_stored(self) -> bool:
        return self.transfer_syntax_uid == AS_STORED


@lru_cache(maxsize=256)
def choose_frames(
    ranges: tuple[MediaRange, ...], transfer_syntax_uid: str, media_type: str, possible: tuple[str, ...]
) -> FrameChoice | None:
    """Which answer fits frames that are stored as this; None when none does.

    ``*`` as the transfer syntax, or ``*/*`` without one, means: as stored. A media type without one means its default
    (PS3.18 8.7.3.5.2), but as stored where that has this media type.

    Parameters
    ----------
    possible : transfer syntaxes that the frames can be given in without loss.
    """
    is_native = media_type == OCTET_STREAM
    for wanted in ranges:
        syntaxes, is_multipart = wanted.transfer_syntaxes, wanted.takes_parts
        is_named = "*" in syntaxes or transfer_syntax_uid in syntaxes
        is_meant = not syntaxes and (
            wanted.media_type == "*/*" or (not is_native and _fits(wanted.media_type, media_type))
        )
        if (is_named or is_meant) and not wanted.refuses(media_type, transfer_syntax_uid):
            return FrameChoice(AS_STORED, is_multipart)
        for uid in syntaxes or _meant(wanted.media_type, possible):
            if not wanted.covers(lookup(uid).media_type, uid):
                continue
            if uid == transfer_syntax_uid:
                return FrameChoice(AS_STORED, is_multipart)
            if uid in possible:
                return FrameChoice(uid, is_multipart)
    return None


class Form(Enum):
    """What instances are sent in."""

    PARTS = auto()
    BARE = auto()
    ZIP = auto()


def choose_instances(
    ranges: tuple[MediaRange, ...], stored: Sequence[str], can: Callable[[int, str], bool]
) -> tuple[list[str], Form] | None:
    """What to give instances in that are stored as these, and in which form; None when no alternative fits all of them.

    No transfer syntax, and ``*``, mean: as stored, whatever PS3.18 8.7.3.4 calls the default: nothing is more certain to
    hold what was acquired, and clients that cannot read it name what they can. One of several that is stored in a syntax
    that the client takes is not converted.

    Parameters
    ----------
    can : whether the instance of this index can be given in this transfer syntax.
    """
    for wanted in ranges:
        # Several instances need parts; a client that names no type takes them. A zip file gets who names it.
        form = Form.PARTS if wanted.takes_parts else Form.BARE
        if wanted.media_type == ZIP and not wanted.is_multipart:
            form = Form.ZIP
        elif not wanted.covers(DICOM) or (form is Form.BARE and len(stored) != 1):
            continue
        media_type = ZIP if form is Form.ZIP else DICOM
        chosen = [_given(wanted, media_type, uid, partial(can, index)) for index, uid in enumerate(stored)]
        if all(chosen):
            return chosen, form
    return None


def _given(wanted: MediaRange, media_type: str, stored: str, can: Callable[[str], bool]) -> str:
    """What one instance is given in; empty where nothing fits."""
    syntaxes = wanted.transfer_syntaxes
    takes_any = not syntaxes or "*" in syntaxes
    if (takes_any or stored in syntaxes) and not wanted.refuses(media_type, stored):
        return AS_STORED
    others = [uid for uid in syntaxes if uid != "*"] + [EXPLICIT_VR_LITTLE_ENDIAN] * takes_any
    return next((uid for uid in others if not wanted.refuses(media_type, uid) and can(uid)), "")


def _fits(wide: str, media_type: str) -> bool:
    """Whether a media range holds a media type."""
    return wide in ("*/*", media_type) or (wide.endswith("/*") and media_type.startswith(wide[:-1]))


def _meant(media_type: str, possible: tuple[str, ...]) -> tuple[str, ...]:
    """Transfer syntaxes that a media type of frames stands for; a range of types (``application/*``) takes any it covers."""
    default = _DEFAULTS.get(media_type)
    return possible if default is None else (default,)


def said(request: web.Request) -> str:
    """What the client asked for, for an error's text."""
    return str(request.query.get("accept") or request.headers.get("Accept") or "*/*")


def media_type_of(text: str) -> tuple[str, dict[str, str]]:
    """Media type and parameters of a Content-Type (aiohttp asks the email package, 0.2 ms for every new boundary)."""
    media_type, parameters = _split(text)
    return media_type, dict(parameters)


def _split(text: str) -> tuple[str, list[tuple[str, str]]]:
    name, semicolon, rest = text.strip().partition(";")
    found = [(key.lower(), value.strip().strip('"')) for key, value in _PARAMETER.findall(semicolon + rest)]
    return name.strip().lower(), found


def _media_range(text: str) -> MediaRange | None:
    """None for data sets in a character set that they are not given in: such an alternative is ignored (PS3.18 8.7.7)."""
    media_type, parameters = _split(text)
    is_multipart = media_type in (MULTIPART, "multipart/*")
    if is_multipart:
        media_type = next((value.lower() for key, value in parameters if key == "type"), "*/*")
    try:
        quality = next((float(value) for key, value in parameters if key == "q"), 1.0)
    except ValueError:
        quality = 1.0
    syntaxes = tuple(value for key, value in parameters if key == "transfer-syntax" and value)
    media_type = _SYNONYMS.get(media_type, media_type)
    if media_type in DATA_SETS and any(key == "charset" and v.lower() not in UTF_8_NAMES for key, v in parameters):
        return None
    return MediaRange(media_type, is_multipart, syntaxes, quality)
