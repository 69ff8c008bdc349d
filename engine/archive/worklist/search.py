"""Finding scheduled steps: the shortest way to candidates, then every key is compared (PS3.4 C.2.2.2, K.2.2.2, K.6.1.2.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from heapq import merge

from engine.archive.ports import Snapshot
from engine.archive.worklist.keys import (
    EVERY,
    LETTERS,
    OF_STEP,
    SUFFIX_BYTES,
    VALUE_BYTES_MAX,
    normal,
    prefix_of,
)
from engine.archive.worklist.records import ScheduledStep, StepPage, StepQuery
from engine.dicom.dictionary import hex_of
from engine.dicom.matching import matches, value_range
from engine.dicom.query import Match
from engine.dicom.scheduled_step import DATE, ENDED, PATIENT_NAME, STEP, TIME

_ALL = EVERY + b"\0"
_NAME = hex_of(PATIENT_NAME)
_ID_AT = 15  # in a suffix
_DAY_END = "235959"


def find(view: Snapshot, query: StepQuery) -> StepPage:
    """A page of matches, in order of start; a step that is moved meanwhile may come twice, or not at all."""
    wanted, first, last = _joined(query.matches)
    found: list[ScheduledStep] = []
    skipped, cursor = 0, query.after
    for suffix in _candidates(view, query, wanted, first, last):
        place = suffix[1:].decode()
        if place <= query.after:
            continue
        data = view.get("steps", suffix[_ID_AT:])
        if data is None:
            continue
        step = ScheduledStep.unpack(data)
        if step.state not in query.states or not _is_within(step.stamp, first, last):
            continue
        if not all(matches(step.attributes, match, query.fuzzy) for match in wanted):
            continue
        if skipped < query.offset:
            skipped += 1
            continue
        if len(found) == query.limit:
            return StepPage(tuple(found), True, cursor)
        found.append(step)
        cursor = place
    return StepPage(tuple(found), False, cursor)


def _candidates(view: Snapshot, query: StepQuery, wanted: list[Match], first: str, last: str) -> Iterator[bytes]:
    """Suffixes of the keys on the most selective path, in order of start, each once."""
    states = sorted({b"1" if state in ENDED else b"0" for state in query.states})
    low = max(first.encode(), query.after.encode())
    prefixes = _prefixes(wanted, query.fuzzy)
    if prefixes == [_ALL] and (name := _name_key(wanted)):
        found = _named(view, name, query.fuzzy)
        yield from sorted((suffix for suffix in found if suffix[:1] in states), key=lambda s: s[1:])
        return
    walks = [_walk(view, prefix + state, low, last.encode()) for prefix in prefixes for state in states]
    before = b""
    for suffix in merge(*walks, key=lambda s: s[1:]):
        if suffix[1:] != before:
            before = suffix[1:]
            yield suffix


def _walk(view: Snapshot, prefix: bytes, low: bytes, last: bytes) -> Iterator[bytes]:
    start = prefix + low
    stop = prefix + (last + b"\xff" if last else b"\xff")
    return (key[-SUFFIX_BYTES:] for key in view.keys("step_keys", start, stop))


def _prefixes(wanted: Iterable[Match], is_fuzzy: bool) -> list[bytes]:
    """Where the keys of candidates begin: of the most selective attribute with single values, else of all steps."""
    keyed = {match.tag: match for match in wanted if match.path == _path(match.tag)}
    for tag in LETTERS:
        match = keyed.get(tag)
        if match is None or (tag == PATIENT_NAME and (is_fuzzy or "=" in match.value)):
            continue
        values = [value for value in re.split(r"[\\,]" if match.vr == "UI" else r"\\", match.value) if value.strip()]
        if values and not any("*" in value or "?" in value for value in values):
            return sorted({prefix_of(tag, value) for value in values})
    return [_ALL]


def _name_key(wanted: Iterable[Match]) -> Match | None:
    """The key for names, where the keys of names can answer it: they hold the groups of a name one by one."""
    return next(
        (match for match in wanted if match.tag == PATIENT_NAME and not match.path and "=" not in match.value), None
    )


def _named(view: Snapshot, name: Match, is_fuzzy: bool) -> set[bytes]:
    """Suffixes of the steps whose name matches: the names are in the keys themselves, no step is read."""
    letter = LETTERS[PATIENT_NAME]
    beginning = "" if is_fuzzy or "\\" in name.value else re.split(r"[*?]", name.value, maxsplit=1)[0]
    # Folding takes away blanks and empty components at the end, which may mean something in the middle.
    start = letter + normal(PATIENT_NAME, beginning.rstrip(" ^"))[:VALUE_BYTES_MAX]
    found: set[bytes] = set()
    last, is_match = b"", False
    for key in view.keys("step_keys", start, start + b"\xff"):
        value = key[1 : -SUFFIX_BYTES - 1]
        if value != last:
            text = value.decode("utf_8", "replace")
            is_cut = len(value) >= VALUE_BYTES_MAX
            last, is_match = value, is_cut or matches({_NAME: {"vr": "PN", "Value": [text]}}, name, is_fuzzy)
        if is_match:
            found.add(key[-SUFFIX_BYTES:])
    return found


def _path(tag: int) -> tuple[int, ...]:
    return (STEP, tag) if tag in OF_STEP else ()


def _joined(keys: Iterable[Match]) -> tuple[list[Match], str, str]:
    """The keys that are compared one by one, and the range that start date and time make together.

    Both are ranges: July 5 to July 7 and 10 to 18 o'clock mean July 5, 10 o'clock, to July 7, 18 o'clock (PS3.4 table K.6-1).
    A date alone bounds the walk and is compared like any key.
    """
    wanted = [match for match in keys if match.value.strip() not in ("", "*")]
    dates = [match for match in wanted if match.path == (STEP, DATE)]
    times = [match for match in wanted if match.path == (STEP, TIME)]
    if len(dates) != 1 or "\\" in dates[0].value:
        return wanted, "", ""
    first, last = value_range(dates[0].value)
    if len(times) == 1 and _is_range(dates[0].value) and _is_range(times[0].value):
        low, high = (end.replace(":", "").partition(".")[0] for end in value_range(times[0].value))
        rest = [match for match in wanted if match not in (dates[0], times[0])]
        # Times of whole seconds: a bound of fewer digits takes in all that begins with it.
        return rest, f"{first}{low}" if first else "", f"{last}{high or _DAY_END}" if last else ""
    return wanted, first, last


def _is_range(value: str) -> bool:
    first, last = value_range(value)
    return first != last


def _is_within(stamp: str, first: str, last: str) -> bool:
    return (not first or stamp >= first) and (not last or stamp[: len(last)] <= last)
