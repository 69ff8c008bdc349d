"""Which attributes a search has keys for, and what values such a key can have (PS3.18 8.3.4.1, PS3.4 C.2.2.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from engine.archive.search import MODALITIES_IN_STUDY
from engine.dicom.levels import INDEX_TAGS
from engine.dicom.matching import NUMBER_VRS, value_range
from engine.dicom.query import Level
from engine.errors import InvalidParameter

# Computed for each row, so searchable although no instance has them: availability, modalities, classes, numbers of objects.
_COMPUTED = {
    0x00080056: Level.STUDY,
    MODALITIES_IN_STUDY: Level.STUDY,
    0x00080062: Level.STUDY,
    0x00201206: Level.STUDY,
    0x00201208: Level.STUDY,
    0x00201209: Level.SERIES,
    0x00083002: Level.INSTANCE,
}
MODALITY, TIMEZONE = 0x00080060, 0x00080201  # Modality at the study level: any series of the study has it
LEVEL_OF: Mapping[int, Level] = {tag: Level(max(level, 1)) for tag, level in INDEX_TAGS} | _COMPUTED

_NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?"
_UID = r"[^*?\s\\]+"
_DATE = r"[0-9]{8}"
_TIME = r"[0-9]{2}(:?[0-9]{2}(:?[0-9]{2}(\.[0-9]{1,6})?)?)?"
_VALUES = {
    "DA": (re.compile(_DATE), "a date like 20260131, or a range like 20260101-20260131"),
    "TM": (re.compile(_TIME), "a time like 143000, or a range like 08-1230"),
    "DT": (
        re.compile(r"[0-9]{4,14}(\.[0-9]{1,6})?([+-][0-9]{4})?"),
        "a date with time like 20260131143000, or a range of them",
    ),
}
_ANYTHING = ("", "*", '""')  # universal matching, and the empty value


def pattern_of(vr: str) -> str:
    """A regular expression for values of a key with this VR that `check_value` lets through; empty where all of them are."""
    if vr == "UI":
        one = _UID
    elif vr in NUMBER_VRS:
        one = _NUMBER
    elif vr in ("DA", "TM"):
        end = _DATE if vr == "DA" else _TIME
        one = f"{end}|{end}-|-{end}|{end}-{end}"
    else:
        return ""
    return rf'^(\*|""|{one})?(\\(\*|""|{one})?)*$'


def check_value(name: str, vr: str, value: str) -> None:
    """Raises `InvalidParameter` for a value that no attribute with this VR can have."""
    for part in value.split("\\"):
        text = part.strip()
        if text in _ANYTHING:
            continue
        if vr == "UI" and not re.fullmatch(_UID, text):
            raise InvalidParameter(name, value[:80], "UIDs without wildcards, several separated by commas")
        if vr in NUMBER_VRS and not re.fullmatch(_NUMBER, text):
            raise InvalidParameter(name, value[:80], "a number")
        if vr in _VALUES:
            form, expected = _VALUES[vr]
            ends = [end for end in value_range(text) if end]
            if not ends or not all(form.fullmatch(end) for end in ends):
                raise InvalidParameter(name, value[:80], expected)


def unfit(path: Sequence[int], level: Level) -> str:
    """Why a level cannot be searched by an attribute; empty when it can."""
    found = LEVEL_OF.get(path[0])
    if tuple(path) in ((MODALITY,), (TIMEZONE,)):
        return ""
    if found is None:
        return "not in the index"
    return f"of the {found.name.lower()} level" if found > level else ""
