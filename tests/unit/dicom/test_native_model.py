"""The Native DICOM Model: what is written, what is read, and what is refused before it costs anything (PS3.19 A.1)."""

from __future__ import annotations

from typing import Any

import pytest

from engine.dicom.native_model import NAMESPACE, native_model
from engine.dicom.native_model_reading import read_native_model
from engine.errors import MalformedDataSet, TooLarge
from engine.limits import Limits

LIMITS = Limits()


def model(inside: str, head: str = "") -> bytes:
    return f'{head}<NativeDicomModel xmlns="{NAMESPACE}">{inside}</NativeDicomModel>'.encode()


def attribute(tag: str, vr: str, inside: str, more: str = "") -> str:
    return f'<DicomAttribute tag="{tag}" vr="{vr}"{more}>{inside}</DicomAttribute>'


def test_every_kind_of_value_is_written_as_the_standard_has_it() -> None:
    written = native_model(
        {
            "00080008": {"vr": "CS", "Value": ["ORIGINAL", None, "AXIAL"]},
            "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Doe^Jane^^Dr", "Ideographic": "王^小東"}]},
            "00091001": {"vr": "OB", "InlineBinary": "AAE="},
            "00090010": {"vr": "LO", "Value": ['ACME & "Co"']},
            "00081115": {"vr": "SQ", "Value": [{"0020000E": {"vr": "UI", "Value": ["1.2"]}}, {}]},
            "7FE00010": {"vr": "OW", "BulkDataURI": "/bulk?a=1&b=2"},
            "00104000": {"vr": "LT", "Value": ["a<b\r\nc\x0c"]},
            "00100020": {"vr": "LO"},
        }
    ).decode()
    assert written.startswith('<?xml version="1.0" encoding="UTF-8"?>')
    for part in (
        '<DicomAttribute tag="00080008" vr="CS" keyword="ImageType"><Value number="1">ORIGINAL</Value><Value number="2"/>'
        '<Value number="3">AXIAL</Value></DicomAttribute>',
        '<PersonName number="1"><Alphabetic><FamilyName>Doe</FamilyName><GivenName>Jane</GivenName><MiddleName/>'
        "<NamePrefix>Dr</NamePrefix></Alphabetic><Ideographic><FamilyName>王</FamilyName><GivenName>小東</GivenName>"
        "</Ideographic></PersonName>",
        'tag="00091001" vr="OB" privateCreator="ACME &amp; &quot;Co&quot;"><InlineBinary>AAE=</InlineBinary>',
        '<Item number="1"><DicomAttribute tag="0020000E" vr="UI" keyword="SeriesInstanceUID"><Value number="1">1.2</Value>'
        '</DicomAttribute></Item><Item number="2"></Item>',
        '<BulkData uri="/bulk?a=1&amp;b=2"/>',
        '<Value number="1">a&lt;b&#13;&#10;c\ufffd</Value>',
        '<DicomAttribute tag="00100020" vr="LO" keyword="PatientID"/>',
    ):
        assert part in written


def test_what_was_written_is_read_again() -> None:
    attributes: dict[str, Any] = {
        "00080008": {"vr": "CS", "Value": ["ORIGINAL", None, "AXIAL"]},
        "00090010": {"vr": "LO", "Value": ["ACME"]},
        "00091001": {"vr": "OB", "InlineBinary": "AAE="},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Doe^Jane^^", "Phonetic": "ド^ジ^a^b^c^d"}, None]},
        "00104000": {"vr": "LT", "Value": [" a<b\r\n]]>&amp; "]},
        "00081115": {"vr": "SQ", "Value": [{"0020000E": {"vr": "UI", "Value": ["1.2"]}}, {}]},
        "7FE00010": {"vr": "OW", "BulkDataURI": "/bulk?a=1&b=2"},
        "00100020": {"vr": "LO"},
    }
    assert read_native_model(native_model(attributes), LIMITS) == attributes


def test_private_elements_find_the_block_of_their_creator() -> None:
    read = read_native_model(
        model(
            attribute("00090010", "LO", '<Value number="1">OTHER</Value>')
            + attribute("00090011", "LO", '<Value number="1">ACME</Value>')
            + attribute("00090001", "LO", '<Value number="1">by 00</Value>', ' privateCreator="ACME"')
            + attribute("00091002", "LO", '<Value number="1">by another\'s block</Value>', ' privateCreator="ACME"')
            + attribute("00091003", "LO", '<Value number="1">of nobody known</Value>', ' privateCreator="NEW"')
            + attribute("00091001", "LO", '<Value number="1">kept</Value>', ' privateCreator="OTHER"')
        ),
        LIMITS,
    )
    assert {tag: one["Value"][0] for tag, one in read.items()} == {
        "00090010": "OTHER",
        "00090011": "ACME",
        "00090012": "NEW",
        "00091001": "kept",
        "00091101": "by 00",
        "00091102": "by another's block",
        "00091203": "of nobody known",
    }


def test_a_creator_of_two_blocks_keeps_both() -> None:
    attributes: dict[str, Any] = {
        "00090010": {"vr": "LO", "Value": ["ACME"]},
        "00090011": {"vr": "LO", "Value": ["ACME"]},
        "00091001": {"vr": "LO", "Value": ["a"]},
        "00091101": {"vr": "LO", "Value": ["b"]},
    }
    assert read_native_model(native_model(attributes), LIMITS) == attributes


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (model("", '<!DOCTYPE a [<!ENTITY b "c">]>'), "a document type"),
        (model("", '<!DOCTYPE a SYSTEM "file:///etc/passwd">'), "a document type"),
        (model("&b;"), "no XML"),
        (b"", "no XML"),
        (b"<a/>", "not of the Native DICOM Model"),
        (b'<NativeDicomModel xmlns="urn:other"/>', "not of the Native DICOM Model"),
        (model("<Item/>"), "not of the Native DICOM Model"),
        (model("text"), "text inside"),
        (model('<DicomAttribute tag="0010" vr="LO"/>'), "without a tag"),
        (model(attribute("00100020", "LO", "") * 2), "stands twice"),
        (model(attribute("00100020", "LO", '<Value number="2">a</Value><Value number="1">b</Value>')), "order of their number"),
        (model(attribute("00100020", "LO", '<Value number="-1">a</Value>')), "order of their number"),
        (model(attribute("7FE00010", "OW", "<BulkData/>")), "without uri"),
        (model(attribute("7FE00010", "OW", '<InlineBinary>AA==</InlineBinary><BulkData uri="a"/>')), "beside other values"),
        (model(attribute("7FE00010", "OW", '<BulkData uri="a"/><Value>1</Value>')), "beside BulkData"),
        (model(attribute("00091001", "LO", "", ' privateCreator="A"')
               + attribute("00090001", "LO", "", ' privateCreator="A"')), "stands twice"),
        (b'<?xml version="1.0" encoding="no-such"?><NativeDicomModel/>', "encoding"),
        (model("") + b"<more/>", "no XML"),
    ],
)  # fmt: skip
def test_what_is_no_model_is_refused(document: bytes, says: str) -> None:
    with pytest.raises(MalformedDataSet, match=says):
        read_native_model(document, LIMITS)


def test_depth_number_and_size_are_bounded() -> None:
    nested = '<DicomAttribute tag="00081115" vr="SQ"><Item>'
    with pytest.raises(TooLarge, match="sequence_depth_max"):
        read_native_model(model(nested * 70 + "</Item></DicomAttribute>" * 70), LIMITS)
    with pytest.raises(TooLarge, match="metadata_values_max"):
        read_native_model(model(attribute("00100020", "LO", '<Value number="99999999">a</Value>')), LIMITS)
    with pytest.raises(TooLarge, match="metadata_values_max"):
        read_native_model(model(attribute("00100020", "LO", "<Value/>" * 50)), Limits(metadata_values_max=40))
    with pytest.raises(TooLarge, match="metadata_bytes_max"):
        read_native_model(model(""), Limits(metadata_bytes_max=20))


def test_other_encodings_and_no_namespace_are_read() -> None:
    inside = attribute("00100020", "LO", "<Value>Müller</Value>")
    text = '<?xml version="1.0" encoding="{}"?><NativeDicomModel>' + inside + "</NativeDicomModel>"
    for encoding in ("ISO-8859-1", "UTF-16"):
        read = read_native_model(text.format(encoding).encode(encoding), LIMITS)
        assert read == {"00100020": {"vr": "LO", "Value": ["Müller"]}}
