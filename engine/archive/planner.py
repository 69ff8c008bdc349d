"""Which way leads to the fewest candidates of a search: by its keys, or past every study (`secondary` says what keys there are)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain

from engine.archive import secondary
from engine.archive.access import Access, Range, accesses, series_access, uids_of
from engine.archive.index import uid_key
from engine.archive.ports import Snapshot
from engine.archive.secondary import LETTERS, VALUE_BYTES_MAX
from engine.dicom.query import Level, Match, Order, Query

_STUDY_UID, _SERIES_UID, _STUDY_TIME = 0x0020000D, 0x0020000E, 0x00080030
_PEEK = 256  # keys that are counted of each range before one is chosen: some 20 µs
_COUNT_MAX = 20_000  # keys that are counted for a total, 0.1 µs each
_DATE = b"D"
_ROW_US, _KEY_US = 10.0, 2.4  # to read and compare a study's row; to put one key's study in its place


@dataclass(slots=True)
class Way:
    """Studies that may match, in order, and what need not be compared any more.

    Attributes
    ----------
    studies : iterable of (bytes, bool)
        Keys of ``studies``; whether `answers` is sure for it (a value that had to be cut in its key is not).
    answers : tuple of Match, answers_text : bool
        What the way itself has settled, for those that are sure.
    size : int or None
        How many studies; None where they are walked one by one and nobody knows.
    walked : int or None
        How many there are to walk past, where they are not what was asked for.
    matching : int or None
        How many match, where that was counted although each is still compared.
    """

    name: str
    studies: Iterable[tuple[bytes, bool]]
    answers: tuple[Match, ...] = ()
    answers_text: bool = False
    size: int | None = None
    rejected: tuple[str, ...] = ()
    is_ordered: bool = True
    span: tuple[bytes, bytes] | None = field(default=None, repr=False)
    matching: int | None = None
    walked: int | None = None

    def total(self, view: Snapshot) -> int | None:
        """How many studies there are on it, where that can be counted for little."""
        if self.size is not None or self.span is None:
            return self.size
        counted = _count(view, (Range(*self.span),), _COUNT_MAX + 1)
        return counted if counted <= _COUNT_MAX else None


def way(view: Snapshot, query: Query, keys: list[Match]) -> Way:
    """The cheapest way to the studies that `keys`, the text and the scope of `query` leave."""
    named = _named(view, query, keys)
    if named is not None:
        return named
    by_date = _date_order(query)
    found = accesses(query, keys)
    if not found:
        return _all(view, query, by_date)
    best, others = _choose(view, found)
    if best.is_of_dates and by_date is not None and len(best.ranges) == 1:
        [days] = best.ranges
        return Way(
            best.name, DateWalk(view, days, is_reversed=by_date), _answers(best), best.answers_text, None, others,
            span=(days.first, days.last),
        )  # fmt: skip
    if by_date is not None and (common := _common(view, query, best)) is not None:
        past = _all(view, query, by_date)
        # One value has one key in a study; what begins alike, and several values, may have several.
        is_one = len(best.ranges) == 1 and best.ranges[0].first[-1:] == b"\0"
        is_known = best.answers is not None and is_one and len(keys) == 1 and not query.text
        matching = common if is_known and common < _COUNT_MAX else None
        return replace(
            past, rejected=(f"{best.name}: {common}", *others), size=None, walked=past.size, matching=matching
        )
    stamps: dict[bytes, tuple[bytes, bool]] = {}
    for study, stamp, is_sure in chain.from_iterable(_entries(view, span) for span in best.ranges):
        if study not in stamps or is_sure:
            stamps[study] = (stamp, is_sure)
    ordered, is_ordered = _in_order(view, query, {study: stamp for study, (stamp, _) in stamps.items()})
    studies = [(study, stamps[study][1]) for study in ordered]
    return Way(best.name, studies, _answers(best), best.answers_text, len(studies), others, is_ordered)


def _named(view: Snapshot, query: Query, keys: list[Match]) -> Way | None:
    """By the UIDs that the query lists; studies in the order of the list."""
    is_ordered = not query.order
    listing = [key for key in keys if key.tag == _STUDY_UID and uids_of(key)]
    if query.study_instance_uid:
        return Way("StudyInstanceUID of the address", [(uid_key(query.study_instance_uid), True)], size=1)
    if listing:
        studies = list(dict.fromkeys(uid_key(uid) for uid in uids_of(listing[0])))
        there = [(study, True) for study in studies if view.get("studies", study) is not None]
        return Way("StudyInstanceUID", there, (listing[0],), size=len(there), is_ordered=is_ordered)
    uids = [uid for key in query.matches if key.tag == _SERIES_UID for uid in uids_of(key)]
    if query.level is Level.STUDY or not uids:
        return None
    found = dict.fromkeys(key.rpartition(b"\0")[2] for uid in uids for key in _keys(view, series_access(uid)))
    return Way("SeriesInstanceUID", [(study, True) for study in found], size=len(found), is_ordered=is_ordered)


def _all(view: Snapshot, query: Query, by_date: bool | None) -> Way:
    if by_date is not None:
        everything = Range(_DATE, b"E")
        return Way(
            f"all studies, {'newest' if by_date else 'oldest'} first",
            DateWalk(view, everything, is_reversed=by_date),
            size=view.count("studies"),
        )
    stamps = {key.rpartition(b"\0")[2]: stamp for key, stamp in view.scan("keys", _DATE, b"E")}
    ordered, is_ordered = _in_order(view, query, stamps)
    return Way("all studies", [(study, True) for study in ordered], size=len(ordered), is_ordered=is_ordered)


def _keys(view: Snapshot, access: Access) -> Iterator[bytes]:
    return chain.from_iterable(view.keys("keys", one.first, one.last) for one in access.ranges)


def _count(view: Snapshot, ranges: Iterable[Range], most: int) -> int:
    """How many keys there are; no more than `most` are counted."""
    counted = 0
    for keys in chain.from_iterable(view.key_lists("keys", one.first, one.last) for one in ranges):
        counted += len(keys)
        if counted >= most:
            return most
    return counted


class DateWalk:
    """Studies by date, one by one; those without a date come last in both directions."""

    def __init__(self, view: Snapshot, days: Range, *, is_reversed: bool) -> None:
        undated = _DATE + b"\1"
        spans = [(max(days.first, undated), days.last)]
        if days.first < undated:
            spans.append((days.first, undated))
        self._lists = chain.from_iterable(view.key_lists("keys", *span, is_reversed=is_reversed) for span in spans)
        self._rest: list[bytes] = []

    def __iter__(self) -> Iterator[tuple[bytes, bool]]:
        while keys := self._rest or next(self._lists, []):
            self._rest = []
            for key in keys:
                yield key.rpartition(b"\0")[2], True

    def skip(self, count: int) -> int:
        """Pass over studies before the first is taken; gives how many there were, no more than `count`. 0.1 µs each."""
        left = count
        while left > 0 and (keys := self._rest or next(self._lists, [])):
            self._rest = keys[left:]
            left -= min(left, len(keys))
        return count - left


def _entries(view: Snapshot, span: Range) -> Iterator[tuple[bytes, bytes, bool]]:
    """Study key, stamp, and whether what the range answers is sure, in key order."""
    if span.filter is None:
        for key, stamp in view.scan("keys", span.first, span.last):
            value, _, study = key.rpartition(b"\0")
            yield study, stamp, len(value) <= VALUE_BYTES_MAX
        return
    # A hundred thousand names are passed over: what costs least per name comes first.
    needle = span.literal
    # A key of a long value is cut, so it may not show what the value contains: the row itself is looked at.
    for keys in view.key_lists("keys", span.first, span.last):
        if b"\n".join(keys).find(needle) < 0 and max(map(len, keys)) <= VALUE_BYTES_MAX:
            continue  # one look at hundreds
        for key in keys:
            if key.find(needle) < 0 and len(key) <= VALUE_BYTES_MAX:  # `in` tries first whether it is a number: 300 ns
                continue
            value, _, study = key[1:].rpartition(b"\0")
            is_whole = len(value) < VALUE_BYTES_MAX
            if not is_whole or span.filter.fullmatch(value.decode("utf_8", "replace")):
                yield study, view.get("keys", key) or b"", is_whole


def _choose(view: Snapshot, found: list[Access]) -> tuple[Access, tuple[str, ...]]:
    """The one whose ranges have the fewest keys, as far as a look at each tells; and the others with what they have at least."""
    if len(found) == 1:
        return found[0], ()
    sizes = {a: _count(view, a.ranges, _PEEK) for a in found}
    # A pattern has to pass over all of its range, whatever it finds; dates come in the order that is wanted.
    best = min(found, key=lambda a: (sizes[a], a.is_filtered, not a.is_of_dates))
    others = (f"{a.name}: {sizes[a]}{'+' * (sizes[a] == _PEEK)}" for a in found if a is not best)
    return best, tuple(others)


def _common(view: Snapshot, query: Query, access: Access) -> int | None:
    """How many keys there are, where so many studies have them that the page is full sooner by going past all of them."""
    if access.is_filtered:
        return None
    size = _count(view, access.ranges, _COUNT_MAX)
    page = query.offset + query.limit
    to_read = page * view.count("studies") / max(size, 1)
    return size if to_read * _ROW_US < size * _KEY_US else None


def _answers(access: Access) -> tuple[Match, ...]:
    return (access.answers,) if access.answers is not None else ()


def _date_order(query: Query) -> bool | None:
    """Whether the newest come first (True), the oldest (False), or another order is wanted (None)."""
    if not query.order:
        return True
    first, *rest = query.order
    same = all(o.tag == _STUDY_TIME and o.is_descending == first.is_descending for o in rest)
    if query.level is Level.STUDY and first.tag == secondary.DATE and len(rest) < 2 and same:
        return first.is_descending
    return None


def _in_order(view: Snapshot, query: Query, stamps: dict[bytes, bytes]) -> tuple[list[bytes], bool]:
    """Studies in the order that the query wants, and whether that could be had from keys."""
    newest = sorted(stamps, key=lambda study: (stamps[study], study), reverse=True)
    by_date = _date_order(query)
    if by_date is not None:
        if by_date:
            return newest, True
        newest.reverse()
        return sorted(newest, key=lambda study: not stamps[study].strip()), True
    order: Order = query.order[0]
    letter = LETTERS.get(order.tag)
    if query.level is not Level.STUDY or len(query.order) > 1 or letter is None or order.tag == secondary.MODALITIES:
        return newest, False
    values: dict[bytes, bytes] = {}
    for key in view.keys("keys", letter, secondary.end_of(letter)):
        value, _, study = key.rpartition(b"\0")
        values.setdefault(study, value)
    have = sorted((study for study in newest if study in values), key=values.__getitem__, reverse=order.is_descending)
    return have + [study for study in newest if study not in values], True
