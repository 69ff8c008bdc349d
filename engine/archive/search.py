"""Searching the index: the cheapest way to the candidates, then every key on each (PS3.4 C.2.2, PS3.18 10.6)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from engine.archive.index import get_instance, get_series, members_of, series_of, uid_key
from engine.archive.packing import unpack_series
from engine.archive.ports import Snapshot
from engine.archive.records import SeriesSummary
from engine.archive.secondary import key_range
from engine.dicom.dictionary import tag_of
from engine.dicom.levels import PATIENT, STUDY
from engine.dicom.matching import matches
from engine.dicom.query import Findings, Found, Level, Match, Query

_STUDY_UID, _SERIES_UID, _SOP_UID = 0x0020000D, 0x0020000E, 0x00080018
_MODALITY, _MODALITIES_IN_STUDY = 0x00080060, 0x00080061
_STUDY_TAGS = frozenset(map(tag_of, (*PATIENT, *STUDY))) | {_MODALITIES_IN_STUDY, 0x00201206, 0x00201208}

Attributes = dict[str, Any]


def search(view: Snapshot, query: Query) -> Findings:
    """A page of matches; the order is that of the keys and stays the same while nothing is added."""
    run = _Search(view, query)
    rows: list[Found] = []
    skipped = 0
    for found in run.rows():
        if skipped < query.offset:
            skipped += 1
        elif len(rows) < query.limit:
            rows.append(found)
        else:
            return Findings(rows=tuple(rows), has_more=True, keys_read=run.keys_read)
    return Findings(rows=tuple(rows), has_more=False, keys_read=run.keys_read)


def merged(*documents: bytes | Attributes) -> bytes:
    """One DICOM JSON object of several, keys in tag order (PS3.18 F.2.2)."""
    attributes: Attributes = {}
    for document in documents:
        attributes.update(json.loads(document) if isinstance(document, bytes) else document)
    return dump(attributes)


def dump(attributes: Attributes) -> bytes:
    return json.dumps(dict(sorted(attributes.items())), ensure_ascii=False, separators=(",", ":")).encode(
        "utf_8", "surrogatepass"
    )


class _Search:
    def __init__(self, view: Snapshot, query: Query) -> None:
        self._view, self._query = view, query
        keys = query.matches
        if query.level is Level.STUDY:  # what people mean who ask for a study by Modality
            keys = tuple(Match(_MODALITIES_IN_STUDY, "CS", k.value) if k.tag == _MODALITY else k for k in keys)
        self._study_keys = [k for k in keys if not k.path and k.tag in _STUDY_TAGS]
        self._own_keys = [k for k in keys if k not in self._study_keys]
        self.keys_read = 0

    def rows(self) -> Iterator[Found]:
        if self._query.level is Level.INSTANCE and (sops := self._named(_SOP_UID)):
            yield from self._instances_named(sops)
            return
        for study in self._studies():
            series = series_of(self._view, study.study_instance_uid)
            attributes = _study_attributes(study, series)
            if not self._match(attributes, self._study_keys):
                continue
            if self._query.level is Level.STUDY:
                if self._match(attributes, self._own_keys):
                    yield Found(
                        study_instance_uid=study.study_instance_uid,
                        series_instance_uid="",
                        sop_instance_uid="",
                        attributes=attributes,
                    )
                continue
            wanted = self._query.series_instance_uid
            for one in series:
                if not wanted or one.series_instance_uid == wanted:
                    yield from self._below(attributes, one)

    def _below(self, study: Attributes, series: SeriesSummary) -> Iterator[Found]:
        attributes = study | _series_attributes(series)
        uids = self._named(_SERIES_UID)
        if uids and series.series_instance_uid not in uids:
            return
        if self._query.level is Level.SERIES:
            if self._match(attributes, self._own_keys):
                yield Found(
                    study_instance_uid=series.study_instance_uid,
                    series_instance_uid=series.series_instance_uid,
                    sop_instance_uid="",
                    attributes=attributes,
                )
            return
        for record in members_of(self._view, series.study_instance_uid, series.series_instance_uid):
            self.keys_read += 1
            row = attributes | json.loads(record.instance_json)
            if self._match(row, self._own_keys):
                yield Found(
                    study_instance_uid=record.study_instance_uid,
                    series_instance_uid=record.series_instance_uid,
                    sop_instance_uid=record.sop_instance_uid,
                    attributes=row,
                )

    def _instances_named(self, sops: list[str]) -> Iterator[Found]:
        for sop in sops:
            record = get_instance(self._view, sop)
            self.keys_read += 1
            if record is None or not self._in_scope(record.study_instance_uid, record.series_instance_uid):
                continue
            series = get_series(self._view, record.study_instance_uid, record.series_instance_uid)
            study = self._view.get("studies", uid_key(record.study_instance_uid))
            if series is None or study is None:
                continue
            siblings = series_of(self._view, record.study_instance_uid)
            row = _study_attributes(unpack_series(study), siblings) | _series_attributes(series)
            row |= json.loads(record.instance_json)
            if self._match(row, self._study_keys) and self._match(row, self._own_keys):
                yield Found(
                    study_instance_uid=record.study_instance_uid,
                    series_instance_uid=record.series_instance_uid,
                    sop_instance_uid=sop,
                    attributes=row,
                )

    def _in_scope(self, study_uid: str, series_uid: str) -> bool:
        query = self._query
        return query.study_instance_uid in ("", study_uid) and query.series_instance_uid in ("", series_uid)

    def _match(self, attributes: Attributes, keys: list[Match]) -> bool:
        return all(matches(attributes, key, self._query.fuzzy) for key in keys)

    def _named(self, tag: int) -> list[str]:
        """UIDs that a key lists, each once; empty when it does not."""
        for key in self._query.matches:
            if key.tag == tag and not key.path and key.value not in ("", "*"):
                return list(dict.fromkeys(uid for uid in re.split(r"[\\,]", key.value) if uid))
        return []

    def _studies(self) -> Iterator[SeriesSummary]:
        uids = [self._query.study_instance_uid] if self._query.study_instance_uid else self._named(_STUDY_UID)
        if uids:
            keys: Iterator[bytes] = iter(sorted({uid_key(uid) for uid in uids}))
        else:
            ranges = [(k.tag, r) for k in self._study_keys if (r := key_range(k, self._query.fuzzy)) is not None]
            if not ranges:
                for _, data in self._view.scan("studies"):
                    self.keys_read += 1
                    yield unpack_series(data)
                return
            # A patient or accession number names a handful of studies, a date or the start of a name many.
            order = (0x00100020, 0x00080050, 0x00200010, 0x00100010, 0x00080020)
            first, last = min(ranges, key=lambda r: order.index(r[0]))[1]
            keys = iter(dict.fromkeys(key.rsplit(b"\0", 1)[1] for key, _ in self._view.scan("keys", first, last)))
        for key in keys:
            self.keys_read += 1
            study = self._view.get("studies", key)
            if study is not None:
                yield unpack_series(study)


def _study_attributes(study: SeriesSummary, series: list[SeriesSummary]) -> Attributes:
    attributes: Attributes = json.loads(study.patient_json) | json.loads(study.study_json)
    modalities = sorted({one.modality for one in series if one.modality})
    attributes["00080056"] = {"vr": "CS", "Value": ["ONLINE"]}
    attributes["00080061"] = {"vr": "CS", "Value": modalities} if modalities else {"vr": "CS"}
    attributes["00201206"] = {"vr": "IS", "Value": [len(series)]}
    attributes["00201208"] = {"vr": "IS", "Value": [sum(one.instance_count for one in series)]}
    return attributes


def _series_attributes(series: SeriesSummary) -> Attributes:
    attributes: Attributes = json.loads(series.series_json)
    attributes["00201209"] = {"vr": "IS", "Value": [series.instance_count]}
    return attributes
