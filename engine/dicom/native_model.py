"""The Native DICOM Model: a data set of the DICOM JSON Model as XML (PS3.19 A.1, PS3.18 8.7.3.2)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from engine.dicom.dictionary import keyword_of
from engine.dicom.json_model import Attributes

NAMESPACE = "http://dicom.nema.org/PS3.19/models/NativeDICOM"
GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
COMPONENTS = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")

_HEAD = f'<?xml version="1.0" encoding="UTF-8"?>\n<NativeDicomModel xmlns="{NAMESPACE}" xml:space="preserve">'
_END = "</NativeDicomModel>\n"
# Not one of these can stand in XML 1.0, not even as a reference: form feeds, escapes, surrogates.
_IMPOSSIBLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# A parser makes a line feed of a carriage return, and spaces of both in an attribute, unless they are references.
_ESCAPED = re.compile('[&<>"\r\n\t]')
_REFERENCES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;", "\n": "&#10;", "\t": "&#9;"}


def native_model(attributes: Attributes) -> bytes:
    """One XML document; numbers as they are given (text keeps its digits)."""
    out = [_HEAD]
    _data_set(out, attributes)
    out.append(_END)
    return "".join(out).encode("utf_8")


def native_models(documents: bytes) -> Iterator[bytes]:
    """An XML document of each data set in a JSON array that this program made."""
    text = documents.decode("utf_8", "surrogatepass")
    decoder = json.JSONDecoder(parse_float=str, parse_int=str)
    at = 1
    while at < len(text) - 1:
        attributes, at = decoder.raw_decode(text, at)
        at += 1  # the comma or the end
        yield native_model(attributes)


def _data_set(out: list[str], attributes: Mapping[str, Any]) -> None:
    for tag, attribute in attributes.items():
        vr = attribute["vr"]
        out.append(f'<DicomAttribute tag="{tag}" vr="{vr}"')
        if keyword := keyword_of(int(tag, 16)):
            out.append(f' keyword="{keyword}"')
        elif creator := private_creator(attributes, tag):
            out.append(f' privateCreator="{_escaped(creator)}"')
        content: list[str] = []
        _content(content, vr, attribute)
        if content:
            out.append(">")
            out += content
            out.append("</DicomAttribute>")
        else:
            out.append("/>")


def private_creator(attributes: Mapping[str, Any], tag: str) -> str:
    """Who reserved the block of a private element (PS3.5 7.8.1); "" for one that is not private, or whose maker is not named."""
    if int(tag[3], 16) % 2 == 0 or tag[4:6] == "00":
        return ""
    values = attributes.get(f"{tag[:4]}00{tag[4:6]}", {}).get("Value") or [""]
    return values[0] if isinstance(values[0], str) else ""


def _content(out: list[str], vr: str, attribute: Mapping[str, Any]) -> None:
    if "BulkDataURI" in attribute:
        out.append(f'<BulkData uri="{_escaped(attribute["BulkDataURI"])}"/>')
    elif "InlineBinary" in attribute:
        out.append(f"<InlineBinary>{attribute['InlineBinary']}</InlineBinary>")
    else:
        _values(out, vr, attribute.get("Value") or ())


def _values(out: list[str], vr: str, values: Sequence[Any]) -> None:
    for number, value in enumerate(values, 1):
        match vr:
            case "SQ":
                out.append(f'<Item number="{number}">')
                _data_set(out, value or {})
                out.append("</Item>")
            case "PN" if value is not None:
                out.append(f'<PersonName number="{number}">')
                _name(out, value)
                out.append("</PersonName>")
            case _ if value is not None:
                out.append(f'<Value number="{number}">{_escaped(str(value))}</Value>')
            case _:  # an empty value between others
                out.append(f'<{"PersonName" if vr == "PN" else "Value"} number="{number}"/>')


def _name(out: list[str], name: Mapping[str, str]) -> None:
    for group in GROUPS:
        if text := name.get(group):
            out.append(f"<{group}>")
            # More than five components are none of the standard's; they stay with the last.
            for component, part in zip(COMPONENTS, text.split("^", len(COMPONENTS) - 1), strict=False):
                out.append(f"<{component}>{_escaped(part)}</{component}>" if part else f"<{component}/>")
            out.append(f"</{group}>")


def _escaped(text: str) -> str:
    if not text.isascii() or not text.isprintable():
        text = _IMPOSSIBLE.sub("\ufffd", text)
    return _ESCAPED.sub(lambda found: _REFERENCES[found[0]], text)
