"""Searching the index: the cheapest way to the studies, then every key on each row (PS3.4 C.2.2, PS3.18 10.6)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from engine.archive.access import uids_of
from engine.archive.index import get_instance, get_series, members_of, series_of, uid_key
from engine.archive.planner import DateWalk, way
from engine.archive.ports import Snapshot
from engine.archive.records import SeriesSummary
from engine.archive.rows import dump, instance_attributes, series_attributes
from engine.archive.secondary import TEXT_TAGS, texts, words
from engine.archive.sorting import sort_key
from engine.dicom.dictionary import keyword_of, tag_of
from engine.dicom.levels import PATIENT, STUDY
from engine.dicom.matching import matches
from engine.dicom.query import Findings, Found, Level, Match, Plan, Query
from engine.dicom.timezone import in_timezone
from engine.errors import TooLarge
from engine.limits import Limits

_SERIES_UID, _SOP_UID, _MODALITY = 0x0020000E, 0x00080018, 0x00080060
MODALITIES_IN_STUDY = 0x00080061
# Of a study's row: what the index has, and what it computes (availability, modalities, classes, numbers of related objects).
STUDY_TAGS = frozenset(map(tag_of, (*PATIENT, *STUDY))) | {
    0x00080056,
    MODALITIES_IN_STUDY,
    0x00080062,
    0x00201206,
    0x00201208,
}
_COUNT_ROWS = 1000  # rows that are read beyond the page to know how many there are: some 10 ms

Attributes = dict[str, Any]


@dataclass(slots=True)
class _Row:
    """One match on its way out; a study's row is copied as the index has it, where nothing about it changes."""

    uids: tuple[str, str, str]
    attributes: Attributes | None
    document: bytes = b""

    def found(self) -> Found:
        study, series, sop = self.uids
        document = dump(self.attributes) if self.attributes is not None else self.document
        return Found(study_instance_uid=study, series_instance_uid=series, sop_instance_uid=sop, document=document)


def search(view: Snapshot, query: Query, limits: Limits) -> Findings:
    """A page of matches; the order stays the same while nothing is added.

    Raises
    ------
    TooLarge
        So many matches would have to be sorted by an attribute that has no keys.
    """
    run = _Search(view, query, limits)
    rows = run.rows()
    page = [row for row, _ in zip(rows, range(query.limit), strict=False)] if query.limit else []
    # `zip` has taken one more row than it gave when the page is full.
    has_more = run.matched > query.offset + len(page)
    total = run.total(rows, is_ended=not has_more and len(page) < query.limit)
    if total is not None:
        has_more = total > query.offset + len(page)
    return Findings(
        rows=tuple(row.found() for row in page), has_more=has_more, keys_read=run.keys_read, plan=run.plan, total=total
    )


class _Search:
    def __init__(self, view: Snapshot, query: Query, limits: Limits) -> None:
        self._view, self._query, self._limits = view, query, limits
        keys = [key for key in query.matches if key.value.strip() not in ("", "*")]
        if query.level is Level.STUDY:  # what people mean who ask for a study by Modality
            keys = [Match(MODALITIES_IN_STUDY, "CS", k.value) if k.tag == _MODALITY and not k.path else k for k in keys]
        self._study_keys = [k for k in keys if not k.path and k.tag in STUDY_TAGS]
        self._own_keys = [k for k in keys if k not in self._study_keys]
        self._words = words(query.text)
        self._sops = [uid for key in keys if key.tag == _SOP_UID for uid in uids_of(key)]
        self.keys_read = self.matched = 0
        self._skip = query.offset
        if query.level is Level.INSTANCE and self._sops:
            self._way, self.plan, self._is_sorted = None, Plan("SOPInstanceUID", len(self._sops)), not query.order
            return
        self._way = way(view, query, self._study_keys)
        self._is_sorted = self._way.is_ordered and (query.level is Level.STUDY or not query.order)
        left = [k for k in self._study_keys if k not in self._way.answers] + self._own_keys
        names = [keyword_of(k.tag) or f"{k.tag:08X}" for k in left]
        if self._words and not self._way.answers_text:
            names.append("words")
        self.plan = Plan(self._way.name, self._way.size, tuple(names), self._way.rejected)

    # -- the page

    def rows(self) -> Iterator[_Row]:
        """Matches behind the offset; `matched` counts all so far."""
        if self._is_sorted:
            return self._found()
        skip, self._skip = self._skip, 0
        rows: list[_Row] = []
        for row in self._found():
            rows.append(row)
            if len(rows) > self._limits.sorted_rows_max:
                raise TooLarge(
                    "the number of matches to sort", len(rows), self._limits.sorted_rows_max, "limits.sorted_rows_max"
                )
        for order in reversed(self._query.order):
            rows.sort(key=lambda row, order=order: sort_key(self._parsed(row), order), reverse=order.is_descending)  # type: ignore[misc]
        return iter(rows[skip:])

    def total(self, rest: Iterator[_Row], *, is_ended: bool) -> int | None:
        """All matches: counted where that is cheap, None where it is not."""
        if is_ended or not self._is_sorted:
            return self.matched
        if not self.plan.checked and self._query.level is Level.STUDY and self._way is not None:
            counted = self._way.total(self._view)
            if counted is not None:
                return counted
        if self._way is not None and self._query.level is Level.STUDY and self._way.matching is not None:
            return self._way.matching
        if self._way is not None and self._query.level is Level.STUDY:
            length = self._way.size or self._way.walked
            if length is not None and length > self.keys_read + _COUNT_ROWS:
                return None  # reading on would not get there
        budget = self.keys_read + _COUNT_ROWS
        while self.keys_read < budget:
            if next(rest, None) is None:
                return self.matched
        return None

    # -- matches

    def _found(self) -> Iterator[_Row]:
        if self._way is None:
            yield from self._instances_named()
            return
        level, way_ = self._query.level, self._way
        left = [key for key in self._study_keys if key not in way_.answers]
        is_all = not left and not self._own_keys and not self._words and self._query.timezone is None
        if level is Level.STUDY and is_all and self._skip > 0 and isinstance(way_.studies, DateWalk):
            passed = way_.studies.skip(self._skip)  # all of them match, and no row has to be looked at
            self.matched += passed
            self._skip -= passed
        for study, is_sure in way_.studies:
            keys = left if is_sure else self._study_keys
            asks_text = bool(self._words) and not (is_sure and way_.answers_text)
            is_bare = not keys and not asks_text and self._query.timezone is None
            if level is Level.STUDY and is_bare and not self._own_keys and self._pass():
                continue
            self.keys_read += 1
            document = self._view.get("studies", study)
            if document is None:
                continue
            if level is Level.STUDY and is_bare and not self._own_keys:
                yield _Row((_uid_of(study, document), "", ""), None, document)
                continue
            attributes = self._localized(json.loads(document))
            if not self._match(attributes, keys) or (asks_text and not _has_words(attributes, self._words)):
                continue
            uid = _uid_of(study, document)
            if level is not Level.STUDY:
                yield from self._in_study(uid, attributes)
            elif self._match(attributes, self._own_keys) and not self._pass():
                yield _Row((uid, "", ""), attributes if self._query.timezone is not None else None, document)

    def _in_study(self, study_uid: str, study: Attributes) -> Iterator[_Row]:
        listed = [uids_of(key) for key in self._own_keys if key.tag == _SERIES_UID]
        rows = [(series, series_attributes(study, series)) for series in series_of(self._view, study_uid)]
        self.keys_read += len(rows)
        wanted = self._query.series_instance_uid
        for series, attributes in sorted(rows, key=lambda row: _number(row[1], "00200011")):
            uid = series.series_instance_uid
            if (wanted and uid != wanted) or any(uid not in uids for uids in listed):
                continue
            if self._query.level is Level.INSTANCE:
                yield from self._in_series(attributes, series)
                continue
            attributes = self._localized(attributes)
            if self._match(attributes, self._own_keys) and not self._pass():
                yield _Row((study_uid, uid, ""), attributes)

    def _in_series(self, attributes: Attributes, series: SeriesSummary) -> Iterator[_Row]:
        own = [key for key in self._own_keys if key.tag != _SERIES_UID]
        if not own and self._pass_all(series.instance_count):
            return
        for record in members_of(self._view, series.study_instance_uid, series.series_instance_uid):
            self.keys_read += 1
            row = self._localized(instance_attributes(attributes, record))
            if self._match(row, own) and not self._pass():
                yield _Row((record.study_instance_uid, record.series_instance_uid, record.sop_instance_uid), row)

    def _instances_named(self) -> Iterator[_Row]:
        query = self._query
        for sop in dict.fromkeys(self._sops):
            record = get_instance(self._view, sop)
            self.keys_read += 1
            if record is None:
                continue
            uids = (record.study_instance_uid, record.series_instance_uid)
            if query.study_instance_uid not in ("", uids[0]) or query.series_instance_uid not in ("", uids[1]):
                continue
            series, study = get_series(self._view, *uids), self._view.get("studies", uid_key(uids[0]))
            if series is None or study is None:
                continue
            row = self._localized(instance_attributes(series_attributes(json.loads(study), series), record))
            if not self._match(row, self._study_keys + self._own_keys) or not _has_words(row, self._words):
                continue
            if not self._pass():
                yield _Row((*uids, sop), row)

    def _pass(self) -> bool:
        """Count a match; whether it lies before the page."""
        self.matched += 1
        self._skip -= 1
        return self._skip >= 0

    def _pass_all(self, count: int) -> bool:
        """Whether so many matches all lie before the page; they are counted then, otherwise one by one."""
        if count > self._skip:
            return False
        self.matched += count
        self._skip -= count
        return True

    def _match(self, attributes: Attributes, keys: list[Match]) -> bool:
        query = self._query
        return all(matches(attributes, key, query.fuzzy, query.empty_values) for key in keys)

    def _localized(self, attributes: Attributes) -> Attributes:
        zone = self._query.timezone
        return attributes if zone is None else in_timezone(attributes, zone)

    def _parsed(self, row: _Row) -> Attributes:
        if row.attributes is None:
            row.attributes = json.loads(row.document)
        return row.attributes


def _uid_of(study: bytes, document: bytes) -> str:
    if study[:1] == b"#":  # too long for a key, or too strange
        # An odd one with a backslash in it is two values there.
        return "\\".join(map(str, json.loads(document)["0020000D"]["Value"]))
    return study.decode("utf_8", "surrogatepass")


def _has_words(attributes: Attributes, wanted: list[str]) -> bool:
    """Whether each word begins some word of the patient's or the study's."""
    if not wanted:
        return True
    there = {word for tag in TEXT_TAGS for text in texts(attributes, tag) for word in words(text)}
    return all(any(word.startswith(part) for word in there) for part in wanted)


def _number(attributes: Attributes, tag: str) -> float:
    """Series Number; series without one come last."""
    values = attributes.get(tag, {}).get("Value") or [None]
    try:
        return float(values[0])
    except (TypeError, ValueError):
        return float("inf")
