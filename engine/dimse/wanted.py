"""What a C-MOVE or C-GET wants: its identifier's unique keys, and the stored instances that these name (PS3.4 C.4.2.1.4)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from pydicom import Dataset
from pydicom.multival import MultiValue
from pynetdicom.sop_class import (
    CompositeInstanceRetrieveWithoutBulkDataGet,
    CompositeInstanceRootRetrieveGet,
    CompositeInstanceRootRetrieveMove,
    PatientRootQueryRetrieveInformationModelGet,
    PatientRootQueryRetrieveInformationModelMove,
    PatientStudyOnlyQueryRetrieveInformationModelGet,
    PatientStudyOnlyQueryRetrieveInformationModelMove,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from engine.archive.archive import Archive
from engine.archive.records import InstanceRecord, SeriesSummary
from engine.dicom.query import Level, Match, Query
from engine.errors import InvalidParameter, MissingKey, NotFound, UnknownLevel

_PATIENT, _STUDY = ("PATIENT", "STUDY", "SERIES", "IMAGE"), ("STUDY", "SERIES", "IMAGE")
_PATIENT_STUDY = ("PATIENT", "STUDY")
GET_LEVELS: dict[str, tuple[str, ...]] = {
    PatientRootQueryRetrieveInformationModelGet: _PATIENT,
    StudyRootQueryRetrieveInformationModelGet: _STUDY,
    PatientStudyOnlyQueryRetrieveInformationModelGet: _PATIENT_STUDY,
}
MOVE_LEVELS: dict[str, tuple[str, ...]] = {
    PatientRootQueryRetrieveInformationModelMove: _PATIENT,
    StudyRootQueryRetrieveInformationModelMove: _STUDY,
    PatientStudyOnlyQueryRetrieveInformationModelMove: _PATIENT_STUDY,
}
ROOT_MOVE, ROOT_GET = str(CompositeInstanceRootRetrieveMove), str(CompositeInstanceRootRetrieveGet)
WITHOUT_BULK = str(CompositeInstanceRetrieveWithoutBulkDataGet)
_PAGE_ROWS = 1000
_SERIES_UID, _PATIENT_ID, _ISSUER = 0x0020000E, 0x00100020, 0x00100021
_KEYS = {
    "PATIENT": "PatientID",
    "STUDY": "StudyInstanceUID",
    "SERIES": "SeriesInstanceUID",
    "IMAGE": "SOPInstanceUID",
}


class Wanted(NamedTuple):
    """One instance; many of these are in memory at once, their records are not."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str


@dataclass(frozen=True, slots=True)
class Keys:
    """Unique keys of a retrieval: of its level one or a list, of the levels above what was given.

    Attributes
    ----------
    patient_id, issuer : empty where they are none of the model's keys, or were not given.
    """

    level: str
    patient_id: str
    issuer: str
    studies: tuple[str, ...]
    series: tuple[str, ...]
    instances: tuple[str, ...]


def read_keys(ds: Dataset, levels: tuple[str, ...]) -> Keys:
    """The keys of `ds`; those of the levels above are not demanded, as relational retrievals allow (PS3.4 C.4.2.3.2).

    Raises
    ------
    UnknownLevel : none, or one that the information model has not.
    MissingKey : no value of the level's own key.
    InvalidParameter : a wildcard, or several Patient IDs.
    """
    level = str(ds.get("QueryRetrieveLevel", "") or "").strip().upper()
    if level not in levels:
        raise UnknownLevel(level[:16], levels)
    values = {keyword: _values(ds, keyword) for keyword in (*_KEYS.values(), "IssuerOfPatientID")}
    if not values[_KEYS[level]]:
        raise MissingKey(_KEYS[level], level)
    if "PATIENT" not in levels:
        values["PatientID"] = values["IssuerOfPatientID"] = ()
    if len(values["PatientID"]) > 1:
        raise InvalidParameter("PatientID", f"{len(values['PatientID'])} values", "one value")
    return Keys(
        level,
        next(iter(values["PatientID"]), ""),
        next(iter(values["IssuerOfPatientID"]), ""),
        *(values[keyword] for keyword in list(_KEYS.values())[1:]),
    )


def wanted_by(keys: Keys, archive: Archive) -> list[Wanted]:
    """The instances in the archive that `keys` name, each once, series by series in slice order."""
    found = {one.sop_instance_uid: one for one in map(_wanted, _records(keys, archive))}
    return list(found.values())


def _wanted(record: InstanceRecord) -> Wanted:
    return Wanted(
        record.study_instance_uid,
        record.series_instance_uid,
        record.sop_instance_uid,
        record.sop_class_uid,
        record.transfer_syntax_uid,
    )


def _records(keys: Keys, archive: Archive) -> Iterator[InstanceRecord]:
    match keys.level:
        case "PATIENT":
            matches = tuple(
                Match(tag, "LO", value)
                for tag, value in ((_PATIENT_ID, keys.patient_id), (_ISSUER, keys.issuer))
                if value
            )
            for study, _ in _search(archive, Query(level=Level.STUDY, matches=matches, limit=_PAGE_ROWS)):
                for one in _series_of(archive, study):
                    yield from archive.walk(study, one.series_instance_uid)
        case "STUDY":
            for study in keys.studies:
                for one in _series_of(archive, study):
                    if _is_of(one, keys):
                        yield from archive.walk(study, one.series_instance_uid)
        case "SERIES":
            for study, series in _named_series(archive, keys):
                if not keys.patient_id or _is_of(archive.series(study, series), keys):
                    yield from archive.walk(study, series)
        case _:
            for uid in keys.instances:
                try:
                    record = archive.instance(uid)
                    above = archive.series(record.study_instance_uid, record.series_instance_uid)
                except NotFound:
                    continue
                is_there = record.study_instance_uid in (keys.studies or (record.study_instance_uid,))
                is_there = is_there and record.series_instance_uid in (keys.series or (record.series_instance_uid,))
                if is_there and _is_of(above, keys):
                    yield record


def _named_series(archive: Archive, keys: Keys) -> Iterator[tuple[str, str]]:
    """Study and series of each Series Instance UID that is there; a UID of two studies is two series."""
    if keys.studies:
        for study in keys.studies:
            there = {one.series_instance_uid for one in _series_of(archive, study)}
            yield from ((study, series) for series in keys.series if series in there)
        return
    matches = (Match(_SERIES_UID, "UI", "\\".join(keys.series)),)
    yield from _search(archive, Query(level=Level.SERIES, matches=matches, limit=_PAGE_ROWS))


def _search(archive: Archive, query: Query) -> list[tuple[str, str]]:
    """Study and series of every match; a list, for what is added meanwhile must not move the pages."""
    found: dict[tuple[str, str], None] = {}
    offset = 0
    while True:
        page = archive.search(Query(level=query.level, matches=query.matches, limit=query.limit, offset=offset))
        found |= dict.fromkeys((row.study_instance_uid, row.series_instance_uid) for row in page.rows)
        if not page.has_more or not page.rows:
            return list(found)
        offset += len(page.rows)


def _series_of(archive: Archive, study: str) -> list[SeriesSummary]:
    try:
        return archive.series_of(study)
    except NotFound:
        return []


def _is_of(series: SeriesSummary, keys: Keys) -> bool:
    """Whether it is of the patient that the identifier names, where it names one."""
    if not keys.patient_id:
        return True
    patient = json.loads(series.patient_json)

    def value(tag: str) -> str:
        return str((patient.get(tag, {}).get("Value") or [""])[0]).strip()

    return value("00100020") == keys.patient_id and keys.issuer in ("", value("00100021"))


def _values(ds: Dataset, keyword: str) -> tuple[str, ...]:
    value = ds.get(keyword)
    listed = list(value) if isinstance(value, (MultiValue, list)) else [value]
    texts = tuple(dict.fromkeys(text for one in listed if one is not None and (text := str(one).strip(" \0"))))
    for text in texts:
        if "*" in text or "?" in text:
            raise InvalidParameter(keyword, text, "a value without wildcards")
    return texts
