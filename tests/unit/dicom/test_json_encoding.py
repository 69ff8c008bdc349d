"""DICOM JSON to Explicit VR Little Endian: every VR, what is rounded, what is refused (PS3.18 F.2, PS3.5 6.2)."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from data import element

from engine.dicom.json_encoding import Encoder, Gap
from engine.dicom.json_model import read_json
from engine.errors import EngineError, MalformedDataSet, TooLarge
from engine.limits import Limits

LIMITS = Limits()


def encode(attributes: dict[str, Any], limits: Limits = LIMITS) -> bytes:
    [read] = read_json(json.dumps(attributes).encode(), limits)
    pieces = [piece for _, of_tag in Encoder(lambda _: 3, limits).elements(read) for piece in of_tag]
    return b"".join(piece if isinstance(piece, bytes) else b"?" * piece.length for piece in pieces)


@pytest.mark.parametrize(
    ("vr", "values", "wanted"),
    [
        ("AE", ["A", "B"], b"A\\B"),
        ("AS", ["030Y"], b"030Y"), ("CS", ["X", None, "Y"], b"X\\\\Y"), ("DA", ["20200101"], b"20200101"),
        ("DS", [1.5, 2, "3.0", None], b"1.5\\2\\3.0\\"), ("DT", ["2020"], b"2020"), ("IS", [5, "6", 7.0], b"5\\6\\7"),
        ("LO", ["a"], b"a"), ("LT", ["a\\b"], b"a\\b"), ("SH", ["a"], b"a"), ("ST", ["a"], b"a"), ("TM", ["12"], b"12"),
        ("UC", ["a", "b"], b"a\\b"), ("UI", ["1.2.3"], b"1.2.3"), ("UR", ["http://a"], b"http://a"), ("UT", ["a"], b"a"),
        ("PN", [{"Alphabetic": "A^B", "Phonetic": "C"}, {"Ideographic": "D"}], b"A^B==C\\=D"), ("PN", ["A^B"], b"A^B"),
        ("AT", ["00100020", "7fe00010"], bytes.fromhex("10002000e07f1000")),
        ("FL", [1.5, "NaN", "-inf"], struct.pack("<3f", 1.5, float("nan"), float("-inf"))),
        ("FD", [0.1], struct.pack("<d", 0.1)), ("SL", [-5], struct.pack("<i", -5)), ("SS", [-5, 1], struct.pack("<hh", -5, 1)),
        ("SV", ["-9223372036854775808"], struct.pack("<q", -(2**63))), ("UL", [4294967295], struct.pack("<I", 2**32 - 1)),
        ("US", [65535, 1.0], struct.pack("<HH", 65535, 1)), ("UV", [18446744073709551615], struct.pack("<Q", 2**64 - 1)),
    ],
)  # fmt: skip
def test_values_of_each_vr(vr: str, values: list[Any], wanted: bytes) -> None:
    got = encode({"00091001": {"vr": vr, "Value": values}})
    at = 12 if vr in ("SV", "UC", "UR", "UT", "UV") else 8
    padding = b"" if len(wanted) % 2 == 0 else b"\0" if vr == "UI" else b" "
    assert (got[:6], got[at:]) == (bytes.fromhex("09000110") + vr.encode(), wanted + padding)
    assert int.from_bytes(got[8:12] if at == 12 else got[6:8], "little") == len(wanted + padding)


def test_binary_values_sequences_and_the_order_of_tags() -> None:
    got = encode(
        {
            "7FE00010": {"vr": "OB", "InlineBinary": "AQID"},
            "00081115": {"vr": "SQ", "Value": [{"0020000e": {"vr": "UI", "Value": ["1.2"]}}, {}]},
            "00100020": {"vr": "LO"},
            "00080000": {"vr": "UL", "Value": [4]},
            "00020010": {"vr": "UI", "Value": ["1.2.840.10008.1.2"]},
            "00083002": {"vr": "UI", "Value": ["1.2.840.10008.1.2"]},
        }
    )
    item = element(0x0020000E, "UI", b"1.2")
    items = struct.pack("<HHI", 0xFFFE, 0xE000, len(item)) + item + struct.pack("<HHI", 0xFFFE, 0xE000, 0)
    wanted = element(0x00081115, "SQ", items) + element(0x00100020, "LO", b"") + element(0x7FE00010, "OB", b"\1\2\3")
    assert got == wanted


def test_text_beyond_ascii_is_utf_8_and_says_so() -> None:
    plain = {"00080005": {"vr": "CS", "Value": ["ISO_IR 100"]}, "00100020": {"vr": "LO", "Value": ["a"]}}
    utf_8 = element(0x00080005, "CS", b"ISO_IR 192")
    assert encode(plain) == utf_8 + element(0x00100020, "LO", b"a")
    nested = {"00081115": {"vr": "SQ", "Value": [{"00081030": {"vr": "LO", "Value": ["ä"]}}]}}
    assert encode(nested).startswith(utf_8)
    assert encode({"00080005": {"vr": "CS"}, "00100020": {"vr": "LO", "Value": ["ä"]}}).startswith(utf_8)
    assert not encode({"00100020": {"vr": "LO", "Value": ["a"]}}).startswith(utf_8)


def test_a_gap_is_as_long_as_the_value_with_its_padding() -> None:
    encoder = Encoder(lambda uri: {"a": 3, "b": 4}[uri], LIMITS)
    found = encoder.elements(
        {
            "7FE00010": {"vr": "OB", "BulkDataURI": "a"},
            "54000100": {"vr": "SQ", "Value": [{"54001010": {"vr": "OW", "BulkDataURI": "b"}}]},
        }
    )
    pieces = [piece for _, of_tag in found for piece in of_tag]
    assert [p for p in pieces if isinstance(p, Gap)] == [Gap("b", "OW", 4), Gap("a", "OB", 4)]
    assert int.from_bytes(pieces[0][8:12], "little") == 8 + 12 + 4  # type: ignore[index]


@pytest.mark.parametrize(
    ("number", "wanted", "is_coerced"),
    [
        ("0.30000000000000004", "0.3", True),
        ("-123456789.123456789", "-123456789.12346", True),
        ("1.2345678901234567e-100", "1.23456789e-100", True),
        ("1234567890.12345", "1234567890.12345", False),
        ('"no number but long enough"', "no number but long enough", False),
    ],
)
def test_decimal_strings_hold_16_characters(number: str, wanted: str, is_coerced: bool) -> None:
    [read] = read_json(f'{{"00281053": {{"vr": "DS", "Value": [{number}]}}}}'.encode(), LIMITS)
    encoder = Encoder(lambda _: 0, LIMITS)
    [(_, [value])] = encoder.elements(read)
    assert isinstance(value, bytes)
    assert (value[8:].decode().rstrip(), encoder.is_coerced) == (wanted, is_coerced)


@pytest.mark.parametrize(
    ("attributes", "says"),
    [
        ({"PatientID": {"vr": "LO"}}, "no tag"),
        ({"00100020": ["a"]}, "no JSON object"),
        ({"00100020": {"vr": "XX"}}, "vr that is none"),
        ({"00100020": {"vr": ["LO"]}}, "vr that is none"),
        ({"00100020": {"vr": "LO", "Value": "a"}}, "no array"),
        ({"00100020": {"vr": "LO", "Value": [5], "BulkDataURI": "a"}}, "Value and BulkDataURI"),
        ({"00100020": {"vr": "LO", "Value": [{}]}}, "is no LO"),
        ({"00100020": {"vr": "LO", "Value": [True]}}, "is no LO"),
        ({"00104000": {"vr": "LT", "Value": ["a", "b"]}}, "is no LT"),
        ({"00100010": {"vr": "PN", "Value": [{"Alphabetic": "a=b"}]}}, "is no PN"),
        ({"00100010": {"vr": "PN", "Value": [{"Latin": "a"}]}}, "is no PN"),
        ({"00280010": {"vr": "US", "Value": [65536]}}, "is no US"),
        ({"00280010": {"vr": "US", "Value": [1.5]}}, "is no US"),
        ({"00280010": {"vr": "US", "Value": [None]}}, "is no US"),
        ({"00189313": {"vr": "FL", "Value": [1e300]}}, "is no FL"),
        ({"00280009": {"vr": "AT", "Value": ["0010"]}}, "is no AT"),
        ({"7FE00010": {"vr": "OW", "Value": [1]}}, "wants InlineBinary"),
        ({"7FE00010": {"vr": "OW", "InlineBinary": "A*=="}}, "no base64"),
        ({"7FE00010": {"vr": "OW", "InlineBinary": "AQID"}}, "no multiple of 2"),
        ({"7FE00010": {"vr": "OW", "BulkDataURI": "three bytes"}}, "no multiple of 2"),
        ({"00100020": {"vr": "LO", "InlineBinary": "AAAA"}}, "cannot have this InlineBinary"),
        ({"00081115": {"vr": "SQ", "BulkDataURI": "a"}}, "cannot have this BulkDataURI"),
        ({"00081115": {"vr": "SQ", "Value": [5]}}, "no JSON object"),
        ({"FFFEE000": {"vr": "UN"}}, "cannot be in a data set"),
        ({"0008002A": {"vr": "DT"}, "0008002a": {"vr": "DT"}}, "stands twice"),
    ],
)
def test_what_cannot_be_an_element_is_refused(attributes: dict[str, Any], says: str) -> None:
    with pytest.raises(MalformedDataSet, match=says):
        encode(attributes)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "no JSON"),
        (b"[", "no JSON"), (b"[{}", "comma"), (b"[{},]", "no JSON"), (b"[{}] x", "follows"), (b"{} {}", "follows"),
        (b"[5]", "JSON object"), (b"null", "JSON object"), (b'{"a": 1, "a": 2}', "twice"), (b"\xff\xfe{}", "UTF-8"),
        (b'{"a":' * 5000, "nested|no JSON"),
    ],
)  # fmt: skip
def test_what_is_no_json_model_is_refused(text: bytes, says: str) -> None:
    with pytest.raises(MalformedDataSet, match=says):
        list(read_json(text, LIMITS))


def test_arrays_objects_and_what_surrounds_them() -> None:
    assert list(read_json(b"[]", LIMITS)) == []
    assert list(read_json(b" \n[ {} , {} ]\n", LIMITS)) == [{}, {}]
    assert list(read_json(b'\xef\xbb\xbf{"a": 1.50}', LIMITS)) == [{"a": "1.50"}]


def test_number_depth_and_size_are_bounded() -> None:
    def raises(setting: str, attributes: dict[str, Any], limits: Limits = LIMITS) -> None:
        with pytest.raises(TooLarge, match=setting):
            encode(attributes, limits)

    nested: dict[str, Any] = {}
    for _ in range(70):
        nested = {"00081115": {"vr": "SQ", "Value": [nested]}}
    raises("sequence_depth_max", nested)
    raises("metadata_values_max", {"00280010": {"vr": "US", "Value": [1] * 50}}, Limits(metadata_values_max=40))
    raises("metadata_bytes_max", {"00280010": {"vr": "US", "Value": [1] * 50}}, Limits(metadata_bytes_max=40))
    raises("elements_max", {f"0009100{n}": {"vr": "US"} for n in range(6)}, Limits(elements_max=5))


def test_an_error_on_the_way_to_a_value_is_passed_on() -> None:
    def missing(uri: str) -> int:
        raise TooLarge(uri, 1, 0, "nothing")

    with pytest.raises(EngineError, match="the limit"):
        Encoder(missing, LIMITS).elements({"7FE00010": {"vr": "OB", "BulkDataURI": "a"}})
