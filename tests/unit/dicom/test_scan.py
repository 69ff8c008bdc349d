"""What `scan` does around the native pass: derived UIDs, defects, limits, descriptions; and the small parts it leans on."""

from __future__ import annotations

import json
import re
import struct
import zlib
from pathlib import Path

import pytest
from data import CT, EXPLICIT, element, make_instance, us
from scanning import as_file, defects_of, frames_of, json_of, scan_both, value_at

from engine.dicom.defects import DEFECTS
from engine.dicom.frame import Rescale, VoiLutFunction, Window
from engine.dicom.frame_table import FrameSpan, FrameTable, FrameTableKind, join_fragments
from engine.dicom.geometry import slice_key
from engine.dicom.part10 import file_meta
from engine.dicom.scan import locate, scan, scan_file
from engine.dicom.transfer_syntax import DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN as DEFLATED
from engine.dicom.uid import derived_uid, is_valid
from engine.errors import MissingUid, NotDicom, TooLarge, TruncatedDataSet
from engine.limits import Limits

NATIVE = Path(__file__).parents[3] / "native" / "src"


def without(data: bytes, *tags: int) -> bytes:
    """The instance without these elements (all of them short and in explicit VR)."""
    for tag in tags:
        at = data.index(struct.pack("<HH", tag >> 16, tag & 0xFFFF), 340)
        data = data[:at] + data[at + 8 + struct.unpack_from("<H", data, at + 6)[0] :]
    return data


def test_what_has_no_study_or_series_is_filed_under_one_of_its_own() -> None:
    data = without(make_instance(), 0x0020000D, 0x0020000E)
    scanned = scan_both(data)
    assert {"no-study-uid", "no-series-uid"} <= defects_of(scanned)
    assert scanned.series_instance_uid == derived_uid("series", scanned.sop_instance_uid)
    assert scanned.study_instance_uid == derived_uid("study", scanned.series_instance_uid)
    assert json.loads(scanned.study_json)["0020000D"]["Value"] == [scanned.study_instance_uid]
    assert json.loads(scanned.series_json)["0020000E"]["Value"] == [scanned.series_instance_uid]
    other = scan_both(data + element(0x7FE10010, "LO", b"X"))
    assert other.series_instance_uid == scanned.series_instance_uid  # of the same instance


def test_a_sop_instance_uid_is_the_file_metas_or_made_from_the_bytes() -> None:
    data = without(make_instance(), 0x00080018)
    scanned = scan_both(data)
    assert scanned.sop_instance_uid == "1.2.3.4.1" and "no-sop-instance-uid" in defects_of(scanned)
    bare = data[data.index(b"\x08\x00\x16\x00UI") :]
    first, second = scan_both(bare), scan_both(bare[:-2] + b"\1\1")
    assert is_valid(first.sop_instance_uid) and first.sop_instance_uid != second.sop_instance_uid
    assert json.loads(first.instance_json)["00080018"]["Value"] == [first.sop_instance_uid]


def test_odd_uids_are_kept_and_noted() -> None:
    for uid in ("1.02.3", "abc", "1." * 40 + "1"):
        scanned = scan_both(make_instance(sop=uid))
        assert scanned.sop_instance_uid == uid and "odd-uid" in defects_of(scanned)


@pytest.mark.parametrize(
    "data",
    [b"", b"hello", bytes(200), bytes(128) + b"DICN" + bytes(100), b"%PDF-1.7\n" * 40, b"\x89PNG\r\n\x1a\n" * 20],
)
def test_what_is_no_dicom_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(NotDicom):
        scan_both(data)


def test_a_prefix_with_nothing_behind_it_is_truncated() -> None:
    for end in (132, 135, 138, 139, 140, 200):
        with pytest.raises(TruncatedDataSet):
            scan_both(make_instance()[:end])


def test_a_dicomdir_is_no_instance() -> None:
    directory = make_instance().replace(CT.encode() + b"\0", b"1.2.840.10008.1.3.10".ljust(len(CT) + 1, b"\0"))
    with pytest.raises(MissingUid):
        scan_both(directory)


def test_one_frame_beyond_the_limit_is_kept_and_not_shown() -> None:
    scanned = scan(make_instance(), Limits(frame_bytes_max=31))
    assert scanned.frame_descriptor is None and scanned.frame_table is None
    assert [(d.code, d.detail) for d in scanned.defects] == [("pixel-limit", "32")]


def test_rescale_and_windows() -> None:
    extra = b"".join(
        element(tag, vr, value.encode())
        for tag, vr, value in (
            (0x00281050, "DS", "40\\ +400 "), (0x00281051, "DS", "8e1\\2000"), (0x00281052, "DS", "-1024"),
            (0x00281053, "DS", "2.5"), (0x00281054, "LO", "HU"), (0x00281055, "LO", "brain\\bone"), (0x00281056, "CS", "SIGMOID"),
        )
    )  # fmt: skip
    descriptor = scan_both(make_instance(extra=extra)).frame_descriptor
    assert descriptor is not None
    assert descriptor.rescale(0) == Rescale(2.5, -1024.0, "HU")
    kind = VoiLutFunction.SIGMOID
    assert descriptor.frame_windows(0) == (Window(40.0, 80.0, kind, "brain"), Window(400.0, 2000.0, kind, "bone"))


@pytest.mark.parametrize("value", ["1,5", "x", "nan", "inf", "1e999", "0x10", "1.2.3", "--1"])
def test_decimal_strings_that_are_no_numbers(value: str) -> None:
    scanned = scan_both(make_instance(extra=element(0x00281053, "DS", value.encode())))
    assert "number-invalid" in defects_of(scanned)
    assert scanned.frame_descriptor is not None and scanned.frame_descriptor.rescales == ()


def test_decimals_do_not_depend_on_the_locale() -> None:
    """The C library asks the process's locale what a decimal point is; none of its functions for that may be here."""
    for path in NATIVE.iterdir():
        assert not re.search(r"\b(strto[df]|ato[f]|sto[df]|sscanf|s?printf)\(", path.read_text()), path.name


def test_slices_that_are_described_alike_share_their_description() -> None:
    a, b = (scan_both(make_instance(sop=f"1.2.3.4.{n}", number=n)) for n in (1, 2))
    assert a.frame_descriptor is b.frame_descriptor
    c = scan_both(make_instance(sop="1.2.3.4.3", rows=2, columns=8))
    assert c.frame_descriptor is not None and (c.frame_descriptor.rows, c.frame_descriptor.columns) == (2, 8)


def test_values_longer_than_the_inline_limit_are_found_by_their_path() -> None:
    long = bytes(range(256)) * 400
    data = make_instance(extra=struct.pack("<HH2sHI", 0x0021, 0x1001, b"OB", 0, len(long)) + long)
    assert json_of(data, "u")["00211001"] == {"vr": "OB", "BulkDataURI": "u/00211001"}
    assert value_at(data, [0x00211001]) == long
    assert value_at(data, [0x00211002]) is None and value_at(data, [0x00211001, 0, 0x00080100]) is None
    with as_file(data, b"x" * 1000) as fd:
        found = locate(fd, 1000, len(data), [0x00211001], Limits())
    assert found is not None and data[found[0] : found[0] + found[1]] == long and found[2] == b""


def test_a_value_that_a_files_window_cannot_hold_names_its_limit() -> None:
    data = make_instance(extra=element(0x00204000, "LT", b"x" * 16380))
    with as_file(data) as fd, pytest.raises(TooLarge) as caught:
        scan_file(fd, 0, len(data), Limits(header_bytes_max=4096))
    assert caught.value.setting == "limits.header_bytes_max"


def test_every_defect_is_listed() -> None:
    codes = set()
    for path in [*NATIVE.glob("*.?pp"), Path(__file__).parents[3] / "engine" / "dicom" / "scan.py"]:
        codes |= set(re.findall(r'(?:defect|emplace_back|Defect)\(\s*"([a-z]+(?:-[a-z]+)+)"', path.read_text()))
    assert codes == set(DEFECTS)


def test_uids() -> None:
    for uid in ("1", "0.1", "1.2.840.10008.1.2", "2.25." + "9" * 38, "1." * 31 + "12"):
        assert is_valid(uid), uid
    for uid in ("", "1.", ".1", "1..2", "1.02", "1.2 ", "1.2\n", "1.a", "1.٣", "1." * 32 + "1"):
        assert not is_valid(uid), uid
    assert derived_uid("a", "b") == derived_uid("a", "b") != derived_uid("ab")
    assert is_valid(derived_uid("\ud800"))


def test_slice_keys_sort_in_slice_order() -> None:
    axial, flipped = [1.0, 0, 0, 0, 1, 0], [1.0, 0, 0, 0, -1, 0]
    places = [(axial, [0.0, 0, z], n) for n, z in enumerate((-1e9, -20.5, -0.0, 1e-9, 7.0, 700.0))]
    keys = [slice_key(*p) for p in places]
    assert keys == sorted(keys) and all(len(k) == 13 for k in keys)
    # Drawn the other way round: the same order along the patient.
    again = [slice_key(flipped, p, n) for _, p, n in places]
    assert again == sorted(again)
    sagittal, none = slice_key([0.0, 1, 0, 0, 0, -1], [5.0, 0, 0], 1), slice_key([], [], -3)
    assert sagittal < keys[0] < none < slice_key([], [], 4) < slice_key([0.0] * 6, [0.0] * 3, 10**12)
    assert slice_key(axial, [0.0, 0, 5], 1) < slice_key(axial, [0.0, 0, 5], 2)


def test_frame_tables_pack_and_unpack() -> None:
    spans = [FrameSpan(100, 10, 0, 1), FrameSpan(118, 4_000_000_000, 0, 3)]
    table = FrameTable.from_buffer(memoryview(FrameTable.encapsulated(spans).to_bytes()))
    assert [table[i] for i in range(len(table))] == spans
    bits = FrameTable.native(3, 1000, 20)
    assert [bits[i] for i in range(3)] == [FrameSpan(1000, 3, 0), FrameSpan(1002, 3, 4), FrameSpan(1005, 3, 0)]
    inside = FrameTable.deflated(1, 8, 64, 500, 99)
    assert inside.kind is FrameTableKind.DEFLATED and inside.deflated_span == FrameSpan(500, 99)
    for wrong in (-1, 3):
        with pytest.raises(IndexError):
            bits[wrong]
    with pytest.raises(ValueError, match="version 9"):
        FrameTable(b"\1\x09" + bytes(38))


def test_fragments_are_joined_without_their_headers() -> None:
    item = struct.Struct("<HHI")
    parts = [b"abcd", b"", b"ef"]
    span = b"".join(item.pack(0xFFFE, 0xE000, len(p)) + p for p in parts)
    assert join_fragments(span, 3) == b"abcdef"
    assert join_fragments(b"abcd", 1) == b"abcd" == join_fragments(b"abcd", 0)


def test_pixels_that_make_no_sense_are_kept_without_a_description() -> None:
    good = make_instance()
    for tag, vr, value in (
        (0x00280010, "US", us(0)),
        (0x00280100, "US", us(17)),
        (0x00280002, "US", us(9)),
        (0x00280103, "US", us(2)),
    ):
        at = good.index(struct.pack("<HH", tag >> 16, tag & 0xFFFF), 340)
        scanned = scan_both(good[:at] + element(tag, vr, value) + good[at + 10 :])
        assert scanned.frame_descriptor is None and defects_of(scanned) == {"pixels-not-described"}, hex(tag)


def test_full_chrominance_under_a_subsampled_name() -> None:
    def instance(photometric: bytes, pixels: int) -> bytes:
        data = make_instance(pixels=bytes(range(pixels)), frames=2, rows=2, columns=4)
        data = data.replace(element(0x00280002, "US", us(1)), element(0x00280002, "US", us(3)))
        data = data.replace(element(0x00280100, "US", us(16)), element(0x00280100, "US", us(8)))
        return data.replace(element(0x00280004, "CS", b"MONOCHROME2"), element(0x00280004, "CS", photometric))

    subsampled = instance(b"YBR_FULL_422", 32)
    assert frames_of(subsampled) == [bytes(range(16)), bytes(range(16, 32))]
    assert defects_of(scan_both(subsampled)) == set()
    full = instance(b"YBR_FULL_422", 48)
    scanned = scan_both(full)
    assert frames_of(full) == [bytes(range(24)), bytes(range(24, 48))]
    assert scanned.frame_descriptor is not None and scanned.frame_descriptor.photometric_interpretation == "YBR_FULL"
    assert defects_of(scanned) == {"chrominance-not-subsampled"}
    assert json_of(full)["00280004"]["Value"] == ["YBR_FULL_422"]  # what is stored stays what is said


def test_fragments_inside_a_deflated_data_set_are_not_shown() -> None:
    meta = {"sop_class_uid": CT, "sop_instance_uid": "1.2.3.4.1"}
    plain = make_instance()
    head, _, _ = plain[len(file_meta(**meta, transfer_syntax_uid=EXPLICIT)) :].rpartition(b"\xe0\x7f\x10\x00OW")
    fragments = struct.pack("<HH2sHIHHIHHI", 0x7FE0, 0x10, b"OB", 0, 0xFFFFFFFF, 0xFFFE, 0xE000, 0, 0xFFFE, 0xE000, 32)
    body = head + fragments + bytes(32) + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    packer = zlib.compressobj(wbits=-15)
    data = file_meta(**meta, transfer_syntax_uid=DEFLATED) + packer.compress(body) + packer.flush()
    scanned = scan_both(data)
    assert scanned.frame_table is None and defects_of(scanned) == {"pixels-not-described"}
