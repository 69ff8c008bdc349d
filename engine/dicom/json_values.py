"""Values of the DICOM JSON Model as the bytes of their VR in little endian (PS3.18 F.2.3, PS3.5 6.2)."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Sequence
from typing import Any

# Every VR of PS3.5 table 6.2-1, with the bytes of one number; 0 for characters and sequences.
WORDS: dict[str, int] = {
    **dict.fromkeys(("AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN"), 0),
    **dict.fromkeys(("SH", "SQ", "ST", "TM", "UC", "UI", "UR", "UT"), 0),
    **dict.fromkeys(("OB", "UN"), 1),
    **dict.fromkeys(("OW", "SS", "US", "AT"), 2),
    **dict.fromkeys(("FL", "OF", "OL", "SL", "UL"), 4),
    **dict.fromkeys(("FD", "OD", "OV", "SV", "UV"), 8),
}  # fmt: skip
# Specific Character Set applies to these (PS3.5 6.1.2.2).
TEXT_VRS = frozenset(("LO", "LT", "PN", "SH", "ST", "UC", "UT"))
_SINGLE = frozenset(("LT", "ST", "UR", "UT"))  # the backslash is a character
_PACKED = {"FD": "d", "FL": "f", "SL": "i", "SS": "h", "SV": "q", "UL": "I", "US": "H", "UV": "Q"}
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_DS_MAX = 16  # PS3.5 table 6.2-1


def word_bytes_of(vr: str) -> int:
    """What the length of a value must be a multiple of; 1 for characters. An attribute tag is two words."""
    return 4 if vr == "AT" else WORDS[vr] or 1


def coded(vr: str, values: Sequence[Any]) -> tuple[bytes, bool]:
    """A ``Value`` array as bytes without padding, and whether something had to be shortened.

    Raises
    ------
    ValueError, OverflowError, struct.error
    """
    if vr in _PACKED:
        number: Callable[[object], float] = _real if vr in ("FD", "FL") else _integer
        return struct.pack(f"<{len(values)}{_PACKED[vr]}", *map(number, values)), False
    if vr == "AT":
        return b"".join(map(_tag, values)), False
    if vr in _SINGLE:
        if len(values) > 1:
            raise ValueError("one value only")
        return "".join(map(_characters, values)).encode(), False
    if vr == "PN":
        return "\\".join(map(_name, values)).encode(), False
    if vr == "DS":
        texts = [_decimal(one) for one in values]
        return "\\".join(text for text, _ in texts).encode(), any(short for _, short in texts)
    if vr == "IS":
        return "\\".join(map(_whole, values)).encode(), False
    return "\\".join(map(_characters, values)).encode(), False


def _characters(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError("not a string")
    return value


def _number_text(value: object) -> str:
    """A number's digits, as JSON had them, or of a Python number."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("not a number")
    return value.strip() if isinstance(value, str) else repr(value)


def _real(value: object) -> float:
    return float(_number_text(value))  # "NaN", "inf" and "-inf" too (PS3.18 F.2.3)


def _integer(value: object) -> int:
    text = _number_text(value)
    try:
        return int(text)
    except ValueError:
        if float(text) != int(float(text)):
            raise
        return int(float(text))  # 5.0: some languages know one kind of number


def _whole(value: object) -> str:
    if value is None:
        return ""
    text = _number_text(value)
    # What is no number at all is kept: it was so in the instance, and the scanner notes it.
    return str(_integer(text)) if _NUMBER.fullmatch(text) and not re.fullmatch(r"[+-]?\d+", text) else text


def _decimal(value: object) -> tuple[str, bool]:
    """At most 16 characters; a number of more digits is rounded to what fits, the second value says so."""
    if value is None:
        return "", False
    text = _number_text(value)
    if len(text) <= _DS_MAX or not _NUMBER.fullmatch(text):
        return text, False
    number = float(text)
    for digits in range(16, 0, -1):
        short = f"{number:.{digits}g}"
        if len(short) <= _DS_MAX:
            return short, True
    raise ValueError("a number that 16 characters cannot hold")


def _name(value: object) -> str:
    if value is None or isinstance(value, str):  # a string is what the model had before 2013; some still send it
        return value or ""
    if not isinstance(value, dict) or not value.keys() <= set(_GROUPS):
        raise ValueError("no person name")
    groups = [_characters(value.get(group)) for group in _GROUPS]
    if any("=" in group or "\\" in group for group in groups):
        raise ValueError("a delimiter inside a name")
    return "=".join(groups).rstrip("=")


def _tag(value: object) -> bytes:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9A-Fa-f]{8}", value):
        raise ValueError("no tag")
    return struct.pack("<HH", int(value[:4], 16), int(value[4:], 16))
