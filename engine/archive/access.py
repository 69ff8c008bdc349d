"""Ranges of secondary keys that a search may take to its candidates, and what each answers."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from engine.archive import secondary
from engine.archive.index import prefix_end, uid_key
from engine.archive.secondary import (
    DATE,
    LETTERS,
    MODALITIES,
    NAME_WORD,
    PATIENT_NAME,
    SERIES,
    VALUE_BYTES_MAX,
    WORD,
    end_of,
)  # fmt: skip
from engine.dicom.dictionary import keyword_of
from engine.dicom.matching import folded, pattern, value_range
from engine.dicom.query import Level, Match, Query

_MODALITY = 0x00080060
_PATTERNS_MAX = 8  # of one key; a pattern costs 0.3 µs for each value of its attribute, a study that is read 10 µs


@dataclass(frozen=True, slots=True)
class Range:
    """One range of the table ``keys``.

    Attributes
    ----------
    first, last : bytes
        `last` is not in it.
    filter : pattern or None
        For the value in each key: names that contain something. `literal` is in each that it finds.
    """

    first: bytes
    last: bytes
    filter: re.Pattern[str] | None = None
    literal: bytes = b""


@dataclass(frozen=True, slots=True)
class Access:
    """The ranges that one key of a query leads to; several values have one each.

    Attributes
    ----------
    answers : Match or None
        The key of the query that need not be compared again.
    answers_text : bool
        All that the query's free text asks.
    """

    name: str
    ranges: tuple[Range, ...]
    answers: Match | None = None
    answers_text: bool = False

    @property
    def is_filtered(self) -> bool:
        """Whether all values of an attribute have to be passed over."""
        return any(one.filter is not None for one in self.ranges)

    @property
    def is_of_dates(self) -> bool:
        return self.ranges[0].first[:1] == LETTERS[DATE]


def accesses(query: Query, keys: list[Match]) -> list[Access]:
    """Every range that helps; one of them is enough.

    Parameters
    ----------
    keys : those of the query that speak of studies.
    """
    found = [access for key in keys if (access := _access(query, key)) is not None]
    if query.level is not Level.STUDY:
        # A series of this modality is in a study that has it; the series is looked at all the same.
        within = (Match(MODALITIES, "CS", key.value) for key in query.matches if key.tag == _MODALITY and not key.path)
        found += [replace(access, answers=None) for key in within if (access := _access(query, key)) is not None]
    words = secondary.words(query.text)
    return found + [replace(_words(WORD, word, "words"), answers_text=len(words) == 1) for word in words]


def series_access(uid: str) -> Access:
    """The study of a series."""
    start = SERIES + uid_key(uid) + b"\0"
    return _range("SeriesInstanceUID", start, prefix_end(start))


def uids_of(key: Match) -> list[str]:
    """UIDs that a key lists, each once; empty when it does not."""
    if key.path or key.value.strip() in ("", "*"):
        return []
    return list(dict.fromkeys(uid for uid in re.split(r"[\\,]", key.value.strip()) if uid))


def _access(query: Query, key: Match) -> Access | None:
    letter, value = LETTERS.get(key.tag), key.value.strip()
    if letter is None or key.path or value in ("", "*") or (query.empty_values and value == '""'):
        return None
    if "\\" in value:
        return _any_of(query, key, value.split("\\"))
    name, is_name = keyword_of(key.tag), key.tag == PATIENT_NAME
    if key.tag == DATE:
        return _dates(query, key)
    if is_name and query.fuzzy:
        return _fuzzy(key, letter)
    if is_name and "=" in value:
        # Each group has a key of its own; the first leads to a name that is given with several.
        first = secondary.normal(key.tag, re.split(r"[*?=]", value, maxsplit=1)[0].rstrip("^ "))
        return _range(f"{name} from", letter + first, letter + first + b"\xff") if first else None
    stem = re.split(r"[*?]", value, maxsplit=1)[0]
    start = secondary.normal(key.tag, stem.rstrip("^ ") if is_name else stem)
    if stem == value:
        if not start:
            return None
        if len(start) >= VALUE_BYTES_MAX:
            return _range(f"{name} from", letter + start, letter + start + b"\xff")
        return _range(f"{name} =", letter + start + b"\0", letter + start + b"\1", key)
    if start:
        # Only what one star ends is answered by the range alone, and at a blank only the pattern knows on which side it is.
        is_plain = value.rstrip("*") == stem and not stem.endswith(("^", " ")) and len(start) < VALUE_BYTES_MAX
        return _range(f"{name} from", letter + start, letter + start + b"\xff", key if is_plain else None)
    if not is_name and value != key.value:
        return None
    # It contains something: pass over all values. Names are folded in their keys as the pattern wants them.
    everything = Range(letter, end_of(letter), pattern(value, is_name), _literal(value, is_name))
    return Access(f"{name} like", (everything,), key)


def _any_of(query: Query, key: Match, values: list[str]) -> Access | None:
    """One of several values is enough (PS3.4 C.2.2.2.8): what leads to each, together."""
    if any(value != value.strip() or value in ("", "*") for value in values):
        return None  # what is empty or anything is in no range
    ways = [_access(query, replace(key, value=value)) for value in dict.fromkeys(values)]
    found = [way for way in ways if way is not None]
    if len(found) < len(ways):
        return None
    ranges = tuple(dict.fromkeys(one for access in found for one in access.ranges))
    if sum(one.filter is not None for one in ranges) > _PATTERNS_MAX:
        return None  # each passes over all values of the attribute
    is_answered = all(access.answers for access in found)
    name = f"{keyword_of(key.tag)} of {len(found)} values" if len(found) > 1 else found[0].name
    return Access(name, ranges, key if is_answered else None)


def _range(name: str, first: bytes, last: bytes, answers: Match | None = None) -> Access:
    return Access(name, (Range(first, last),), answers)


def _fuzzy(key: Match, letter: bytes) -> Access | None:
    """A word that some word of the name begins with; where a wildcard stands before, one that the name contains."""
    text, name = folded(key.value), keyword_of(key.tag)
    is_wild = "*" in text or "?" in text
    # Behind a wildcard, and a blank, it depends on the name where a word begins; not so at the very start.
    begins = (
        re.split(r"[*?]", text.partition(" ")[0], maxsplit=1)[0] if is_wild else max(text.split(), key=len, default="")
    )
    if begins:
        return _words(NAME_WORD, begins, name)
    part = max(re.split(r"[*? ]+", text), key=len)
    if not part:
        return None
    pattern_of_part = re.compile(f".*{re.escape(part)}.*", re.DOTALL)
    return Access(f"{name} like", (Range(letter, end_of(letter), pattern_of_part, _encoded(part)),))


def _encoded(text: str) -> bytes:
    return text.encode("utf_8", "replace").replace(b"\0", b"")


def _literal(value: str, is_name: bool) -> bytes:
    """The longest run of characters that every value which the pattern finds has in its key."""
    parts = re.split(r"[*?]+", value)
    if is_name:
        parts = [word for part in parts for word in folded(part).split()]
    return max((part.encode("utf_8", "replace") for part in parts), key=len, default=b"")


def _dates(query: Query, key: Match) -> Access | None:
    first, last = value_range(key.value)
    if query.timezone is not None or not all(re.fullmatch(r"\d{8}", day) for day in (first, last) if day):
        return None  # near midnight another day is meant; and what is no day cannot be a range of days
    stop = b"D" + last.encode() + b"\xff" if last else end_of(b"D")
    # A study without a date has a key too (all are walked in this order), but is in no range.
    return _range("StudyDate within", b"D" + (first.encode() or b"\1"), stop, key)


def _words(letter: bytes, word: str, name: str) -> Access:
    start = letter + word.encode("utf_8", "replace")[:VALUE_BYTES_MAX]
    return _range(f"{name} begin", start, start + b"\xff")
