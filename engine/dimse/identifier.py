"""Identifiers of C-FIND: what a requestor asks for, and a match as it wants to read it (PS3.4 C.2.2, C.4.1.1.3)."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

from pydicom import DataElement, Dataset
from pydicom.charset import convert_encodings, encode_string
from pydicom.dataelem import empty_value_for_VR
from pydicom.multival import MultiValue

from engine.archive.searchable import LEVEL_OF, check_value, unfit
from engine.dicom.dictionary import hex_of, keyword_of, vr_of
from engine.dicom.levels import INDEX_TAGS
from engine.dicom.query import Level, Match, Query
from engine.dicom.timezone import minutes_of
from engine.dimse.data_set import element_of
from engine.errors import InvalidParameter, UnknownLevel

_CHARACTER_SET, _LEVEL, _RETRIEVE_AE, _TIMEZONE = 0x00080005, 0x00080052, 0x00080054, 0x00080201
_ABOUT_THE_QUERY = frozenset({_CHARACTER_SET, _LEVEL, 0x00080053, _TIMEZONE})
_PATIENT_TAGS = frozenset(tag for tag, level in INDEX_TAGS if level == 0)
_LEVELS = {"STUDY": Level.STUDY, "SERIES": Level.SERIES, "IMAGE": Level.INSTANCE}
_UNIQUE = {
    "PATIENT": (0x00100020,),
    "STUDY": (0x0020000D,),
    "SERIES": (0x0020000D, 0x0020000E),
    "IMAGE": (0x0020000D, 0x0020000E, 0x00080018),
}
_TEXT_VRS = frozenset(("LO", "LT", "PN", "SH", "ST", "UC", "UT"))
UTF_8 = "ISO_IR 192"
Attributes = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """A search, and what of each match goes back.

    Attributes
    ----------
    level : as sent: PATIENT, STUDY, SERIES or IMAGE. The query of PATIENT is one for studies.
    returned : tags of the answer, in order.
    is_ignoring : a key is none that the level can be searched by.
    character_sets : of the requestor; what it sent in, it can read.
    """

    query: Query
    level: str
    returned: tuple[int, ...]
    is_ignoring: bool
    character_sets: tuple[str, ...]


def read_identifier(ds: Dataset, levels: tuple[str, ...], *, is_fuzzy: bool = False) -> Asked:
    """What `ds` asks for; keys of the levels above are not demanded, as relational queries allow (PS3.4 C.4.1.2.2).

    Raises
    ------
    UnknownLevel : none, or one that the information model has not.
    InvalidParameter : a key has a value that it cannot have.
    """
    named = str(ds.get("QueryRetrieveLevel", "")).strip().upper()
    if named not in levels:
        raise UnknownLevel(named[:16], levels)
    level = _LEVELS.get(named, Level.STUDY)
    matches: list[Match] = []
    include: list[tuple[int, ...]] = []
    returned: list[int] = []
    is_ignoring = False
    for element in ds:
        tag = int(element.tag)
        if tag in _ABOUT_THE_QUERY or tag & 0xFFFF == 0:
            continue
        returned.append(tag)
        if named == "PATIENT" and tag not in _PATIENT_TAGS:
            is_ignoring = is_ignoring or bool(_text(element))
            continue
        if LEVEL_OF.get(tag, Level.INSTANCE + 1) > level:
            include.append((tag,))
        for path, vr, value in keys_in(element):
            if unfit(path, level):
                is_ignoring = True
                continue
            check_value(keyword_of(path[-1]) or hex_of(path[-1]), vr, value)
            matches.append(Match(path[-1], vr, value, path if len(path) > 1 else ()))
    query = Query(
        level=level,
        matches=tuple(matches),
        fuzzy=is_fuzzy,
        include=tuple(include),
        timezone=minutes_of(str(ds.get("TimezoneOffsetFromUTC", "") or "")),
    )
    return Asked(query, named, tuple(dict.fromkeys((*returned, *_UNIQUE[named]))), is_ignoring, character_sets_of(ds))


def make_answer(found: Attributes, asked: Asked, ae_title: str) -> Dataset:
    """A match's identifier: every attribute asked for, empty where there is none, in a character set that the requestor reads."""
    ds = Dataset()
    ds.QueryRetrieveLevel = asked.level
    for tag in asked.returned:
        key = hex_of(tag)
        if tag == _RETRIEVE_AE:
            ds.RetrieveAETitle = ae_title
        elif key in found:
            ds.add(element_of(key, found[key]))
        else:
            vr = vr_of(tag)
            ds.add_new(tag, vr, empty_value_for_VR(vr))
    set_character_sets(ds, asked.character_sets)
    return ds


def keys_in(element: DataElement, above: tuple[int, ...] = ()) -> list[tuple[tuple[int, ...], str, str]]:
    """Path, VR and value of each key with a value; of a sequence, those of its only item (PS3.4 C.2.2.2.6)."""
    path = (*above, int(element.tag))
    if element.VR == "SQ":
        items = element.value or []
        if len(items) > 1:
            raise InvalidParameter(keyword_of(path[-1]) or hex_of(path[-1]), f"{len(items)} items", "one item")
        return [key for item in items for inner in item for key in keys_in(inner, path)]
    text = _text(element)
    # The index knows the VR; one that an implicit identifier was read with may be a guess.
    return [(path, vr_of(path[-1]) if element.VR == "UN" else element.VR, text)] if text else []


def _text(element: DataElement) -> str:
    value = element.value
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.decode("ascii", "replace").strip(" \0")
    if isinstance(value, (MultiValue, list, tuple)):
        return "\\".join(str(one).strip() for one in value)
    return str(value).strip()


def character_sets_of(ds: Dataset) -> tuple[str, ...]:
    """As a requestor sends them; none where it reads ASCII only."""
    sent = ds.get("SpecificCharacterSet") or ()
    return (sent,) if isinstance(sent, str) else tuple(str(one) for one in sent)


def set_character_sets(ds: Dataset, wanted: tuple[str, ...]) -> None:
    """Name the character sets in which `ds` is going to be encoded: what the requestor reads, where that can say it all."""
    character_sets = _readable(ds, wanted)
    if character_sets:
        ds.SpecificCharacterSet = character_sets if len(character_sets) > 1 else character_sets[0]


def _readable(ds: Dataset, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """The requestor's character sets where they can say it all; none where ASCII can; else UTF-8."""
    texts = [str(one) for element in ds.iterall() if element.VR in _TEXT_VRS for one in _each(element.value)]
    if all(text.isascii() for text in texts):
        return wanted
    if not any(wanted):
        return (UTF_8,)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            encodings = convert_encodings(list(wanted))
            for text in texts:
                encode_string(text, encodings)
        except (UserWarning, UnicodeError, LookupError, ValueError):
            return (UTF_8,)
    return wanted


def _each(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, (MultiValue, list)) else [value]
