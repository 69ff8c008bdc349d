"""Command sets: what a DIMSE message asks or answers, in implicit VR little endian, group 0000 (PS3.7 chapter 9, 10, annex E)."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Any

from engine.errors import MalformedDataSet

Value = int | str | tuple[int, ...]

C_STORE, C_GET, C_FIND, C_MOVE, C_ECHO, C_CANCEL = 0x0001, 0x0010, 0x0020, 0x0021, 0x0030, 0x0FFF
N_EVENT_REPORT, N_GET, N_SET, N_ACTION, N_CREATE, N_DELETE = 0x0100, 0x0110, 0x0120, 0x0130, 0x0140, 0x0150
RESPONSE = 0x8000  # with the field of its request
NO_DATA_SET = 0x0101
NAMES = {
    C_STORE: "C-STORE", C_GET: "C-GET", C_FIND: "C-FIND", C_MOVE: "C-MOVE", C_ECHO: "C-ECHO", C_CANCEL: "C-CANCEL",
    N_EVENT_REPORT: "N-EVENT-REPORT", N_GET: "N-GET", N_SET: "N-SET", N_ACTION: "N-ACTION", N_CREATE: "N-CREATE",
    N_DELETE: "N-DELETE",
}  # fmt: skip

_ELEMENTS = {  # PS3.7 annex E.1
    0x0002: ("AffectedSOPClassUID", "UI"),
    0x0003: ("RequestedSOPClassUID", "UI"),
    0x0100: ("CommandField", "US"),
    0x0110: ("MessageID", "US"),
    0x0120: ("MessageIDBeingRespondedTo", "US"),
    0x0600: ("MoveDestination", "AE"),
    0x0700: ("Priority", "US"),
    0x0800: ("CommandDataSetType", "US"),
    0x0900: ("Status", "US"),
    0x0901: ("OffendingElement", "AT"),
    0x0902: ("ErrorComment", "LO"),
    0x0903: ("ErrorID", "US"),
    0x1000: ("AffectedSOPInstanceUID", "UI"),
    0x1001: ("RequestedSOPInstanceUID", "UI"),
    0x1002: ("EventTypeID", "US"),
    0x1005: ("AttributeIdentifierList", "AT"),
    0x1008: ("ActionTypeID", "US"),
    0x1020: ("NumberOfRemainingSuboperations", "US"),
    0x1021: ("NumberOfCompletedSuboperations", "US"),
    0x1022: ("NumberOfFailedSuboperations", "US"),
    0x1023: ("NumberOfWarningSuboperations", "US"),
    0x1030: ("MoveOriginatorApplicationEntityTitle", "AE"),
    0x1031: ("MoveOriginatorMessageID", "US"),
}
_NUMBER_OF = {keyword: (number, vr) for number, (keyword, vr) in _ELEMENTS.items()}
_AFFECTED = ("AffectedSOPClassUID", "AffectedSOPInstanceUID")
_REQUESTED = {"RequestedSOPClassUID": "AffectedSOPClassUID", "RequestedSOPInstanceUID": "AffectedSOPInstanceUID"}
_COMMENT_CHARACTERS_MAX = 64  # LO


class Command(Mapping[str, Value]):
    """Values by keyword; never changed. `encode` gives the bytes with their group length.

    Parameters
    ----------
    values : int for US, str for UI, AE and LO, a tuple of tags for AT. None and what is empty are left out.
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Value | None]) -> None:
        self._values = {keyword: value for keyword, value in values.items() if value not in (None, "", ())}

    @classmethod
    def parse(cls, data: bytes) -> Command:
        """Elements that no message of the standard has (and retired ones) are passed over.

        Raises
        ------
        MalformedDataSet : lengths that contradict each other, a number that is none, no CommandField.
        """
        values: dict[str, Value | None] = {}
        at = 0
        while at < len(data):
            if len(data) - at < 8:
                raise MalformedDataSet("the command set ends within an element")
            group, number, length = struct.unpack_from("<HHI", data, at)
            at += 8
            if group != 0 or length > len(data) - at:
                raise MalformedDataSet("the command set has an element that does not belong there, or is not all there")
            if number in _ELEMENTS:
                keyword, vr = _ELEMENTS[number]
                values[keyword] = _value(keyword, vr, data[at : at + length])
            at += length
        if not isinstance(values.get("CommandField"), int):
            raise MalformedDataSet("the command set has no CommandField")
        return cls(values)

    def encode(self) -> bytes:
        """Raises ValueError for a keyword that is none of a command set."""
        parts = []
        for number, vr, value in sorted((*_NUMBER_OF[keyword], value) for keyword, value in self._values.items()):
            raw = _raw(vr, value)
            parts.append(struct.pack("<HHI", 0, number, len(raw)) + raw)
        body = b"".join(parts)
        return struct.pack("<HHII", 0, 0, 4, len(body)) + body

    def __getitem__(self, keyword: str) -> Value:
        return self._values[keyword]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Command({self._values!r})"

    def number(self, keyword: str, default: int = 0) -> int:
        value = self._values.get(keyword, default)
        return value if isinstance(value, int) else default

    def text(self, keyword: str) -> str:
        value = self._values.get(keyword, "")
        return value if isinstance(value, str) else ""

    @property
    def field(self) -> int:
        return self.number("CommandField")

    @property
    def name(self) -> str:
        """As people write it: C-STORE, N-ACTION; of a response, that of its request."""
        return NAMES.get(self.field & ~RESPONSE, f"{self.field:04X}H")

    @property
    def is_response(self) -> bool:
        return bool(self.field & RESPONSE)

    @property
    def message_id(self) -> int:
        return self.number("MessageID")

    @property
    def status(self) -> int:
        """Of a response; a processing failure where the peer has left it out."""
        return self.number("Status", 0x0110)

    @property
    def has_data_set(self) -> bool:
        return self.number("CommandDataSetType", NO_DATA_SET) != NO_DATA_SET

    @property
    def sop_class_uid(self) -> str:
        """The affected or the requested one."""
        return self.text("AffectedSOPClassUID") or self.text("RequestedSOPClassUID")

    @property
    def sop_instance_uid(self) -> str:
        return self.text("AffectedSOPInstanceUID") or self.text("RequestedSOPInstanceUID")

    def response(self, status: int, *, comment: str = "", **more: Value | None) -> Command:
        """The response to this request, with what has to be repeated from it (PS3.7 9.3, 10.3); `more` goes above all."""
        values: dict[str, Value | None] = {keyword: self._values.get(keyword) for keyword in _AFFECTED}
        for requested, affected in _REQUESTED.items():
            if requested in self._values:
                values[affected] = self._values[requested]
        values |= {
            "CommandField": self.field | RESPONSE,
            "MessageIDBeingRespondedTo": self.message_id,
            "Status": status,
            "ErrorComment": comment.encode("ascii", "replace").decode()[:_COMMENT_CHARACTERS_MAX],
        }
        return Command(values | more)

    def with_data_set(self, has_data_set: bool) -> Command:
        return Command({**self._values, "CommandDataSetType": 0x0001 if has_data_set else NO_DATA_SET})


def request(field: int, message_id: int, **values: Value | None) -> Command:
    """A request; `CommandDataSetType` is added when it is sent."""
    return Command({"CommandField": field, "MessageID": message_id, **values})


def _value(keyword: str, vr: str, raw: bytes) -> Value | None:
    if vr == "US":
        if len(raw) not in (0, 2):
            raise MalformedDataSet(f"{keyword} of the command set is no number of two bytes")
        return struct.unpack("<H", raw)[0] if raw else None
    if vr == "AT":
        if len(raw) % 4:
            raise MalformedDataSet(f"{keyword} of the command set is no list of tags")
        halves = struct.unpack(f"<{len(raw) // 2}H", raw)
        return tuple(group << 16 | element for group, element in zip(halves[::2], halves[1::2], strict=True))
    return raw.decode("ascii", "replace").rstrip("\0 ").lstrip(" ")


def _raw(vr: str, value: Any) -> bytes:
    if vr == "US":
        return struct.pack("<H", value)
    if vr == "AT":
        return b"".join(struct.pack("<HH", tag >> 16, tag & 0xFFFF) for tag in value)
    raw: bytes = value.encode("ascii", "replace")
    return raw + (b"\0" if vr == "UI" else b" ") * (len(raw) % 2)
