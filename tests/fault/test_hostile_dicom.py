"""Peers that are broken or mean harm: each costs itself its association, memory stays bounded, and a neighbour notices nothing."""

from __future__ import annotations

import contextlib
import os
import resource
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from data import make_instance
from serving import Serving
from wire import (
    ABORT,
    ASSOCIATE_AC,
    ASSOCIATE_RJ,
    ASSOCIATE_RQ,
    CT_IMAGE,
    EXPLICIT,
    IMPLICIT,
    P_DATA,
    RELEASE,
    RELEASE_RP,
    RELEASE_RQ,
    VERIFICATION,
    Wire,
    command,
    echo,
    item,
    p_data,
    pdu,
    pdv,
    request,
    results,
    status_of,
    store,
)

from engine.limits import MIB

_SETTINGS = """
log_level = "warning"

[limits]
association_request_s_max = 2
association_idle_s_max = 2
association_total_s_max = 6
instance_bytes_max = 67108864
waiting_connections_max = 64
"""
_ABOVE_IDLE_MAX = 64 * MIB
_PROMPT_S = 5.0
_PDU = 131072
_NOT_RECOGNIZED, _UNEXPECTED, _INVALID = 1, 2, 6  # reasons of A-ABORT by the provider (PS3.8 table 9-26)
INSTANCE = make_instance("1.2.3.4.77")
DATA_SET = INSTANCE[144 + struct.unpack("<I", INSTANCE[140:144])[0] :]


class Victim:
    """The server, and what a neighbour finds."""

    def __init__(self, running: Serving) -> None:
        host, _, port = running.dicom.rpartition("@")[2].rpartition(":")
        self.serving, self.address = running, (host, int(port))
        self.neighbour()  # the first caller brings the DICOM process up
        self.pid = next(pid for pid in _processes() if self._is_acceptor(pid))
        self.idle_bytes = self.resident()

    def _is_acceptor(self, pid: int) -> bool:
        with contextlib.suppress(OSError):
            said = Path(f"/proc/{pid}/cmdline").read_bytes()
            return b"engine.server.dicom_acceptor" in said and os.getpgid(pid) == self.serving.process.pid
        return False

    def resident(self) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:"))) * 1024

    def neighbour(self) -> None:
        """Somebody else echoes and stores meanwhile, and does not have to wait."""
        began = time.monotonic()
        with Wire.to(self.address, "127.0.0.2") as wire:
            assert results(wire.associate(calling="NEIGHBOUR")) == {1: 0, 3: 0}
            wire.send(p_data(1, 3, echo()))
            assert status_of(wire.receive()) == 0
            wire.send(p_data(3, 3, store("1.2.3.4.77", 2)), p_data(3, 2, DATA_SET))
            assert status_of(wire.receive()) == 0
            wire.send(RELEASE)
            assert wire.receive() == (RELEASE_RP, b"\0" * 4)
        assert time.monotonic() - began < (_PROMPT_S if hasattr(self, "pid") else 30)

    def hostile(self, **options: object) -> Wire:
        """An association of somebody who means harm."""
        wire = Wire.to(self.address)
        assert wire.associate(**options)[0] == ASSOCIATE_AC
        return wire


def _processes() -> list[int]:
    return [int(one.name) for one in Path("/proc").iterdir() if one.name.isdigit()]


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "quick.toml").write_text(_SETTINGS)
    options = ("--workers", "1", "--config", str(folder / "quick.toml"))
    with Serving(folder / "archive", *options, dicom="127.0.0.1:0") as running:
        yield Victim(running)
        assert "Traceback" not in running.said()


def rq(**options: object) -> bytes:
    return request(**options)  # type: ignore[arg-type]


_FLOOD = tuple((2 * (n % 128) + 1, f"1.2.3.{n}", [IMPLICIT] * 20) for n in range(400))
_STORE = p_data(3, 1 | 2, store())
# What is sent as the first thing on a connection: state Sta2 of PS3.8 table 9-10.
BEFORE: dict[str, bytes] = {
    "garbage": b"GET / HTTP/1.1\r\nHost: pacs\r\n\r\n",
    "zeros": b"\0" * 100,
    "TLS on a port without": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "data before an association": p_data(1, 3, echo()),
    "release before an association": RELEASE,
    "release response before an association": pdu(RELEASE_RP, bytes(4)),
    "acceptance by who should ask": pdu(2, rq()[6:]),
    "rejection by who should ask": pdu(ASSOCIATE_RJ, bytes(4)),
    "4 GiB of request": pdu(ASSOCIATE_RQ, b"\0\1", 0xFFFFFFFF),
    "a request of no bytes": pdu(ASSOCIATE_RQ, b""),
    "a request that ends early": pdu(ASSOCIATE_RQ, rq()[6:100]),
    "an item longer than its PDU": pdu(ASSOCIATE_RQ, rq()[6:74] + struct.pack(">BxH", 0x20, 0xFFFF)),
    "a request of noise": pdu(ASSOCIATE_RQ, rq()[6:74] + bytes(range(256)) * 8),
    "a flood of contexts": rq(contexts=_FLOOD),
    "no context": rq(contexts=()),
    "one context twice": rq(contexts=[(1, VERIFICATION, [IMPLICIT]), (1, CT_IMAGE, [EXPLICIT])]),
}
# What is sent within an association (Sta6) → the reason of the A-ABORT by the provider; 0 where the connection is only closed.
WITHIN: dict[str, tuple[bytes, int]] = {
    "a PDU of no kind": (pdu(8, b"abcd"), _NOT_RECOGNIZED),
    "garbage": (b"\xff" * 1000, _NOT_RECOGNIZED),
    "4 GiB of P-DATA-TF": (pdu(P_DATA, pdv(1, 3, echo()), 0xFFFFFFFF), _INVALID),
    "more P-DATA-TF than was agreed": (pdu(P_DATA, pdv(1, 1, bytes(_PDU + 1000))), _INVALID),
    "4 GiB of item": (pdu(P_DATA, struct.pack(">IBB", 0xFFFFFFFF, 1, 3) + echo()), _INVALID),
    "an item of no length": (pdu(P_DATA, struct.pack(">IBB", 0, 1, 3)), _INVALID),
    "an item of one byte": (pdu(P_DATA, struct.pack(">IBB", 1, 1, 3)), _INVALID),
    "half of an item's head": (pdu(P_DATA, b"\0\0\0"), _INVALID),
    "an even context": (p_data(2, 3, echo()), _INVALID),
    "a context that was not proposed": (p_data(99, 3, echo()), _INVALID),
    "context 0": (p_data(0, 3, echo()), _INVALID),
    "data before its command": (p_data(3, 2, DATA_SET), _UNEXPECTED),
    "a command where its data has to be": (_STORE + p_data(3, 3, store()), _UNEXPECTED),
    "data in another context": (_STORE + p_data(1, 2, DATA_SET), _INVALID),
    "a command in two contexts": (p_data(1, 1, echo()[:20]) + p_data(3, 3, echo()[20:]), _INVALID),
    "a second association request": (rq(), _UNEXPECTED),
    "a second request within data": (_STORE + p_data(3, 0, DATA_SET[:100]) + rq(), _UNEXPECTED),
    "an acceptance": (pdu(2, rq()[6:]), _UNEXPECTED),
    "a release response": (pdu(RELEASE_RP, bytes(4)), _UNEXPECTED),
    "a command of no bytes": (p_data(1, 3, b""), _INVALID),
    "a command of noise": (p_data(1, 3, bytes(range(256))), _INVALID),
    "a command without a field": (p_data(1, 3, command((0x0110, 1))), _INVALID),
    "an element of 4 GiB in a command": (p_data(1, 3, struct.pack("<HHI", 0, 0x100, 0xFFFFFFFF)), _INVALID),
    "a command of a megabyte": (b"".join(p_data(1, 1, bytes(100_000)) for _ in range(11)), _INVALID),
    "fragments of nothing": (_STORE + pdu(P_DATA, pdv(3, 0, b"") * 2000), _INVALID),
    "PDUs of nothing": (pdu(P_DATA, b"") * 2000, _INVALID),
    "a release request within data": (_STORE + p_data(3, 0, DATA_SET[:100]) + RELEASE, _UNEXPECTED),
    "an abort within data": (_STORE + p_data(3, 0, DATA_SET[:100]) + pdu(ABORT, bytes(4)), 0),
    "a long release": (pdu(RELEASE_RQ, bytes(8), 0xFFFFFF), _INVALID),
}  # fmt: skip


def assert_aborted(wire: Wire, reason: int) -> None:
    answer = wire.ends()
    if reason:
        assert answer == (ABORT, bytes((0, 0, 2, reason)))
    else:
        assert answer is None


@pytest.mark.parametrize("name", BEFORE)
def test_what_is_no_association_request(victim: Victim, name: str) -> None:
    """AA-1: A-ABORT, whose source is the service user."""
    with Wire.to(victim.address) as wire:
        wire.send(BEFORE[name])
        assert wire.ends() == (ABORT, bytes(4))


def test_an_abort_before_an_association_is_the_end(victim: Victim) -> None:
    with Wire.to(victim.address) as wire:
        wire.send(pdu(ABORT, bytes(4)))
        assert wire.receive() is None


@pytest.mark.parametrize("name", WITHIN)
def test_what_has_no_place_in_an_association(victim: Victim, name: str) -> None:
    sent, reason = WITHIN[name]
    with victim.hostile() as wire:
        with contextlib.suppress(ConnectionError):  # it may be refused before all of it was sent
            wire.send(sent)
        assert_aborted(wire, reason)


def test_a_neighbour_noticed_nothing_of_all_that(victim: Victim) -> None:
    victim.neighbour()
    assert victim.resident() - victim.idle_bytes < _ABOVE_IDLE_MAX


def test_what_is_odd_and_allowed(victim: Victim) -> None:
    """Pieces of one byte, fragments of nothing, several items in one PDU, a release and an abort in their places."""
    with victim.hostile() as wire:
        for byte in echo(7):
            wire.send(p_data(1, 1, bytes([byte])), p_data(1, 1, b""))
        wire.send(p_data(1, 3, b""))
        assert status_of(wire.receive()) == 0
        parts = pdv(3, 3, store("1.2.3.4.77", 8)) + pdv(3, 0, DATA_SET[:50]) + pdv(3, 0, b"") + pdv(3, 2, DATA_SET[50:])
        for at in range(0, len(parts), 7):  # torn apart on the way as well
            wire.send(pdu(P_DATA, parts[:7], len(parts)) if at == 0 else parts[at : at + 7])
        assert status_of(wire.receive()) == 0
        wire.send(RELEASE)
        assert wire.receive() == (RELEASE_RP, bytes(4))


def test_a_flood_of_contexts_that_fits_is_answered(victim: Victim) -> None:
    """128 contexts, half of them nothing of ours."""
    contexts = [(2 * n + 1, VERIFICATION if n % 2 else f"1.2.3.{n}", [EXPLICIT, IMPLICIT] * 20) for n in range(128)]
    with Wire.to(victim.address) as wire:
        found = results(wire.associate(contexts=contexts))
        assert found == {number: 0 if uid == VERIFICATION else 3 for number, uid, _ in contexts}
    victim.neighbour()


def test_a_thousand_connections_that_say_nothing(victim: Victim) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 4096:
        pytest.skip("needs 4096 descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4096), hard))
    threads = len(list(Path(f"/proc/{victim.pid}/task").iterdir()))
    idle = []
    try:
        for n in range(1000):
            idle.append(Wire.to(victim.address, f"127.0.1.{n % 250 + 1}"))
            if n % 2:  # half of them have begun
                idle[-1].send(rq()[: n % 70])
            if n % 250 == 249:
                victim.neighbour()
        assert len(list(Path(f"/proc/{victim.pid}/task").iterdir())) <= threads + 2
        assert victim.resident() - victim.idle_bytes < _ABOVE_IDLE_MAX
        assert len(list(Path(f"/proc/{victim.pid}/fd").iterdir())) < 200, "more wait than may"
        began = time.monotonic()
        for wire in idle:
            assert wire.receive() is None
        assert time.monotonic() - began < 10
    finally:
        for wire in idle:
            wire.close()
    victim.neighbour()


def test_a_request_that_trickles_in_has_its_time(victim: Victim) -> None:
    with Wire.to(victim.address) as wire:
        wire.send(rq(contexts=[(1, VERIFICATION, [IMPLICIT] * 200)])[:4000])
        assert 1.5 < pour(wire, b"\0", 0.05, 10) < 5
        assert wire.receive() is None


def pour(wire: Wire, data: bytes, pause_s: float, most_s: float) -> float:
    """Send it again and again until the other side says something or is gone; seconds that this took."""
    began = time.monotonic()
    with contextlib.suppress(ConnectionError):
        while time.monotonic() - began < most_s and not select.select([wire.connection], [], [], pause_s)[0]:
            wire.send(data)
    return time.monotonic() - began


@contextlib.contextmanager
def meanwhile(work: Callable[[threading.Event], None]) -> Iterator[threading.Thread]:
    stop = threading.Event()
    thread = threading.Thread(target=work, args=(stop,))
    thread.start()
    try:
        yield thread
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive()


def test_data_that_never_ends_at_speed(victim: Victim) -> None:
    """Beyond the longest instance it is read for a while, so that the peer gets its status; then it is over."""
    pieces = p_data(3, 0, bytes(_PDU - 6)) * 16
    ended = threading.Event()

    def send(stop: threading.Event) -> None:
        with victim.hostile() as wire:
            wire.send(_STORE)
            try:
                while not stop.is_set():
                    wire.send(pieces)
            except ConnectionError:
                ended.set()

    with meanwhile(send):
        began, most = time.monotonic(), 0
        while not ended.is_set() and time.monotonic() - began < 30:
            victim.neighbour()
            most = max(most, victim.resident())
        assert ended.is_set()
    assert most - victim.idle_bytes < 2 * _ABOVE_IDLE_MAX  # 16 MiB a piece, and what the neighbour's instance takes


@pytest.mark.parametrize("kind", ["data", "command"])
def test_what_trickles_and_never_ends(victim: Victim, kind: str) -> None:
    """A byte now and then is no progress."""
    with victim.hostile() as wire:
        if kind == "data":
            wire.send(_STORE)
        assert 1.5 < pour(wire, p_data(3, 0, b"x") if kind == "data" else p_data(1, 1, b"x"), 0.05, 15) < 8
    victim.neighbour()


def test_a_slow_and_steady_data_set_has_the_total_time(victim: Victim) -> None:
    """Enough for each wait, and still without an end."""
    with victim.hostile() as wire:
        wire.send(_STORE)
        assert 4 < pour(wire, p_data(3, 0, bytes(60_000)), 0.1, 20) < 10


def test_aborts_in_mid_data_set_leave_nothing(victim: Victim) -> None:
    """Of small ones and of those that are in a segment already; by A-ABORT, by reset, by silence."""
    segments = victim.serving.archive / "segments"
    before = {one.name for one in segments.iterdir()}
    for length in (1000, 40 * MIB):
        for way in ("abort", "reset", "close"):
            with victim.hostile() as wire:
                wire.send(_STORE)
                for _ in range(max(length // (_PDU - 6), 1)):
                    wire.send(p_data(3, 0, bytes(min(_PDU - 6, length))))
                if way == "abort":
                    wire.send(pdu(ABORT, bytes(4)))
                    wire.ends()
                elif way == "reset":
                    wire.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            victim.neighbour()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and {one.name for one in segments.iterdir()} != before:
        time.sleep(0.1)
    assert {one.name for one in segments.iterdir()} == before


def test_associations_over_the_limit(victim: Victim) -> None:
    """Nobody takes all places: the rest of the requests of one address are rejected for now."""
    wires = [Wire.to(victim.address) for _ in range(60)]
    try:
        answers = []
        for wire in wires:
            with contextlib.suppress(ConnectionError):
                wire.send(rq())
        for wire in wires:
            answers.append(wire.receive())
        victim.neighbour()
        taken = [answer for answer in answers if answer is not None and answer[0] == ASSOCIATE_AC]
        rejected = [answer for answer in answers if answer is not None and answer[0] == ASSOCIATE_RJ]
        assert len(taken) == 25
        assert {answer[1][1:4] for answer in rejected} == {bytes((2, 3, 2))}
        assert len(rejected) >= 25
    finally:
        for wire in wires:
            wire.close()


def test_who_does_not_read_its_answers(victim: Victim) -> None:
    """A thousand echoes and nobody takes the responses: the association ends, the thread is free again."""
    with victim.hostile() as wire:
        wire.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        began = time.monotonic()
        with contextlib.suppress(ConnectionError, TimeoutError):
            wire.connection.settimeout(15)
            while time.monotonic() - began < 20:
                wire.send(p_data(1, 3, echo()) * 1000)
        assert time.monotonic() - began < 18
    victim.neighbour()


def test_items_that_nobody_knows_are_passed_over(victim: Victim) -> None:
    """PS3.8 9.3.1: unrecognized items are ignored; and user information may have anything in it."""
    strange = item(0x7F, b"whatever") + item(0x58, b"\x09\x00\x00\x00\x00\x00")
    with Wire.to(victim.address) as wire:
        wire.send(rq(more=strange))
        answer = wire.receive()
        assert answer is not None
        assert answer[0] in (ASSOCIATE_AC, ABORT)
    victim.neighbour()
