"""DICOM JSON and the Native DICOM Model from outside: any document gives a data set or an error of ours; what we write, we read."""

from __future__ import annotations

import json
import struct
from typing import Any

from data import EXPLICIT, element
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scanning import value_at

from engine.dicom.json_encoding import Encoder, Gap
from engine.dicom.json_model import read_json
from engine.dicom.native_model import COMPONENTS, GROUPS, NAMESPACE, native_models
from engine.dicom.native_model_reading import read_native_model
from engine.dicom.part10 import file_meta
from engine.dicom.scan import dicom_json
from engine.errors import EngineError
from engine.limits import Limits

# Small, so that documents of any size meet them.
LIMITS = Limits(
    metadata_bytes_max=20_000, metadata_values_max=500, elements_max=100, sequence_depth_max=6, json_value_bytes_max=64
)
VRS = (
    *("AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "LT", "OB", "OD", "OF", "OL", "OV", "OW"),
    *("PN", "SH", "SL", "SQ", "SS", "ST", "SV", "TM", "UC", "UI", "UL", "UN", "UR", "US", "UT", "UV"),
)
URI = "bulk"


# -- what comes from outside

anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=12,
)
tags = st.one_of(
    st.sampled_from(["00080005", "00080018", "00100010", "00091001", "00090010", "7FE00010", "00020010", "FFFEE000"]),
    st.integers(0, 2**32 - 1).map("{:08X}".format),
    st.text("0123456789abcdefABCDEFg ", max_size=9),
)
names = st.one_of(st.sampled_from(["vr", "Value", "InlineBinary", "BulkDataURI", *GROUPS]), st.text(max_size=4))


def _nearly(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Data sets that have the right names, and now and then the right content."""
    content = st.one_of(anything, st.lists(st.one_of(anything, inner), max_size=3), st.just("AAAA"), st.just(URI))
    attribute = st.one_of(
        st.fixed_dictionaries({"vr": st.sampled_from(VRS)}, optional={"Value": content, "InlineBinary": content}),
        st.fixed_dictionaries({}, optional={"vr": st.text(max_size=3), "Value": content, "BulkDataURI": content}),
        st.dictionaries(names, content, max_size=3),
    )
    return st.dictionaries(tags, attribute, max_size=4)


nearly = st.recursive(st.just({}), _nearly, max_leaves=4)


@st.composite
def mutated(draw: st.DrawFn, documents: st.SearchStrategy[bytes]) -> bytes:
    """A document with a few bytes changed, doubled or gone."""
    data = bytearray(draw(documents))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        match draw(st.sampled_from(["set", "insert", "cut", "move"])):
            case "set":
                data[at : at + 1] = draw(st.binary(min_size=1, max_size=2))
            case "insert":
                data[at:at] = draw(st.one_of(st.binary(max_size=3), st.sampled_from(FRAGMENTS)))
            case "cut":
                del data[at : at + draw(st.integers(1, 40))]
            case _:
                data[at:at] = data[at : at + draw(st.integers(1, 60))]
    return bytes(data)


FRAGMENTS = (
    b'{"', b'"}', b"[[[[[[[[", b"]", b",", b"null", b"1e999", b"-", b"NaN", b"\\u0000", b"\\ud800", b"\xef\xbb\xbf", b"\xff\xfe",
    b"<Item>", b"</Item>", b"<Value/>", b'<Value number="9">', b"<BulkData/>", b"<!DOCTYPE a>", b"<!--", b"-->", b"&#0;", b"&a;",
    b"<![CDATA[", b"]]>", b"<?a b?>", b'number="999999999"', b'privateCreator="a"', b'tag="00090010"', b' vr="SQ"',
)  # fmt: skip


def used(attributes: dict[str, Any]) -> None:
    """As storing uses what was read: it is encoded, bulk data of any length beside it."""
    encoder = Encoder(lambda uri: len(uri) % 7, LIMITS)
    for number, pieces in encoder.elements(attributes):
        assert 0x0001_0001 <= number < 0xFFFE_0000
        assert all(isinstance(piece, bytes | Gap) for piece in pieces)


def take_json(document: bytes) -> None:
    try:
        for attributes in read_json(document, LIMITS):
            used(attributes)
    except EngineError as error:
        assert str(error)


def take_xml(document: bytes) -> None:
    try:
        used(read_native_model(document, LIMITS))
    except EngineError as error:
        assert str(error)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=60), st.text(max_size=60).map(lambda text: text.encode("utf_8", "surrogatepass"))))
@example(b"")
@example(b"[")
@example(b"[{},")
@example(b'{"00100010":')
@example(b"[" * 400)
@example(b'{"00081115":{"vr":"SQ","Value":[' * 60)
@example(b'{"00100020":{"vr":"LO","Value":["\\ud800"]}}')
@example(b'{"00280010":{"vr":"US","Value":[' + b"9" * 5000 + b"]}}")
@example(b"<a" * 400)
@example(b"<?xml version='1.0' encoding='utf-7'?><a/>")
@example(b"<?xml version='1.0' encoding='utf_16'?><a/>")
@example(b"<?xml version='1.0' encoding='idna'?><a/>")
def test_bytes_of_any_kind(document: bytes) -> None:
    take_json(document)
    take_xml(document)


@settings(max_examples=400, deadline=None)
@given(st.one_of(anything, st.lists(nearly, max_size=3), nearly))
def test_json_of_any_shape(value: Any) -> None:
    take_json(json.dumps(value).encode())


said = st.fixed_dictionaries(
    {},
    optional={
        "tag": tags,
        "vr": st.sampled_from([*VRS, "", "xx"]),
        "keyword": st.just("PatientName"),
        "uri": st.just("b"),
        "number": st.sampled_from(["1", "2", "-1", "9999999999"]),
        "privateCreator": st.sampled_from(["", "a", "b" * 70]),
    },
)
element_names = st.sampled_from(
    ["DicomAttribute", "Value", "PersonName", "Item", "BulkData", "InlineBinary", *GROUPS, COMPONENTS[0], "a"]
)


def _element(name: str, attributes: dict[str, str], text: str, inner: list[str]) -> str:
    head = name + "".join(f' {key}="{_escaped(value)}"' for key, value in attributes.items())
    return f"<{head}>{text}{''.join(inner)}</{name}>"


def _elements(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Elements of the model, and a few others, inside each other in any way."""
    text = st.sampled_from(["", " ", "AAAA", "1.5", "&#252;"])
    return st.builds(_element, element_names, said, text, st.lists(inner, max_size=3))


elements_of_xml = st.recursive(st.sampled_from(["<Value>1</Value>", "<Item/>"]), _elements, max_leaves=5)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")


@settings(max_examples=400, deadline=None)
@given(st.lists(elements_of_xml, max_size=4))
def test_xml_of_any_shape(inner: list[str]) -> None:
    take_xml(f'<NativeDicomModel xmlns="{NAMESPACE}">{"".join(inner)}</NativeDicomModel>'.encode())


# -- what we write


def _text(alphabet: str, least: int = 1, most: int = 8) -> st.SearchStrategy[str]:
    return st.text(alphabet, min_size=least, max_size=most).filter(lambda t: t == t.strip())


letters = _text("aZ09 _äß字🙂'&<>\"\u0301")
lines = st.text("aZ \r\n\t\\字&<>", min_size=1, max_size=20).map(lambda text: text.rstrip(" ")).filter(bool)
codes = _text("ABZ09_ ")
decimals = st.one_of(
    st.integers(-(10**9), 10**9).map(str), st.integers(-999, 999).map(lambda n: json.dumps(n / 8))
)  # fmt: skip
person_names = st.lists(_text("aZ 字'"), min_size=1, max_size=5).map("^".join)
packed = {"SS": "h", "US": "H", "SL": "i", "UL": "I", "SV": "q", "UV": "Q", "FL": "f", "FD": "d"}
words = {"OB": 1, "OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8, "UN": 1}
texts: dict[str, st.SearchStrategy[str]] = {
    "AE": codes, "AS": st.just("030Y"), "CS": codes, "DA": st.just("20200131"), "DS": decimals, "DT": st.just("2020013112+0100"),
    "IS": st.integers(-(2**31), 2**31 - 1).map(str), "LO": letters, "SH": letters, "TM": st.just("1201"), "UC": letters,
    "UI": st.lists(st.integers(0, 99).map(str), min_size=2, max_size=6).map(".".join),
    "PN": st.lists(person_names, min_size=1, max_size=3).map("=".join),
}  # fmt: skip
single = {"LT": lines, "ST": lines, "UT": lines, "UR": _text("a:/.%&")}


def _numbers(vr: str) -> st.SearchStrategy[bytes]:
    code = packed[vr]
    width = 8 * struct.calcsize(code)
    if vr in ("FL", "FD"):
        numbers: st.SearchStrategy[Any] = st.floats(width=width, allow_nan=False)  # type: ignore[arg-type]
    else:
        numbers = (
            st.integers(-(1 << width - 1), (1 << width - 1) - 1) if code.islower() else st.integers(0, (1 << width) - 1)
        )
    return st.lists(numbers, min_size=1, max_size=3).map(lambda n: struct.pack(f"<{len(n)}{code}", *n))


def values(vr: str, depth: int) -> st.SearchStrategy[bytes]:
    """The bytes of a value as PS3.5 has them, without padding."""
    if vr in packed:
        return _numbers(vr)
    if vr in words:
        unit = words[vr]
        long = st.integers(LIMITS.json_value_bytes_max, 100).map(lambda n: bytes(range(n * unit % 256)) + bytes(unit))
        return (
            st.one_of(st.binary(min_size=1, max_size=6), long)
            .map(lambda b: b * unit)
            .map(lambda b: b + bytes(len(b) % 2))
        )
    if vr == "AT":
        return st.lists(st.binary(min_size=4, max_size=4), min_size=1, max_size=3).map(b"".join)
    if vr == "SQ":
        items = st.lists(data_sets(depth + 1), max_size=2)
        return items.map(lambda all_: b"".join(struct.pack("<HHI", 0xFFFE, 0xE000, len(one)) + one for one in all_))
    if vr in single:
        return single[vr].map(str.encode)
    several = st.lists(st.one_of(texts[vr], st.just("")), min_size=1, max_size=3).filter(
        lambda v: v[0] != "" and v[-1] != ""
    )
    return several.map("\\".join).map(str.encode)


@st.composite
def data_sets(draw: st.DrawFn, depth: int = 0) -> bytes:
    """Elements in the order of their tags, public and private, empty ones too."""
    found: dict[int, bytes] = {}
    for _ in range(draw(st.integers(0, 4))):
        vr = draw(st.sampled_from([v for v in VRS if v != "SQ" or depth < 2]))
        value = draw(st.one_of(st.just(b""), values(vr, depth)))
        if vr == "UN" or draw(st.booleans()):  # one that the dictionary knows is not unknown
            group, block = draw(st.sampled_from([0x0009, 0x0019, 0x7FDF])), draw(st.sampled_from([0x10, 0x11, 0xFF]))
            found[group << 16 | block] = element(group << 16 | block, "LO", b"MAKER %02X" % block)
            tag = group << 16 | block << 8 | draw(st.integers(0, 255))
        else:
            tag = draw(st.sampled_from([0x0010_0010, 0x0018_1000, 0x0040_A730, 0x3004_0050, 0x5400_0100])) + draw(
                st.integers(0, 9)
            )
        found[tag] = element(tag, vr, value)
    return b"".join(found[tag] for tag in sorted(found))


UTF_8 = element(0x0008_0005, "CS", b"ISO_IR 192")
IDENTITY = element(0x0008_0016, "UI", b"1.2") + element(0x0008_0018, "UI", b"1.2.3")


@settings(max_examples=500, deadline=None)
@given(data_sets())
def test_a_data_set_as_json_and_as_xml_and_back_is_the_same_bytes(inner: bytes) -> None:
    data_set = UTF_8 + IDENTITY + inner
    content = file_meta(sop_class_uid="1.2", sop_instance_uid="1.2.3", transfer_syntax_uid=EXPLICIT) + data_set
    limits = Limits(json_value_bytes_max=64)
    document = dicom_json(content, limits, URI)

    def value(uri: str) -> bytes:
        path = [int(part, 10 if i % 2 else 16) for i, part in enumerate(uri.removeprefix(f"{URI}/").split("/"))]
        found = value_at(content, path)
        assert found is not None
        return found

    [attributes] = read_json(b"[" + document + b"]", limits)
    [xml] = native_models(b"[" + document + b"]")
    for read in (attributes, read_native_model(xml, limits)):
        encoder = Encoder(lambda uri: len(value(uri)), limits)
        pieces = [piece for _, of_tag in encoder.elements(read) for piece in of_tag]
        assert b"".join(value(p.uri) if isinstance(p, Gap) else p for p in pieces) == data_set
        assert not encoder.is_coerced


# -- and the same, damaged


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_documents_of_ours_that_were_damaged(data: st.DataObject) -> None:
    inner = data.draw(data_sets())
    content = (
        file_meta(sop_class_uid="1.2", sop_instance_uid="1.2.3", transfer_syntax_uid=EXPLICIT)
        + UTF_8
        + IDENTITY
        + inner
    )
    document = b"[" + dicom_json(content, LIMITS, URI) + b"]"
    take_json(data.draw(mutated(st.just(document))))
    [xml] = native_models(document)
    take_xml(data.draw(mutated(st.just(xml))))
