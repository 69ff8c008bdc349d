"""Attributes that a search's rows shall have although the index does not keep them: read from stored headers (PS3.18 8.3.4.3)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from engine.archive.archive import Archive
from engine.archive.documents import instance_document
from engine.archive.records import InstanceRecord
from engine.archive.rows import dump
from engine.dicom.dictionary import hex_of, tag_of
from engine.dicom.levels import INDEX_TAGS
from engine.dicom.query import Found, Level, Query
from engine.errors import NotFound

Attributes = dict[str, Any]
_LEVEL_OF = dict(INDEX_TAGS)  # 0 to 3, as `levels.LEVELS`
# Groups that say nothing of a patient, a study or a series as a whole.
_OF_INSTANCES = frozenset({0x0028, 0x0062, 0x0066, 0x0070, 0x2050, 0x3006, 0x5200, 0x5400, 0x7FE0})
# Of general groups, what differs between instances: image position, orientation, slice, content.
_NOT_COMMON = frozenset(map(tag_of, (
    "ImagePositionPatient", "ImageOrientationPatient", "TriggerTime", "InstanceCreationDate", "InstanceCreationTime",
    "ReferencedImageSequence", "SourceImageSequence", "DerivationDescription", "ContentSequence", "EncapsulatedDocument",
    "AcquisitionDateTime", "ImageComments",
)))  # fmt: skip


def complete(archive: Archive, rows: Sequence[Found], query: Query, root: str = "") -> tuple[Found, ...]:
    """The rows with what `query` wants to be included; one header is read for each.

    A study or a series is spoken for by its first instance, and only in what all of them have in common. `root` is what
    ``BulkDataURI`` begins with.
    """
    is_whole = query.includes_all and query.level is Level.INSTANCE
    wanted = [path for path in query.include if is_whole or _is_common(path[0], query.level)]
    if not wanted and not is_whole:
        return tuple(rows)
    return tuple(_completed(archive, row, wanted, is_whole, root) for row in rows)


def _completed(archive: Archive, row: Found, paths: Sequence[tuple[int, ...]], is_whole: bool, root: str) -> Found:
    try:
        record = _spokesman(archive, row)
        header: Attributes = json.loads(instance_document(archive, record, root))
    except NotFound:
        return row  # deleted since it was found
    attributes = row.attributes
    if is_whole:
        return replace(row, document=dump(header | attributes))
    for path in paths:
        take(header, attributes, path)
    return replace(row, document=dump(attributes))


def _spokesman(archive: Archive, row: Found) -> InstanceRecord:
    if row.sop_instance_uid:
        return archive.instance(row.sop_instance_uid)
    series = row.series_instance_uid or archive.series_of(row.study_instance_uid)[0].series_instance_uid
    return archive.first_member(row.study_instance_uid, series)


def _is_common(tag: int, level: Level) -> bool:
    if level is Level.INSTANCE:
        return True
    known = _LEVEL_OF.get(tag)
    if known is not None:
        return known <= level
    return tag >> 16 not in _OF_INSTANCES and tag not in _NOT_COMMON


def take(source: Attributes, target: Attributes, path: tuple[int, ...]) -> None:
    """Copy one attribute; of a sequence, the wanted part of each item."""
    key = hex_of(path[0])
    if key not in source:
        return
    if len(path) == 1:
        target.setdefault(key, source[key])
        return
    items = source[key].get("Value", [])
    made = target.setdefault(key, {"vr": "SQ", "Value": [{} for _ in items]}).setdefault("Value", [])
    if len(made) == len(items):
        for item, into in zip(items, made, strict=True):
            take(item, into, path[1:])
