"""Records of the index as bytes: what was packed is what comes back, whatever was in it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from archives import incoming
from data import element, make_instance

from engine.archive.core import make_record
from engine.archive.packing import location_of, pack_instance, pack_series, unpack_instance, unpack_series
from engine.archive.ports import MemberMeta
from engine.archive.records import InstanceRecord, SeriesSummary
from engine.dicom.frame import Rescale, VoiLutFunction, Window
from engine.dicom.scanned import Defect
from engine.types import Location, Source


def record(content: bytes) -> InstanceRecord:
    one = incoming(content, 77)
    meta = MemberMeta(
        name="x",
        data_set_sha256=one.data_set_sha256,
        header_sha256=one.header_sha256,
        data_set_offset=one.scanned.data_set_offset,
        received_ns=one.received_ns,
        source=one.source,
    )
    return make_record(one.scanned, meta, Location(2**32 - 1, 2**60, 2**40))


def assert_same(a: InstanceRecord, b: InstanceRecord) -> None:
    """Frame tables have no equality of their own; their bytes are what counts."""
    tables = [None if r.frame_table is None else r.frame_table.to_bytes() for r in (a, b)]
    assert tables[0] == tables[1]
    assert replace(a, frame_table=None) == replace(b, frame_table=None)


def test_an_instance_comes_back() -> None:
    plain = record(make_instance(frames=7))
    assert_same(unpack_instance(pack_instance(plain)), plain)
    assert location_of(pack_instance(plain)) == plain.location
    assert plain.frame_descriptor is not None
    full = replace(
        plain.frame_descriptor,
        rescales=(Rescale(0.5, -1024.0), Rescale(1e-300, 1e300)),
        windows=tuple((Window(float(i), 400.5, VoiLutFunction.SIGMOID, "Ünicode"),) for i in range(1000)),
    )
    rich = replace(
        plain,
        frame_descriptor=full,
        defects=(Defect("odd-uid"), Defect("number-invalid", "0028,1050")),
        source=Source("c-store", "AE \U0001f600", "VOXCAST"),
        is_replacing=True,
        sop_instance_uid="\udcff odd",
    )
    assert_same(unpack_instance(pack_instance(rich)), rich)


@pytest.mark.parametrize("lacking", ["frame_descriptor", "frame_table", "slice_key", "instance_json"])
def test_what_is_absent_stays_absent(lacking: str) -> None:
    plain = record(make_instance())
    empty = replace(plain, **{lacking: None if lacking.startswith("frame") else b""})  # type: ignore[arg-type]
    assert_same(unpack_instance(pack_instance(empty)), empty)


def test_an_instance_without_pixels_comes_back() -> None:
    content = make_instance()
    cut = content[: content.index(b"\x28\x00\x02\x00US")]
    plain = record(cut + element(0x00400280, "ST", b"comment"))
    assert plain.frame_table is None
    assert_same(unpack_instance(pack_instance(plain)), plain)


def test_a_series_comes_back() -> None:
    series = SeriesSummary(
        study_instance_uid="1.2",
        series_instance_uid="\udcff",
        modality="MR",
        instance_count=2**40,
        byte_count=2**60,
        version=2**64 - 1,
        patient_json=b"{}",
        study_json="{'é'}".encode(),
        series_json=b"",
        leader=(2**63, 2**32 - 1, 2**64 - 1),
        sop_classes=(("1.2.840.10008.5.1.4.1.1.2", 2**40), ("9", 1)),
    )
    assert unpack_series(pack_series(series)) == series
