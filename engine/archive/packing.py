"""Records of the index as bytes and back; the schema version stands for all that is written here."""

from __future__ import annotations

import json
import struct
from dataclasses import fields
from functools import lru_cache
from typing import Any

from engine.archive.records import InstanceRecord, SeriesSummary
from engine.dicom.frame import FrameDescriptor, PixelKeyword, Rescale, VoiLutFunction, Window
from engine.dicom.frame_table import FrameTable
from engine.dicom.scanned import Defect
from engine.types import Location, Source

SCHEMA_VERSION = 3

# segment, offset, length, data set offset, header length, received ns, flags, SHA-256, then the sizes of what follows:
# seven strings, the slice key, and four longer parts.
_INSTANCE = struct.Struct("<IQQQQQB32s8H4I")
_LOCATION = struct.Struct("<IQQ")  # how an instance begins
_SERIES = struct.Struct("<QQQQIQ3H4I")  # count, bytes, version, leader (ns, two parts of its hash), sizes
_IS_REPLACING, _HAS_DESCRIPTOR, _HAS_TABLE = 1, 2, 4
_FIELDS = tuple(f.name for f in fields(FrameDescriptor))


def pack_instance(r: InstanceRecord) -> bytes:
    texts = [
        t.encode("utf_8", "surrogatepass")
        for t in (r.study_instance_uid, r.series_instance_uid, r.sop_instance_uid, r.sop_class_uid,
                  r.transfer_syntax_uid, r.source.door, _pack_peer(r.source))
    ]  # fmt: skip
    flags = _IS_REPLACING * r.is_replacing
    flags |= _HAS_DESCRIPTOR * (r.frame_descriptor is not None) | _HAS_TABLE * (r.frame_table is not None)
    long = [
        r.instance_json,
        _pack_descriptor(r.frame_descriptor) if r.frame_descriptor else b"",
        json.dumps([[d.code, d.detail] for d in r.defects]).encode() if r.defects else b"",
        r.frame_table.to_bytes() if r.frame_table is not None else b"",
    ]
    head = _INSTANCE.pack(
        r.location.segment, r.location.offset, r.location.length, r.data_set_offset, r.header_length, r.received_ns,
        flags, r.data_set_sha256, *map(len, texts), len(r.slice_key), *map(len, long),
    )  # fmt: skip
    return b"".join((head, *texts, r.slice_key, *long))


def unpack_instance(data: bytes) -> InstanceRecord:
    (segment, offset, length, data_set_offset, header_length, received_ns, flags, sha, *sizes) = _INSTANCE.unpack_from(
        data
    )
    parts, at = [], _INSTANCE.size
    for size in sizes[:-1]:
        parts.append(data[at : at + size])
        at += size
    study, series, sop, sop_class, ts, door, peer = (p.decode("utf_8", "surrogatepass") for p in parts[:7])
    return InstanceRecord(
        study_instance_uid=study,
        series_instance_uid=series,
        sop_instance_uid=sop,
        sop_class_uid=sop_class,
        transfer_syntax_uid=ts,
        location=Location(segment, offset, length),
        data_set_offset=data_set_offset,
        header_length=header_length,
        data_set_sha256=sha,
        received_ns=received_ns,
        source=Source(door, *peer.split("\0", 1)),
        instance_json=parts[8],
        slice_key=parts[7],
        frame_descriptor=_unpack_descriptor(parts[9]) if flags & _HAS_DESCRIPTOR else None,
        frame_table=FrameTable.from_buffer(memoryview(data)[at:]) if flags & _HAS_TABLE else None,
        defects=tuple(Defect(*d) for d in json.loads(parts[10])) if parts[10] else (),
        is_replacing=bool(flags & _IS_REPLACING),
    )


def _pack_peer(source: Source) -> str:
    """The AE title that was called stands behind the peer; records of before there was one have none."""
    peer = source.peer.replace("\0", "")
    return f"{peer}\0{source.called}" if source.called else peer


def received_of(data: bytes) -> int:
    """When it came, alone (Unix ns)."""
    return int(_INSTANCE.unpack_from(data)[5])


def location_of(data: bytes) -> Location:
    """The location alone: what counts the living bytes of a segment reads every record."""
    return Location(*_LOCATION.unpack_from(data))


def pack_series(s: SeriesSummary) -> bytes:
    texts = [t.encode("utf_8", "surrogatepass") for t in (s.study_instance_uid, s.series_instance_uid, s.modality)]
    classes = json.dumps(s.sop_classes, separators=(",", ":")).encode()
    long = (s.patient_json, s.study_json, s.series_json, classes)
    head = _SERIES.pack(s.instance_count, s.byte_count, s.version, *s.leader, *map(len, texts), *map(len, long))
    return b"".join((head, *texts, *long))


def unpack_series(data: bytes) -> SeriesSummary:
    count, size, version, ns, hash1, hash2, *sizes = _SERIES.unpack_from(data)
    parts, at = [], _SERIES.size
    for n in sizes:
        parts.append(data[at : at + n])
        at += n
    study, series, modality = (t.decode("utf_8", "surrogatepass") for t in parts[:3])
    return SeriesSummary(
        study_instance_uid=study,
        series_instance_uid=series,
        modality=modality,
        instance_count=count,
        byte_count=size,
        version=version,
        patient_json=parts[3],
        study_json=parts[4],
        series_json=parts[5],
        leader=(ns, hash1, hash2),
        sop_classes=_classes(parts[6]),
    )


@lru_cache(maxsize=256)
def _classes(data: bytes) -> tuple[tuple[str, int], ...]:
    return tuple((uid, count) for uid, count in json.loads(data))


# The slices of a series have the same one, and come together.
@lru_cache(maxsize=64)
def _pack_descriptor(descriptor: FrameDescriptor) -> bytes:
    values: dict[str, Any] = {name: getattr(descriptor, name) for name in _FIELDS}
    values["rescales"] = [(r.slope, r.intercept, r.type) for r in descriptor.rescales]
    values["windows"] = [
        [(w.center, w.width, w.function, w.explanation) for w in frame] for frame in descriptor.windows
    ]
    return json.dumps(list(values.values()), separators=(",", ":")).encode()


# Every frame of a multi-frame instance comes by here; its descriptor may hold a window for each of 10 000 frames.
@lru_cache(maxsize=512)
def _unpack_descriptor(data: bytes) -> FrameDescriptor:
    values = dict(zip(_FIELDS, json.loads(data), strict=True))
    values["pixel_keyword"] = PixelKeyword(values["pixel_keyword"])
    values["rescales"] = tuple(Rescale(*r) for r in values["rescales"])
    values["windows"] = tuple(
        tuple(Window(c, w, VoiLutFunction(f), n) for c, w, f, n in ws) for ws in values["windows"]
    )
    values["pixel_aspect_ratio"] = tuple(values["pixel_aspect_ratio"])
    values["pixel_spacings"] = tuple(tuple(spacing) for spacing in values["pixel_spacings"])
    return FrameDescriptor(**values)
