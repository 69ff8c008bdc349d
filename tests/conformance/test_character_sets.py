"""PS3.3 C.12.1.1.2 and PS3.5 6.1: every defined term of Specific Character Set, with the standard's own examples."""

from __future__ import annotations

import json
from typing import Any

import pytest
from data import element, make_instance

from engine.dicom.charset import decode_text
from engine.dicom.scan import dicom_json, scan
from engine.limits import Limits

LIMITS = Limits()
CHARSET = 0x00080005


def instance(term: bytes, raw: bytes, tag: int = 0x00100010, vr: str = "PN") -> bytes:
    """A data set with this Specific Character Set and one text element of these bytes, tags in order."""
    plain = make_instance(patient="")
    at = plain.index(element(0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.2"))
    head, body = plain[:at], plain[at:]
    if tag == 0x00100010:
        body = body.replace(element(tag, "PN", b""), element(tag, vr, raw))
    else:
        body = body.replace(element(0x00200013, "IS", b"1"), element(0x00200013, "IS", b"1") + element(tag, vr, raw))
    return head + element(CHARSET, "CS", term) + body


def read(term: bytes, raw: bytes, tag: int = 0x00100010, vr: str = "PN") -> tuple[Any, set[str]]:
    """The values of the element in DICOM JSON, and the defects that the scan noted."""
    data = instance(term, raw, tag, vr)
    document = json.loads(dicom_json(data, LIMITS, ""))
    assert document["00080005"] == ({"vr": "CS", "Value": ["ISO_IR 192"]} if term else {"vr": "CS"})
    scanned = scan(data, LIMITS)
    value = document[f"{tag:08X}"].get("Value")
    if tag == 0x00100010:
        assert json.loads(scanned.patient_json)["00100010"].get("Value") == value
    return value, {d.code for d in scanned.defects}


def name(*groups: str) -> list[dict[str, str]]:
    keys = ("Alphabetic", "Ideographic", "Phonetic")
    return [{k: g for k, g in zip(keys, groups, strict=False) if g}]


EXAMPLES = {
    "H.3.1 ISO 2022 IR 87": (
        rb"\ISO 2022 IR 87",
        b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
        name("Yamada^Tarou", "山田^太郎", "やまだ^たろう"),
    ),
    "H.3.2 ISO 2022 IR 13": (
        rb"ISO 2022 IR 13\ISO 2022 IR 87",
        b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J",
        name("ﾔﾏﾀﾞ^ﾀﾛｳ", "山田^太郎", "やまだ^たろう"),
    ),
    "I.2 ISO 2022 IR 149": (
        rb"\ISO 2022 IR 149",
        b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
        name("Hong^Gildong", "洪^吉洞", "홍^길동"),
    ),
    "J.1 ISO_IR 192": (
        b"ISO_IR 192",
        b"Wang^XiaoDong=\xe7\x8e\x8b^\xe5\xb0\x8f\xe6\x9d\xb1=",
        name("Wang^XiaoDong", "王^小東"),
    ),
    "J.3 GB18030": (b"GB18030", b"Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab=", name("Wang^XiaoDong", "王^小东")),
    "J.3 GBK": (b"GBK", b"Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab=", name("Wang^XiaoDong", "王^小东")),
    "K.2 ISO 2022 IR 58": (
        rb"\ISO 2022 IR 58",
        b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=",
        name("Zhang^XiaoDong", "张^小东"),
    ),
}


@pytest.mark.parametrize("clause", EXAMPLES)
def test_examples_of_ps3_5_annexes(clause: str) -> None:
    term, raw, expected = EXAMPLES[clause]
    assert read(term, raw) == (expected, set())


# Single-byte sets without code extensions (PS3.3 table C.12-2), each with a name from where it is used.
SINGLE_BYTE = {
    "": (b"Doe^Jane", "Doe^Jane"),
    "ISO_IR 6": (b"Doe^Jane", "Doe^Jane"),
    "ISO_IR 100": (b"Buc^J\xe9r\xf4me", "Buc^Jérôme"),
    "ISO_IR 101": (b"W\xb3odzimierz^\xc6wik\xb3a", "Włodzimierz^Ćwikła"),
    "ISO_IR 109": (b"\xc6ap\xafo^\xa1al", "ĈapŻo^Ħal"),
    "ISO_IR 110": (b"B\xe7rzi\xf1\xb9^J\xe0nis", "Bįrziņš^Jānis"),
    "ISO_IR 144": (b"\xbb\xee\xda\x63\x65\xdc\xd1\x79\xe0\x33", "Люкceмбyр3"),
    "ISO_IR 127": (b"\xe2\xc8\xc7\xe6\xea^\xe4\xe6\xd2\xc7\xd1", "قباني^لنزار"),
    "ISO_IR 126": (b"\xc4\xe9\xef\xed\xf5\xf3\xe9\xef\xf2", "Διονυσιος"),
    "ISO_IR 138": (b"\xf9\xf8\xe5\xef^\xe3\xe1\xe5\xf8\xe4", "שרון^דבורה"),
    "ISO_IR 148": (b"\xc7avu\xfeo\xf0lu", "Çavuşoğlu"),
    "ISO_IR 203": (b"\xbcuvre^100\xa4", "Œuvre^100€"),
    "ISO_IR 166": (b"\xa1\xd2\xc3^\xb7\xb4", "การ^ทด"),
    "ISO_IR 13": (b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3", "ﾔﾏﾀﾞ^ﾀﾛｳ"),
    "ISO_IR 192": ("Łukasz^Ďábel^😀".encode(), "Łukasz^Ďábel^😀"),
    "GB18030": ("王^小东^\U00020bb7".encode("gb18030"), "王^小东^\U00020bb7"),
}


@pytest.mark.parametrize("term", SINGLE_BYTE)
def test_c_12_1_1_2_without_code_extensions(term: str) -> None:
    raw, expected = SINGLE_BYTE[term]
    assert read(term.encode(), raw) == (name(expected), set())


# With code extensions (PS3.3 table C.12-3): the set is designated to G1 and is gone behind the next delimiter.
ESCAPED = {
    "ISO 2022 IR 100": b"\x1b-A", "ISO 2022 IR 101": b"\x1b-B", "ISO 2022 IR 109": b"\x1b-C", "ISO 2022 IR 110": b"\x1b-D",
    "ISO 2022 IR 144": b"\x1b-L", "ISO 2022 IR 127": b"\x1b-G", "ISO 2022 IR 126": b"\x1b-F", "ISO 2022 IR 138": b"\x1b-H",
    "ISO 2022 IR 148": b"\x1b-M", "ISO 2022 IR 203": b"\x1b-b", "ISO 2022 IR 166": b"\x1b-T", "ISO 2022 IR 13": b"\x1b)I",
}  # fmt: skip


@pytest.mark.parametrize("term", ESCAPED)
def test_c_12_1_1_2_with_code_extensions(term: str) -> None:
    raw, expected = SINGLE_BYTE[term.replace("ISO 2022 IR", "ISO_IR")]
    first = expected.split("^")[0]
    value = ESCAPED[term] + raw.split(b"^")[0]
    assert read(b"\\" + term.encode(), value + b"^" + b"B") == (name(f"{first}^B"), set())
    # As the first value it is there from the start, and again behind every delimiter.
    assert read(f"{term}\\ISO 2022 IR 87".encode(), raw) == (name(expected), set())
    # The other spelling of a single term means the same.
    assert read(term.encode(), raw) == (name(expected), set())


def test_table_c_12_4_jis_x_0212() -> None:
    raw = b"\x1b$(D\x30\x21\x1b(B^\x1b$(D\x22\x6f\x1b(B"
    expected = b"\x8f\xb0\xa1^\x8f\xa2\xef".decode("euc_jp")  # the same rows of JIS X 0212 in another encoding
    assert read(rb"\ISO 2022 IR 159", raw) == (name(expected), set())


def test_6_1_2_5_3_delimiters_inside_two_byte_characters_are_none() -> None:
    # ま is 24 5E, 表 is 49 3D, ボ is 25 5C: none of these is a delimiter.
    raw = b"\x1b$B$^I=\x1b(B^\x1b$B%\\\x1b(B"
    assert read(rb"\ISO 2022 IR 87", raw) == (name("ま表^ボ"), set())
    raw = b"\x1b$B%\\\x1b(B\\B"
    assert read(rb"\ISO 2022 IR 87", raw, 0x00204000, "LO") == (["ボ", "B"], set())
    assert read(b"GBK", b"\x81\x5c\\B", 0x00204000, "LO") == ([b"\x81\x5c".decode("gbk"), "B"], set())


def test_6_1_2_5_3_carets_delimit_in_names_only() -> None:
    assert read(rb"\ISO 2022 IR 149", b"\x1b$)C\xb1\xe6^\xb5\xbf=", 0x00204000, "LO") == (["길^동="], set())


def test_6_1_2_5_1_katakana_stays_in_g1_while_kanji_is_in_g0() -> None:
    raw = b"\x1b$B;3ED\xd4\xcf\x1b(J"
    assert read(rb"ISO 2022 IR 13\ISO 2022 IR 87", raw) == (name("山田ﾔﾏ"), set())


TEXTS = {
    "I.3 ISO 2022 IR 149": (
        rb"\ISO 2022 IR 149",
        b"\x1b$)CThe 1st line includes \xb1\xe6\xb5\xbf.\r\n\x1b$)CThe 2nd line includes \xb1\xe6\xb5\xbf, too.\r\nThe 3rd line.",
        "The 1st line includes 길동.\r\nThe 2nd line includes 길동, too.\r\nThe 3rd line.",
    ),
    "J.2 ISO_IR 192": (
        b"ISO_IR 192",
        b"The first line includes \xe4\xb8\xad\xe6\x96\x87.\r\n"
        b"The second line includes \xe4\xb8\xad\xe6\x96\x87, too.\r\nThe third line.",
        "The first line includes 中文.\r\nThe second line includes 中文, too.\r\nThe third line.",
    ),
    "J.4 GB18030": (
        b"GB18030",
        b"The first line includes \xd6\xd0\xce\xc4.\r\nThe second line includes \xd6\xd0\xce\xc4, too.\r\nThe third line.",
        "The first line includes 中文.\r\nThe second line includes 中文, too.\r\nThe third line.",
    ),
    "K.3 ISO 2022 IR 58": (
        rb"\ISO 2022 IR 58",
        b"\x1b$)A1. \xb5\xda\xd2\xbb\xd0\xd0\xce\xc4\xd7\xd6\xa1\xa3\r\n\x1b$)A2. \xb5\xda\xb6\xfe\xd0\xd0\xce\xc4\xd7\xd6\xa1\xa3",
        "1. 第一行文字。\r\n2. 第二行文字。",
    ),
}


@pytest.mark.parametrize("clause", TEXTS)
def test_texts_of_ps3_5_annexes(clause: str) -> None:
    term, raw, expected = TEXTS[clause]
    assert read(term, raw, 0x00204000, "LT") == ([expected], set())


def test_c_12_1_1_2_items_have_their_own_set_or_the_outer_one() -> None:
    latin, cyrillic = element(0x00080104, "LO", b"\xe9"), element(0x00080005, "CS", b"ISO_IR 144")
    items = b"".join(b"\xfe\xff\x00\xe0" + len(i).to_bytes(4, "little") + i for i in (latin, cyrillic + latin, latin))
    value, defects = read(b"ISO_IR 100", items, 0x00204001, "SQ")
    assert [item["00080104"]["Value"] for item in value] == [["é"], ["щ"], ["é"]]
    assert defects == set()


# What the standard does not allow and files contain: as much as can be read, and a defect where it had to be guessed.
ODD = {
    "Latin 1 without a term": (b"", b"J\xe9r\xf4me", "Jérôme", True),
    "UTF-8 without a term": (b"ISO_IR 6", "Jérôme".encode(), "Jérôme", True),
    "unknown term, ASCII": (b"ISO_IR 999", b"Doe", "Doe", False),
    "unknown term, UTF-8": (b"ISO_IR 999", "Jérôme".encode(), "Jérôme", True),
    "unknown term, Latin 1": (b"ISO_IR 999", b"J\xe9r\xf4me", "Jérôme", True),
    "term in another spelling": (b"ISO-IR 100", b"J\xe9r\xf4me", "Jérôme", False),
    "not UTF-8": (b"ISO_IR 192", b"J\xe9r", "J\ufffdr", True),
    "not in the page": (b"ISO_IR 109", b"a\xa5b", "a\ufffdb", True),
    "half a character": (b"GB18030", b"\xcd\xf5\xcd", "王\ufffd", True),
    "unknown escape": (rb"\ISO 2022 IR 87", b"a\x1b$Zb", "ab", True),
    "not designated again behind ^": (rb"\ISO 2022 IR 149", b"\x1b$)C\xfb\xf3^\xd1\xce", "洪^吉", True),
    "not switched back before ^": (rb"\ISO 2022 IR 87", b"\x1b$B;3ED^\x1b$BB@O:", "山田^太郎", True),
}


@pytest.mark.parametrize("what", ODD)
def test_odd_text_is_read_as_far_as_it_can_be(what: str) -> None:
    term, raw, expected, is_defect = ODD[what]
    assert read(term, raw) == (name(expected), {"text-undecodable"} if is_defect else set())


def test_every_term_has_a_codec_that_python_knows() -> None:
    for term in [
        *SINGLE_BYTE,
        *ESCAPED,
        "ISO_IR 87",
        "ISO 2022 IR 87",
        "ISO 2022 IR 159",
        "ISO 2022 IR 149",
        "ISO 2022 IR 58",
    ]:
        assert decode_text(term.encode(), b"A") == ("A", True), term
