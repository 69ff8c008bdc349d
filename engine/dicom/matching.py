"""Whether the attributes of one study, series or instance match a key (PS3.4 C.2.2.2; PS3.18 8.3.4 for fuzzy names)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from engine.dicom.dictionary import hex_of
from engine.dicom.query import Match

_WILD_VRS = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT", "UN"})
_RANGE_VRS = frozenset({"DA", "TM", "DT"})
NUMBER_VRS = frozenset({"IS", "DS", "US", "SS", "UL", "SL", "FL", "FD", "UV", "SV"})

Attributes = Mapping[str, Any]  # DICOM JSON: eight hexadecimal digits → {"vr": …, "Value": […]}


def matches(attributes: Attributes, match: Match, fuzzy: bool = False, empty_values: bool = False) -> bool:
    """Whether one key matches; an absent or empty attribute matches only the universal key.

    `empty_values`: a key of two quotation marks matches just those (PS3.4 C.2.2.2.7).
    """
    key = match.value.strip()  # a value of blanks is an empty one (PS3.5 6.2)
    if key in ("", "*"):
        return True
    if empty_values and key == '""':
        return not any(_values(attributes, match))
    # Several values: one of them is enough (PS3.4 C.2.2.2.8). No value has a backslash in it.
    # Blanks at the ends of each are padding (PS3.5 6.2), also behind a wildcard.
    parts = [part.strip() for part in key.split("\\")]
    return any(_value_matches(value, match.vr, part, fuzzy) for part in parts for value in _values(attributes, match))


def folded(text: str) -> str:
    """Text as names are compared: without case, accents, or the difference between ``^`` and a space."""
    plain = unicodedata.normalize("NFKD", text.replace("^", " "))
    return " ".join("".join(c for c in plain if not unicodedata.combining(c)).casefold().split())


def value_range(value: str) -> tuple[str, str]:
    """First and last value of a range key, ``""`` where it is open; both the same for a single value.

    ``20200101-20201231``, ``-20201231``, ``20200101-``, ``2020-01-01`` (the dashed form that web clients send).
    """
    value = re.sub(r"(?<!\d)(\d{4})-(\d{2})-(\d{2})(?!\d)", r"\1\2\3", value.strip())
    # A DT offset is a sign and four digits at the very end; what else has a dash is a range.
    if re.fullmatch(r"\d{8,14}(\.\d+)?[+-]\d{4}", value):
        return value, value
    first, dash, last = value.partition("-")
    return (first.strip(), last.strip()) if dash else (value, value)


def _values(attributes: Attributes, match: Match) -> Iterable[Any]:
    scopes: list[Attributes] = [attributes]
    for tag in match.path[:-1]:
        scopes = [item for scope in scopes for item in scope.get(hex_of(tag), {}).get("Value", ()) if item]
    return (v for scope in scopes for v in scope.get(hex_of(match.tag), {}).get("Value", ()) if v is not None)


def _value_matches(value: Any, vr: str, key: str, fuzzy: bool) -> bool:
    if vr == "PN":
        names = [value] if isinstance(value, str) else [str(v) for v in value.values()]
        test = _fuzzy_name if fuzzy else _name
        return any(test(name, key) for name in names) or ("=" in key and _name("=".join(names), key))
    if vr == "UI":
        return str(value) in key.split(",")
    if vr in _RANGE_VRS:
        return _in_range(str(value), key)
    if vr in NUMBER_VRS:
        return _same_number(value, key)
    text = str(value).strip()
    if vr in _WILD_VRS and ("*" in key or "?" in key):
        return pattern(key, False).fullmatch(text) is not None
    return text == key.strip()


def _name(name: str, key: str) -> bool:
    """A trailing run of empty components means nothing (PS3.5 6.2.1), so ``DOE^JOHN`` also finds ``DOE^JOHN^^``."""
    name = name.rstrip("^= ")
    if "*" in key or "?" in key:
        return pattern(key, True).fullmatch(folded(name)) is not None
    return folded(name) == folded(key.rstrip("^= "))


def _fuzzy_name(name: str, key: str) -> bool:
    """Every word of the key begins some word of the name, in any order; a word behind a star is anywhere in one.

    Fuzzy matching finds more, never less (PS3.18 8.3.4.2): what the key matches as it is, it still does.
    """
    words = folded(name).split()
    return all(any(part.match(word) for word in words) for part in _word_patterns(key)) or _name(name, key)


@lru_cache(maxsize=256)
def _word_patterns(key: str) -> tuple[re.Pattern[str], ...]:
    patterns = []
    for word in folded(key).split():
        for at, part in enumerate(re.split(r"\*+", word)):
            if part:
                text = "".join("." if c == "?" else re.escape(c) for c in part)
                patterns.append(re.compile((".*" if at else "") + text, re.DOTALL))
    return tuple(patterns)


@lru_cache(maxsize=256)
def pattern(key: str, is_name: bool) -> re.Pattern[str]:
    """A key with wildcards, for the whole of a value; of a name, for its `folded` form."""
    if is_name and re.split(r"[*?]", key, maxsplit=1)[0].strip("^ "):
        key = key.lstrip("^ ")  # as names are folded: a key for given names alone finds those that have no family name
    # Blanks at a wildcard's side are part of the key: only the whole is folded, not each part on its own.
    text = (lambda s: folded(s) if s.strip("^ ") == s else _folded_edges(s)) if is_name else (lambda s: s)
    first, *others = (
        "".join("." if p == "?" else re.escape(text(p)) for p in re.split(r"(\?)", part))
        for part in re.split(r"\*+", key)
    )
    # What follows a star is settled where it is first found (an atomic group): trying again further on cannot help a later
    # part, and with many stars it would take forever.
    between = "".join(f"(?>.*?{part})" for part in others[:-1])
    return re.compile(first + between + "".join(f".*{part}" for part in others[-1:]), re.DOTALL)


def _folded_edges(part: str) -> str:
    before = " " if part[:1] in "^ " and part else ""
    after = " " if part[-1:] in "^ " and part else ""
    inner = folded(part)
    return before + inner + after if inner else before


def _in_range(value: str, key: str) -> bool:
    first, last = value_range(key)
    value = value.replace(":", "").strip() if ":" in value else value.strip()
    first, last = first.replace(":", ""), last.replace(":", "")
    # A shorter bound covers everything that begins with it: 10 to 11 takes in 11:59.
    if first == last:
        return value.startswith(first) or first.startswith(value)
    return (not first or value >= first) and (not last or value[: len(last)] <= last)


def _same_number(value: Any, key: str) -> bool:
    try:
        return float(value) == float(key)
    except ValueError:
        return str(value) == key
