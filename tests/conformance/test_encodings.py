"""PS3.5 section 7 and annex A: one data set in every uncompressed encoding means the same; pydicom writes them."""

from __future__ import annotations

import struct
from io import BytesIO
from typing import Any

import pytest
from data import CT, element, make_instance
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from scanning import as_values, defects_of, frames_of, json_of, scan_both, value_at

from engine.dicom.frame_table import FrameTableKind

IMPLICIT, EXPLICIT, BIG, DEFLATED = (
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.1.99",
)
PIXELS = bytes(range(256)) * 2


def item(**values: Any) -> Dataset:
    ds = Dataset()
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


def everything() -> Dataset:
    """A data set with a value of every VR that PS3.6 has a public attribute for, sequences three deep, and private elements."""
    ds = item(
        SpecificCharacterSet="ISO_IR 100", ImageType=["ORIGINAL", "PRIMARY", "AXIAL"], SOPClassUID=CT, SOPInstanceUID="1.2.3.4.5",
        StudyDate="20200131", StudyTime="101500.25", Modality="CT", StudyInstanceUID="1.2.3", SeriesInstanceUID="1.2.3.4",
        PatientName="Buc^Jérôme", PatientID="P1", PatientAge="042Y", RetrieveAETitle="VOXCAST",
        AcquisitionDateTime="20200131101500+0100",
        InstanceNumber="7", ImagePositionPatient=["-1.5", "2", "1e1"], ImageOrientationPatient=["1", "0", "0", "0", "1", "0"],
        ImageComments="  two\r\nlines", TextValue="text", FrameIncrementPointer=[0x00181063, 0x00181065], RetrieveURL="http://x/y",
        LongCodeValue="LONG", TagAngleFirstAxis=3.0,
        DopplerCorrectionAngle=0.1, TableOfYBreakPoints=[1.5, -2.25], EventTimeOffset=1e-300,
        DisplayedAreaTopLeftHandCorner=[-3, 4], SimpleFrameList=[1, 4294967295], RegionLocationMinX0=5,
        PixelPaddingValue=-5, SmallestImagePixelValue=-2000, LargestImagePixelValue=2000,
        SelectorSVValue=[-(2**63), 1], SelectorUVValue=[2**64 - 1], SelectorOBValue=b"\1\2\3\4", SelectorOWValue=b"\1\2\3\4",
        SelectorOFValue=struct.pack("<2f", 1.5, -2), SelectorODValue=struct.pack("<d", 0.1), SelectorOLValue=struct.pack("<I", 7),
        SelectorOVValue=struct.pack("<Q", 2**60),
        SamplesPerPixel=1, PhotometricInterpretation="MONOCHROME2", Rows=16, Columns=16, BitsAllocated=16, BitsStored=16,
        HighBit=15, PixelRepresentation=1, RescaleIntercept="-1024", RescaleSlope="1",
        WindowCenter=["40", "400"], WindowWidth=["80", "2000"],
        WindowCenterWidthExplanation=["brain", "bone"],
    )  # fmt: skip
    code = item(CodeValue="T1", CodingSchemeDesignator="99X", CodeMeaning="naïve")
    inner = item(ReferencedSOPClassUID=CT, ReferencedSOPInstanceUID="1.2", PurposeOfReferenceCodeSequence=[code, code])
    ds.RequestAttributesSequence = [item(ScheduledProcedureStepID="S1", ScheduledProtocolCodeSequence=[code]), item()]
    ds.ReferencedStudySequence = []
    ds.SourceImageSequence = [item(DerivationCodeSequence=[], ReferencedImageSequence=[inner])]
    block = ds.private_block(0x0029, "VOXCAST TEST", create=True)
    block.add_new(1, "US", 513)
    block.add_new(2, "SQ", [item(PatientID="inside")])
    return ds


def written(ds: Dataset, syntax: str, is_undefined: bool = False) -> bytes:
    """The data set as pydicom writes it in one transfer syntax."""

    def mark(at: Dataset) -> None:
        for e in at:
            if e.VR == "SQ":
                e.is_undefined_length = is_undefined
                for inner in e.value:
                    inner.is_undefined_length_sequence_item = is_undefined
                    mark(inner)

    mark(ds)
    pixels = PIXELS if syntax != BIG else b"".join(PIXELS[i : i + 2][::-1] for i in range(0, len(PIXELS), 2))
    ds.add_new(0x7FE00010, "OW", pixels)
    for keyword, size in (("SelectorOWValue", 2), ("SelectorOFValue", 4), ("SelectorODValue", 8), ("SelectorOLValue", 4),
                          ("SelectorOVValue", 8)) if syntax == BIG else ():  # fmt: skip
        raw = ds[keyword].value
        ds[keyword].value = b"".join(raw[i : i + size][::-1] for i in range(0, len(raw), size))
    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = (
        syntax,
        CT,
        ds.SOPInstanceUID,
    )
    ds.file_meta = meta
    out = BytesIO()
    dcmwrite(out, ds, enforce_file_format=True, implicit_vr=syntax == IMPLICIT, little_endian=syntax != BIG)
    return out.getvalue()


@pytest.mark.parametrize("is_undefined", [False, True])
@pytest.mark.parametrize("syntax", [IMPLICIT, BIG, DEFLATED])
def test_7_1_every_encoding_gives_the_same(syntax: str, is_undefined: bool) -> None:
    plain, other = written(everything(), EXPLICIT), written(everything(), syntax, is_undefined)
    a, b = as_values(scan_both(plain)), as_values(scan_both(other))
    assert (a.pop("transfer_syntax_uid"), b.pop("transfer_syntax_uid")) == (EXPLICIT, syntax)
    a_pixels, b_pixels = a.pop("frame_descriptor"), b.pop("frame_descriptor")
    for place in ("data_set_offset", "header_length", "frame_table"):
        del a[place], b[place]
    assert a == b
    for name in a_pixels.__slots__:
        if name != "transfer_syntax_uid":
            assert getattr(a_pixels, name) == getattr(b_pixels, name), name
    first, second = json_of(plain, "u"), json_of(other, "u")
    assert first.pop("00083002")["Value"] == [EXPLICIT]
    assert second.pop("00083002")["Value"] == [syntax]
    if syntax == IMPLICIT:
        # Nothing says what a private element is (PS3.5 6.2.2): its bytes are all there is to give.
        assert second.pop("00291001") == {"vr": "UN", "InlineBinary": "AQI="}
        assert first.pop("00291001") == {"vr": "US", "Value": [513]}
        expected, private = first.pop("00291002"), second.pop("00291002")
        # … unless an undefined length, which only a sequence can have there, gives it away.
        assert private["vr"] == ("SQ" if is_undefined else "UN")
        assert not is_undefined or private == expected
    assert first == second
    assert value_at(plain, [0x7FE00010]) == value_at(other, [0x7FE00010]) == PIXELS
    expected_frame = PIXELS if syntax != BIG else b"".join(PIXELS[i : i + 2][::-1] for i in range(0, len(PIXELS), 2))
    assert frames_of(other) == [expected_frame]
    if syntax == DEFLATED:
        table = scan_both(other).frame_table
        assert table is not None and table.kind is FrameTableKind.DEFLATED


def test_values_of_every_vr_are_as_annex_f_wants_them() -> None:
    document = json_of(written(everything(), EXPLICIT))
    values = {tag: e.get("Value", e.get("InlineBinary")) for tag, e in document.items()}
    wanted: dict[str, Any] = {
        "00080008": ["ORIGINAL", "PRIMARY", "AXIAL"], "00101010": ["042Y"], "00080054": ["VOXCAST"], "00200032": [-1.5, 2, 10.0],
        "00204000": ["  two\r\nlines"], "00280009": ["00181063", "00181065"], "00720083": [2**64 - 1], "00720082": [-(2**63), 1],
        "00720065": "AQIDBA==", "00720069": "AQIDBA==", "00720067": "AADAPwAAAMA=", "00720073": "mpmZmZmZuT8=",
        "00720075": "BwAAAA==", "00720081": "AAAAAAAAABA=", "00280120": [-5], "00281050": [40, 400],
    }  # fmt: skip
    assert {tag: values.get(tag) for tag in wanted} == wanted
    assert document["00720083"]["vr"] == "UV" and document["00720082"]["vr"] == "SV"
    assert document["00081110"] == {"vr": "SQ"}  # a sequence without items has no Value (PS3.18 F.2.5)
    assert document["00400275"]["Value"][1] == {}
    assert document["00082112"]["Value"][0]["00081140"]["Value"][0]["0040A170"]["Value"][1]["00080104"]["Value"] == [
        "naïve"
    ]


def with_extra(extra: bytes) -> bytes:
    return make_instance(extra=extra)


def un(tag: int, value: bytes, length: int | None = None) -> bytes:
    return struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, b"UN", 0, len(value) if length is None else length) + value


def implicit(tag: int, value: bytes) -> bytes:
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value)) + value


def test_6_2_2_unknown_vr_of_a_known_attribute_is_read_as_the_dictionary_says() -> None:
    code = implicit(0x00080100, b"T1") + implicit(0x00080104, b"m ")
    items = struct.pack("<HHI", 0xFFFE, 0xE000, len(code)) + code
    data = with_extra(un(0x00201041, b"-12.50") + un(0x00209172, struct.pack("<H", 0)) + un(0x00400260, items))
    document = json_of(data)
    assert document["00201041"] == {"vr": "DS", "Value": [-12.5]}
    assert document["00400260"]["Value"] == [
        {"00080100": {"vr": "SH", "Value": ["T1"]}, "00080104": {"vr": "LO", "Value": ["m"]}}
    ]


def test_6_2_2_unknown_vr_of_undefined_length_is_a_sequence_in_implicit_vr() -> None:
    code = implicit(0x00080100, b"T1")
    items = (
        struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
        + code
        + struct.pack("<HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
    )
    data = with_extra(element(0x00210010, "LO", b"VOXCAST TEST") + un(0x00211001, items, 0xFFFFFFFF))
    assert json_of(data)["00211001"] == {"vr": "SQ", "Value": [{"00080100": {"vr": "SH", "Value": ["T1"]}}]}
    assert defects_of(scan_both(data)) == set()


def test_7_8_private_elements_keep_their_bytes() -> None:
    data = with_extra(
        element(0x00210010, "LO", b"VOXCAST TEST") + un(0x00211001, b"\0\1\2\3") + element(0x00211002, "OB", b"\5\6")
    )
    document = json_of(data)
    assert document["00210010"] == {"vr": "LO", "Value": ["VOXCAST TEST"]}
    assert document["00211001"] == {"vr": "UN", "InlineBinary": "AAECAw=="}
    assert document["00211002"] == {"vr": "OB", "InlineBinary": "BQY="}
    assert value_at(data, [0x00211001]) == b"\0\1\2\3"


@pytest.mark.parametrize("depth", [1, 2, 12, 60])
def test_7_5_sequences_of_undefined_length_nest(depth: int) -> None:
    value = element(0x00080104, "LO", b"deep")
    for _ in range(depth):
        head = struct.pack("<HH2sHI", 0x0040, 0xA730, b"SQ", 0, 0xFFFFFFFF)
        value = (
            head
            + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
            + value
            + struct.pack("<HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
        )
    data = with_extra(value)
    at = json_of(data)
    for _ in range(depth):
        (at,) = at["0040A730"]["Value"]
    assert at == {"00080104": {"vr": "LO", "Value": ["deep"]}}
    path = [part for _ in range(depth) for part in (0x0040A730, 0)] + [0x00080104]
    assert value_at(data, path) == b"deep"
    assert defects_of(scan_both(data)) == set()


def test_f_2_2_attributes_behind_the_pixels_are_there_and_group_lengths_are_not() -> None:
    length = struct.pack("<HH2sHI", 0x0028, 0, b"UL", 4, 100)
    behind = element(0x8E050010, "LO", b"VOXCAST TEST") + element(0x8E051001, "CS", b"NO")
    data = make_instance(extra=length) + behind + struct.pack("<HH2sHI", 0xFFFC, 0xFFFC, b"OB", 0, 8) + bytes(8)
    document = json_of(data)
    assert document["8E051001"] == {"vr": "CS", "Value": ["NO"]}
    assert "00280000" not in document and "FFFCFFFC" not in document
    scanned = scan_both(data)
    assert scanned.header_length == len(data)
    assert json_of(data[: scanned.header_length]) == document


def test_7_1_elements_out_of_order_and_twice_are_sorted_and_the_last_stays() -> None:
    data = with_extra(element(0x00100020, "LO", b"P2") + element(0x00081030, "LO", b"late"))
    document = json_of(data)
    assert list(document) == sorted(document)
    assert document["00100020"]["Value"] == ["P2"]
    scanned = scan_both(data)
    assert b'"00100020":{"vr":"LO","Value":["P2"]}' in scanned.patient_json and b"P1" not in scanned.patient_json
    assert b"late" in scanned.study_json
