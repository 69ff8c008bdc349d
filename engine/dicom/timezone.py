"""Dates and times of a row in the time zone that a query names (PS3.4 C.2.2.2.6, TimezoneOffsetFromUTC 0008,0201)."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

_OFFSET = "00080201"
# Date and time that belong together: Study, Series, Acquisition, Content, Performed Procedure Step Start.
_PAIRS = (
    ("00080020", "00080030"), ("00080021", "00080031"), ("00080022", "00080032"), ("00080023", "00080033"),
    ("00400244", "00400245"),
)  # fmt: skip
_TEXT = re.compile(r"([+-])(\d\d):?(\d\d)")

Attributes = dict[str, Any]


def minutes_of(offset: str) -> int | None:
    """``"+0130"`` as 90; None when it is no offset."""
    found = _TEXT.fullmatch(offset.strip())
    if found is None or int(found[2]) > 14 or int(found[3]) > 59:
        return None
    minutes = 60 * int(found[2]) + int(found[3])
    return -minutes if found[1] == "-" else minutes


def in_timezone(attributes: Attributes, minutes: int) -> Attributes:
    """The attributes as they read `minutes` east of UTC; as they are when nobody knows where they were written."""
    values = attributes.get(_OFFSET, {}).get("Value") or [""]
    own = minutes_of(str(values[0]))
    if own is None or own == minutes:
        return attributes
    moved = dict(attributes)
    for date, time in _PAIRS:
        shifted = _shifted(_first(attributes, date), _first(attributes, time), minutes - own)
        if shifted is not None:
            moved[date] = {"vr": "DA", "Value": [shifted[0]]}
            moved[time] = {"vr": "TM", "Value": [shifted[1]]}
    sign, hours = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
    moved[_OFFSET] = {"vr": "SH", "Value": [f"{sign}{hours[0]:02}{hours[1]:02}"]}
    return moved


def _first(attributes: Attributes, tag: str) -> str:
    values = attributes.get(tag, {}).get("Value") or [""]
    return str(values[0] or "")


def _shifted(date: str, time: str, minutes: int) -> tuple[str, str] | None:
    """Both moved; None when one of them is missing: a day alone cannot be moved by hours. The time keeps its precision."""
    whole, dot, fraction = time.replace(":", "").partition(".")
    if len(whole) not in (4, 6) or not whole.isdigit():
        return None
    try:
        at = datetime.strptime(date + whole, "%Y%m%d%H%M%S" if len(whole) == 6 else "%Y%m%d%H%M")
        at += timedelta(minutes=minutes)
    except (ValueError, OverflowError):
        return None
    return at.strftime("%Y%m%d"), at.strftime("%H%M%S")[: len(whole)] + dot + fraction
