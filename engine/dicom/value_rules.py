"""What one value of each value representation of characters can be (PS3.5 table 6.2-1)."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from engine.dicom.uid import is_valid

_LENGTHS = {"AE": 16, "CS": 16, "LO": 64, "LT": 10240, "SH": 16, "ST": 1024}
_PATTERNS = {
    "AS": (re.compile(r"[0-9]{3}[DWMY]"), "an age like 018M"),
    "CS": (re.compile(r"[A-Z0-9 _]*"), "a code string: capitals, digits, blanks and underscores"),
    "TM": (
        re.compile(r"([01][0-9]|2[0-3])([0-5][0-9]([0-5][0-9]|60)?)?(\.[0-9]{1,6})?"),
        "a time like 143000",
    ),
    "DT": (re.compile(r"[0-9]{4,14}(\.[0-9]{1,6})?([+-][0-9]{4})?"), "a date with time like 20260131143000"),
}
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\\]")
_NAME_GROUP_MAX = 64


def misfit(vr: str, value: Any) -> str:
    """What would be expected instead of this value of the DICOM JSON Model; empty where the VR can have it."""
    if value is None:
        return ""
    if vr == "PN":
        groups = value.values() if isinstance(value, dict) else str(value).split("=")
        return "" if all(map(_is_name_group, groups)) else "names of at most 64 characters in each group"
    if not isinstance(value, str):
        return ""  # numbers are checked where they are encoded
    if vr in ("DS", "IS"):
        return "a number"  # those that are come as numbers
    text = value.strip(" ")
    if vr == "UI":
        return "" if not text or is_valid(text) else "a UID"
    if vr == "DA":
        return "" if not text or is_date(text) else "a date like 20260131"
    form = _PATTERNS.get(vr)
    if text and form is not None and not form[0].fullmatch(text):
        return form[1]
    length = _LENGTHS.get(vr)
    if length is not None and (len(text) > length or (vr not in ("LT", "ST") and _CONTROLS.search(text))):
        return f"at most {length} characters, without control characters"
    if vr == "AE" and not text.isascii():
        return "printable ASCII characters"
    return ""


def is_date(text: str) -> bool:
    """Whether this is a day of the calendar, as DA has it."""
    if not (len(text) == 8 and text.isascii() and text.isdigit()):
        return False
    try:
        datetime.strptime(text, "%Y%m%d")
    except ValueError:
        return False
    return True


def _is_name_group(group: Any) -> bool:
    return group is None or (
        isinstance(group, str) and len(group) <= _NAME_GROUP_MAX and not _CONTROLS.search(group) and "=" not in group
    )
