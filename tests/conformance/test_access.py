"""Who may associate, and for what: titles, addresses, permissions, numbers; each refusal with result, source and reason (PS3.8)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from data import make_instance
from serving import Serving
from wire import (
    ABORT,
    ASSOCIATE_AC,
    ASSOCIATE_RJ,
    CT_IMAGE,
    EXPLICIT,
    IMPLICIT,
    RELEASE,
    RELEASE_RP,
    STUDY_ROOT_FIND,
    VERIFICATION,
    Wire,
    echo,
    item,
    p_data,
    results,
    status_of,
    store,
)

_SETTINGS = """
called_aets = ["OLD_NAME"]
unknown_callers = ["echo"]

[limits]
association_idle_s_max = 20

[peers.CT]
aet = "CT7"
permissions = ["echo", "store"]
addresses = ["127.0.0.7"]
associations_max = 2
pdu_bytes_max = 32768
idle_s_max = 1

[peers.STATION]
aet = "STATION"
permissions = ["find"]
total_s_max = 2

[peers.NOBODY]
aet = "NOBODY"
permissions = []

[peers.SECURE]
aet = "SECURE"
tls = "on"
"""
_ALL = (
    (1, VERIFICATION, (IMPLICIT,)),
    (3, CT_IMAGE, (EXPLICIT,)),
    (5, STUDY_ROOT_FIND, (IMPLICIT,)),
    (7, "1.2.3", (IMPLICIT,)),
)
PERMANENT, TRANSIENT, USER, PRESENTATION = 1, 2, 1, 3


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    folder = tmp_path_factory.mktemp("access")
    with served(folder, _SETTINGS) as running:
        yield dicom_address(running)


def served(folder: Path, settings: str) -> Serving:
    (folder / "access.toml").write_text(settings)
    return Serving(folder / "archive", "--workers", "1", "--config", str(folder / "access.toml"), dicom="127.0.0.1:0")


def dicom_address(running: Serving) -> tuple[str, int]:
    host, _, port = running.dicom.rpartition("@")[2].rpartition(":")
    return host, int(port)


def rejection(answer: tuple[int, bytes]) -> tuple[int, int, int]:
    """Result, source, reason."""
    assert answer[0] == ASSOCIATE_RJ, answer
    return answer[1][1], answer[1][2], answer[1][3]


@pytest.mark.parametrize(
    ("calling", "called", "source", "expected"),
    [
        ("CT7", "SOMEONE", "127.0.0.7", (PERMANENT, USER, 7)),
        ("CT7", "VOXCAST", "127.0.0.1", (PERMANENT, USER, 3)),
        ("NOBODY", "VOXCAST", "127.0.0.1", (PERMANENT, USER, 1)),
        ("SECURE", "VOXCAST", "127.0.0.1", (PERMANENT, USER, 1)),
    ],
)
def test_a_rejection_says_why(
    address: tuple[str, int], calling: str, called: str, source: str, expected: tuple[int, int, int]
) -> None:
    with Wire.to(address, source) as wire:
        assert rejection(wire.associate(calling=calling, called=called)) == expected
        assert wire.receive() is None, "whoever rejects closes"


def test_what_is_not_dicoms_application_context_is_rejected(address: tuple[str, int]) -> None:
    with Wire.to(address) as wire:
        assert rejection(wire.associate(application="1.2.3")) == (PERMANENT, USER, 2)


@pytest.mark.parametrize("called", ["VOXCAST", "OLD_NAME"])
def test_we_are_called_by_our_titles(address: tuple[str, int], called: str) -> None:
    with Wire.to(address) as wire:
        assert wire.associate(called=called)[0] == ASSOCIATE_AC


@pytest.mark.parametrize(
    ("calling", "source", "expected"),
    [
        ("CT7", "127.0.0.7", {1: 0, 3: 0, 5: 1, 7: 3}),
        ("STATION", "127.0.0.1", {1: 1, 3: 1, 5: 0, 7: 3}),
        ("WHOEVER", "127.0.0.1", {1: 0, 3: 1, 5: 1, 7: 3}),
    ],
)
def test_contexts_that_a_caller_may_not_use_are_rejected_by_the_user(
    address: tuple[str, int], calling: str, source: str, expected: dict[int, int]
) -> None:
    with Wire.to(address, source) as wire:
        assert results(wire.associate(calling=calling, contexts=_ALL)) == expected


@pytest.mark.parametrize(("scu", "scp"), [(0, 1), (0, 0)])
def test_a_role_that_nobody_has_is_no_context(address: tuple[str, int], scu: int, scp: int) -> None:
    """PS3.7 D.3.3.4: who wants to be the SCP of Verification finds no SCU in us."""
    role = item(0x54, len(VERIFICATION).to_bytes(2, "big") + VERIFICATION.encode() + bytes((scu, scp)))
    with Wire.to(address) as wire:
        assert results(wire.associate(calling="WHOEVER", contexts=_ALL[:2], more=role)) == {1: 1, 3: 1}


def test_a_message_of_another_service_in_a_context_is_refused(address: tuple[str, int]) -> None:
    """A C-STORE in the context of a C-ECHO is none of Verification's, and stores nothing."""
    with Wire.to(address) as wire:
        wire.associate(calling="WHOEVER")
        wire.send(p_data(1, 3, store()), p_data(1, 2, b"\0" * 100))
        assert status_of(wire.receive()) == 0x0118
        wire.send(p_data(1, 3, echo()))
        assert status_of(wire.receive()) == 0
        wire.send(RELEASE)
        assert wire.receive() == (RELEASE_RP, b"\0" * 4)


def test_a_message_in_a_context_that_was_rejected_ends_the_association(address: tuple[str, int]) -> None:
    with Wire.to(address) as wire:
        wire.associate(calling="WHOEVER")
        wire.send(p_data(3, 3, store()), p_data(3, 2, b"\0" * 100))
        answer = wire.ends()
        assert answer is not None
        assert answer[0] == ABORT


@contextmanager
def admitted(address: tuple[str, int]) -> Iterator[tuple[Wire, bytes]]:
    """An association of CT7, and what accepted it; those that have ended just now are noticed when a connection's end is read."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with Wire.to(address, "127.0.0.7") as wire:
            kind, body = wire.associate(calling="CT7")
            if kind == ASSOCIATE_AC:
                yield wire, body
                return
    raise AssertionError("the place of an association that ended stays taken")


def test_a_peer_has_its_own_number_of_associations(address: tuple[str, int]) -> None:
    wires = [Wire.to(address, "127.0.0.7") for _ in range(3)]
    answers = [wire.associate(calling="CT7") for wire in wires]
    assert [answer[0] for answer in answers] == [ASSOCIATE_AC, ASSOCIATE_AC, ASSOCIATE_RJ]
    assert rejection(answers[2]) == (TRANSIENT, PRESENTATION, 2)
    wires[0].close()
    with admitted(address):
        pass  # its place was free again
    for wire in wires:
        wire.close()


def test_a_peer_has_its_own_pdu_length_and_silence(address: tuple[str, int]) -> None:
    with admitted(address) as (wire, body):
        assert body[body.index(b"\x51\x00\x00\x04") + 4 :][:4] == (32768).to_bytes(4, "big")
        began = time.monotonic()
        answer = wire.ends()
        assert answer is not None
        assert answer[0] == ABORT
        assert 0.8 < time.monotonic() - began < 8, "of the acceptor the limit is 20 s"


def test_a_peer_has_its_own_total_time(address: tuple[str, int]) -> None:
    """However busy it is."""
    with Wire.to(address) as wire:
        wire.associate(calling="STATION", contexts=_ALL)
        began = time.monotonic()
        answer: tuple[int, bytes] | None = (0, b"")
        while answer is not None and answer[0] != ABORT and time.monotonic() - began < 15:
            wire.send(p_data(5, 3, echo()))
            answer = wire.receive()
            time.sleep(0.05)
        assert answer is None or answer[0] == ABORT
        assert 1.5 < time.monotonic() - began < 10


@pytest.mark.parametrize(("setting", "expected"), [("", ASSOCIATE_AC), ("unknown_callers = []", ASSOCIATE_RJ)])
def test_who_is_no_peer_is_taken_from_this_machine_unless_told_otherwise(
    tmp_path: Path, setting: str, expected: int
) -> None:
    with served(tmp_path, setting) as running, Wire.to(dicom_address(running)) as wire:
        answer = wire.associate(called="ANYTHING")
        assert answer[0] == expected
        if expected == ASSOCIATE_RJ:
            assert rejection(answer) == (PERMANENT, USER, 3)


def test_private_storage_is_taken_where_the_settings_say_so(tmp_path: Path) -> None:
    """And kept as it came."""
    private = "1.2.276.0.7230010.3.1.0.1"
    instance = make_instance("1.2.3.4.9").replace(CT_IMAGE.encode() + b"\0", private.encode() + b"\0")
    data = instance[144 + int.from_bytes(instance[140:144], "little") :]
    with served(tmp_path, 'storage_classes = ["any"]') as running, Wire.to(dicom_address(running)) as wire:
        assert results(
            wire.associate(contexts=((1, private, (EXPLICIT,)), (3, "1.2.840.10008.1.20.2", (IMPLICIT,))))
        ) == {1: 0, 3: 3}
        wire.send(p_data(1, 3, store("1.2.3.4.9", sop_class=private)), p_data(1, 2, data))
        assert status_of(wire.receive()) == 0
        [found] = running.get("/dicom-web/studies/1.2.3/series/1.2.3.4/instances").json()
        assert found["00080016"]["Value"] == [private]
