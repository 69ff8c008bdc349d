"""The Native DICOM Model read: XML as a data set of the DICOM JSON Model, nothing in it trusted (PS3.19 A.1).

expat walks the document; what it builds is bounded in depth and number. There is no document type, so there are no entities
to expand and nothing to fetch.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, NoReturn
from xml.parsers import expat

from engine.dicom.dictionary import tag_of
from engine.dicom.json_model import Attributes
from engine.dicom.native_model import COMPONENTS, GROUPS, NAMESPACE
from engine.dicom.private_blocks import PrivateBlocks
from engine.errors import MalformedDataSet, TooLarge
from engine.limits import Limits

_TAG = re.compile(r"[0-9A-Fa-f]{8}")
# Element → those that it may stand in.
_PARENTS = {
    "NativeDicomModel": ("",),
    "DicomAttribute": ("NativeDicomModel", "Item"),
    **dict.fromkeys(("Value", "PersonName", "Item", "BulkData", "InlineBinary"), ("DicomAttribute",)),
    **dict.fromkeys(GROUPS, ("PersonName",)),
    **dict.fromkeys(COMPONENTS, GROUPS),
}
_OF_TEXT = frozenset(("Value", "InlineBinary", *COMPONENTS))


def read_native_model(document: bytes, limits: Limits) -> Attributes:
    """One data set. Values are text, or None for empty ones.

    Raises
    ------
    MalformedDataSet, TooLarge
    """
    if len(document) > limits.metadata_bytes_max:
        raise TooLarge("the metadata", len(document), limits.metadata_bytes_max, "limits.metadata_bytes_max")
    return _Reader(limits).read(document)


@dataclass(slots=True)
class _DataSet:
    attributes: Attributes = field(default_factory=dict)
    private: list[tuple[int, str, dict[str, Any]]] = field(default_factory=list)  # tag, creator, attribute


@dataclass(slots=True)
class _Attribute:
    tag: int
    creator: str
    content: dict[str, Any]


class _Reader:
    def __init__(self, limits: Limits) -> None:
        self._limits, self._count = limits, 0
        self._open: list[str] = [""]
        self._data_sets: list[_DataSet] = []
        self._attributes: list[_Attribute] = []
        self._text: list[str] | None = None
        self._name: dict[str, str] = {}
        self._components: dict[str, str] = {}
        self._result: Attributes | None = None

    def read(self, document: bytes) -> Attributes:
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = _refuse_document_type
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        try:
            parser.Parse(document, True)
        except expat.ExpatError as error:
            raise MalformedDataSet(f"no XML ({expat.ErrorString(error.code)})", parser.ErrorByteIndex) from None
        except (LookupError, ValueError):  # what pyexpat makes of encodings that Python does not know, or not so
            raise MalformedDataSet("the XML is in an unknown encoding") from None
        if self._result is None:
            raise MalformedDataSet("no NativeDicomModel in the XML")
        return self._result

    def _start(self, name: str, said: dict[str, str]) -> None:
        space, _, name = name.rpartition(" ")
        if space not in ("", NAMESPACE) or self._open[-1] not in _PARENTS.get(name, ()):
            raise MalformedDataSet(
                f"{name[:40]!r} inside {self._open[-1] or 'nothing'!r} is not of the Native DICOM Model"
            )
        self._charge(1)
        self._open.append(name)
        match name:
            case "NativeDicomModel" | "Item":
                if name == "Item":
                    self._number(said)
                if len(self._data_sets) > self._limits.sequence_depth_max:
                    depth = len(self._data_sets)
                    raise TooLarge(
                        "sequence depth", depth, self._limits.sequence_depth_max, "limits.sequence_depth_max"
                    )
                self._data_sets.append(_DataSet())
            case "DicomAttribute":
                self._attributes.append(_begin(said))
            case "Value" | "PersonName":
                self._number(said)
                self._name = {}
            case "BulkData":
                uri = said.get("uri") or (f"urn:uuid:{said['uuid']}" if said.get("uuid") else "")
                if not uri or self._attributes[-1].content.keys() != {"vr"}:
                    raise MalformedDataSet("a BulkData without uri, or beside other values")
                self._attributes[-1].content["BulkDataURI"] = uri
            case _ if name in GROUPS:
                self._components = {}
        if name in _OF_TEXT:
            self._text = []

    def _end(self, name: str) -> None:
        name = name.rpartition(" ")[2]
        self._open.pop()
        text = "" if self._text is None else "".join(self._text)
        self._text = None
        match name:
            case "NativeDicomModel":
                self._result = _settled(self._data_sets.pop())
            case "Item":
                self._values().append(_settled(self._data_sets.pop()))
            case "DicomAttribute":
                self._keep(self._attributes.pop())
            case "Value":
                self._values().append(text or None)
            case "PersonName":
                self._values().append(self._name or None)
            case "InlineBinary":
                if self._attributes[-1].content.keys() != {"vr"}:
                    raise MalformedDataSet("an InlineBinary beside other values")
                self._attributes[-1].content["InlineBinary"] = text
            case _ if name in GROUPS:
                count = max((COMPONENTS.index(one) + 1 for one in self._components), default=0)
                self._name[name] = "^".join(self._components.get(one, "") for one in COMPONENTS[:count])
            case _ if name in COMPONENTS:
                self._components[name] = text

    def _characters(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)
        elif text.strip(" \t\r\n"):
            raise MalformedDataSet(f"text inside {self._open[-1]!r}")

    def _values(self) -> list[Any]:
        content = self._attributes[-1].content
        if not content.keys() <= {"vr", "Value"}:
            raise MalformedDataSet("a value beside BulkData or InlineBinary")
        values: list[Any] = content.setdefault("Value", [])
        return values

    def _number(self, said: dict[str, str]) -> None:
        """``number`` counts from 1; values that it passes over are empty."""
        text, values = said.get("number", ""), self._values()
        if not text:
            return
        if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) > len(values)):
            raise MalformedDataSet("values that are not in the order of their number")
        passed_over = int(text) - 1 - len(values)
        self._charge(passed_over)
        values += [None] * passed_over

    def _charge(self, count: int) -> None:
        self._count += count
        limit = self._limits.metadata_values_max
        if self._count > limit:
            raise TooLarge("the number of values", self._count, limit, "limits.metadata_values_max")

    def _keep(self, attribute: _Attribute) -> None:
        into = self._data_sets[-1]
        if attribute.creator:
            into.private.append((attribute.tag, attribute.creator, attribute.content))
        elif into.attributes.setdefault(f"{attribute.tag:08X}", attribute.content) is not attribute.content:
            raise MalformedDataSet(f"{attribute.tag:08X} stands twice in a data set")


def _refuse_document_type(*_: object) -> NoReturn:
    raise MalformedDataSet("a document type in the XML; the Native DICOM Model has none")


def _begin(said: dict[str, str]) -> _Attribute:
    tag, vr = said.get("tag", ""), said.get("vr", "")
    if _TAG.fullmatch(tag):
        number = int(tag, 16)
    else:
        try:
            number = tag_of(said.get("keyword", ""))
        except KeyError:
            raise MalformedDataSet("a DicomAttribute without a tag of eight hexadecimal digits") from None
    creator = said.get("privateCreator", "").strip(" ") if number >> 16 & 1 else ""
    return _Attribute(number, creator, {"vr": vr} if vr else {"vr": None})


def _settled(found: _DataSet) -> Attributes:
    """With every private element in the block that its creator has in this data set."""
    blocks = PrivateBlocks(found.attributes)
    for tag, creator, attribute in found.private:
        placed = f"{blocks.place(tag, creator):08X}"
        if placed in found.attributes:
            raise MalformedDataSet(f"{placed} stands twice in a data set")
        found.attributes[placed] = attribute
    return found.attributes
