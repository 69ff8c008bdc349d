"""Command sets against pynetdicom's encoding, both ways; and whatever else comes is an error of the sender (PS3.7 annex E)."""

from __future__ import annotations

import contextlib
import struct
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset
from pynetdicom.dsutils import decode, encode
from wire import command

from engine.dimse.command import _ELEMENTS, C_ECHO, C_MOVE, N_ACTION, NO_DATA_SET, RESPONSE, Command, request
from engine.errors import MalformedDataSet

_NUMBERS = st.integers(0, 0xFFFF)
_UIDS = st.from_regex(r"[1-9][0-9]{0,6}(\.[1-9][0-9]{0,6}){1,5}", fullmatch=True)
_TEXTS = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="\\"), min_size=1, max_size=16
)
_TAGS = st.lists(st.integers(0, 0xFFFFFFFF), min_size=1, max_size=5).map(tuple)
_OF_VR = {"US": _NUMBERS, "UI": _UIDS, "AE": _TEXTS, "LO": _TEXTS, "AT": _TAGS}
_VALUES = st.fixed_dictionaries(
    {"CommandField": _NUMBERS},
    optional={keyword: _OF_VR[vr] for keyword, vr in _ELEMENTS.values() if keyword != "CommandField"},
)


def as_data_set(values: dict[str, object]) -> Dataset:
    ds = Dataset()
    for keyword, value in values.items():
        setattr(ds, keyword, list(value) if isinstance(value, tuple) else value)
    return ds


@given(_VALUES)
def test_what_pynetdicom_writes_is_read(values: dict[str, object]) -> None:
    encoded = encode(as_data_set(values), True, True)
    assert encoded is not None
    assert dict(Command.parse(encoded)) == values


@given(_VALUES)
def test_what_we_write_pynetdicom_reads(values: dict[str, object]) -> None:
    encoded = Command(values).encode()  # type: ignore[arg-type]
    read = decode(BytesIO(encoded), True, True)
    assert len(encoded) - 12 == read.CommandGroupLength
    del read.CommandGroupLength
    assert read == as_data_set(values)
    assert [element.tag for element in read] == sorted(element.tag for element in read)
    assert dict(Command.parse(encoded)) == values


@given(st.binary(max_size=200))
def test_garbage_is_an_error_of_the_sender(data: bytes) -> None:
    try:
        found = Command.parse(data)
    except MalformedDataSet:
        return
    assert isinstance(found["CommandField"], int)


@given(_VALUES, st.integers(0, 400), st.binary(min_size=1, max_size=4))
def test_so_is_what_was_damaged_on_the_way(values: dict[str, object], at: int, damage: bytes) -> None:
    encoded = bytearray(Command(values).encode())  # type: ignore[arg-type]
    at %= len(encoded)
    encoded[at : at + len(damage)] = damage
    with contextlib.suppress(MalformedDataSet):
        Command.parse(bytes(encoded))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        command((0x0110, 1)),
        command((0x0100, 1))[:-1],
        command((0x0100, b"\1\0\0\0")),
        command((0x0100, 1), (0x1005, b"\1\0")),
        struct.pack("<HHI", 0, 0x0100, 0xFFFFFFFF),
        struct.pack("<HHIH", 8, 0x0100, 2, 1),
    ],
)
def test_what_is_no_command_set(data: bytes) -> None:
    with pytest.raises(MalformedDataSet):
        Command.parse(data)


def test_a_response_repeats_what_it_answers() -> None:
    asked = request(N_ACTION, 7, RequestedSOPClassUID="1.2", RequestedSOPInstanceUID="1.3", ActionTypeID=1)
    answer = asked.response(0x0110, comment="ä" + "x" * 100, ActionTypeID=1)
    assert answer.field == N_ACTION | RESPONSE
    assert (answer["AffectedSOPClassUID"], answer["AffectedSOPInstanceUID"]) == ("1.2", "1.3")
    assert (answer["MessageIDBeingRespondedTo"], answer.status) == (7, 0x0110)
    assert answer["ErrorComment"] == "?" + "x" * 63
    assert "MessageID" not in answer
    assert answer.name == "N-ACTION"


def test_a_data_set_is_announced_where_there_is_one() -> None:
    asked = request(C_MOVE, 1)
    assert asked.with_data_set(True).has_data_set
    assert not asked.with_data_set(False).has_data_set
    assert asked.with_data_set(False)["CommandDataSetType"] == NO_DATA_SET
    assert not Command.parse(command((0x0100, C_ECHO))).has_data_set, "left out is none"
    assert Command({"CommandField": C_ECHO | RESPONSE}).status == 0x0110, "a status that was left out is no success"
