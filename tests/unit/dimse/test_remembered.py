"""Requests for an association that are read once: the work is counted, passwords are not kept, and there is an end to it."""

from __future__ import annotations

import struct

import pytest
from wire import CT_IMAGE, EXPLICIT, item, request

from engine.dimse.negotiation import Request
from engine.dimse.remembered import RememberedRequests
from engine.errors import MalformedDataSet


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    read: list[bytes] = []
    parse = Request.parse

    def counted(pdu: bytes) -> Request:
        read.append(pdu)
        return parse(pdu)

    monkeypatch.setattr(Request, "parse", staticmethod(counted))
    return read


def test_the_same_request_is_read_once(reads: list[bytes]) -> None:
    remembered = RememberedRequests()
    first = remembered.parse(request("CT1"))
    assert remembered.parse(request("CT1")) is first
    assert (len(reads), first.calling) == (1, "CT1")
    assert remembered.parse(request("CT2")).calling == "CT2"
    assert len(reads) == 2


def test_those_that_came_last_are_kept(reads: list[bytes]) -> None:
    remembered = RememberedRequests()
    for n in range(40):
        remembered.parse(request(f"CT{n}"))
        remembered.parse(request("CT0"))
    assert len(reads) == 40
    remembered.parse(request("CT39"))
    assert len(reads) == 40
    remembered.parse(request("CT1"))
    assert len(reads) == 41


def test_passwords_and_what_is_long_are_read_each_time(reads: list[bytes]) -> None:
    remembered = RememberedRequests()
    identity = item(0x58, bytes((2, 0)) + struct.pack(">H4sH6s", 4, b"user", 6, b"secret"))
    many = [(n, CT_IMAGE, [EXPLICIT] * 30) for n in range(1, 256, 2)]
    for pdu in (request(more=identity), request(contexts=many)):
        assert remembered.parse(pdu) == remembered.parse(pdu)
    assert len(reads) == 4


def test_what_cannot_be_read_is_an_error_each_time(reads: list[bytes]) -> None:
    remembered = RememberedRequests()
    for _ in range(2):
        with pytest.raises(MalformedDataSet):
            remembered.parse(request(contexts=()))
    assert len(reads) == 2
