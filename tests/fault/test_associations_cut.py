"""kill -9 and a full disk while four associations send: what was acknowledged is there; on a full disk the sender hears A7xx."""

from __future__ import annotations

import hashlib
import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from archives import LIMITS, assert_reindex_is_equal
from data import make_instance
from disks import fill_up, small_disk
from retrieving import address, data_set
from serving import Serving
from wire import ASSOCIATE_AC, RELEASE, Wire, p_data, status_of, store

from engine.archive.archive import Archive
from engine.limits import MIB

SENDERS = 4
OUT_OF_RESOURCES = 0xA700
_PDU_BYTES = 16000  # of data in each P-DATA-TF


class Sender(threading.Thread):
    """One association after another, one instance at a time; `acknowledged` has what got a success, `refused` other statuses."""

    def __init__(self, server: Serving, name: str, *, pause_s: float = 0.0) -> None:
        super().__init__(name=name, daemon=True)
        self._address, self._pause_s = address(server), pause_s
        self.acknowledged: dict[str, bytes] = {}
        self.refused: list[int] = []
        self.is_over = False

    def run(self) -> None:
        chance = random.Random(self.name)
        numbers = itertools.count(1)
        while not self.is_over:
            try:
                with Wire.to(self._address) as wire:
                    if wire.associate(calling=self.name)[0] != ASSOCIATE_AC:
                        return
                    for number in itertools.islice(numbers, chance.randrange(5, 40)):
                        if self.is_over or not self._send(wire, number, chance):
                            break
                    wire.send(RELEASE)
                    wire.receive()
            except (OSError, AssertionError):  # the server has gone, in the middle of anything
                return

    def _send(self, wire: Wire, number: int, chance: random.Random) -> bool:
        study = f"1.2.{self.name.removeprefix('S')}"
        uid = f"{study}.1.{number}"
        content = make_instance(
            uid, study=study, series=f"{study}.1", number=number, rows=chance.randrange(20, 400), columns=120
        )
        data = data_set(content)
        wire.send(p_data(3, 3, store(uid, number & 0xFFFF)))
        for at in range(0, len(data), _PDU_BYTES):
            wire.send(p_data(3, 2 if at + _PDU_BYTES >= len(data) else 0, data[at : at + _PDU_BYTES]))
        answer = wire.receive()
        if answer is None:
            return False
        status = status_of(answer)
        if status == 0:
            self.acknowledged[uid] = hashlib.sha256(data).digest()
        else:
            self.refused.append(status)
            time.sleep(0.02)
        time.sleep(self._pause_s)
        return True


@contextmanager
def sending(server: Serving, first: int, *, pause_s: float = 0.0) -> Iterator[list[Sender]]:
    senders = [Sender(server, f"S{first + n}", pause_s=pause_s) for n in range(SENDERS)]
    for one in senders:
        one.start()
    try:
        yield senders
    finally:
        for one in senders:
            one.is_over = True
        for one in senders:
            one.join(30)
            assert not one.is_alive()


def wait_for(is_there: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not is_there():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def acknowledged_by(senders: list[Sender]) -> dict[str, bytes]:
    return {uid: digest for one in senders for uid, digest in one.acknowledged.items()}


def assert_all_there(path: Path, acknowledged: dict[str, bytes]) -> None:
    archive = Archive.open(path)
    try:
        for uid, digest in acknowledged.items():
            record = archive.instance(uid)
            stored = bytes(archive.read(record))[record.data_set_offset :]
            assert hashlib.sha256(stored).digest() == digest, uid
        assert [one for one in archive.upkeep().verify() if one.problem] == []
    finally:
        archive.close()


def kill_often(tmp_path: Path, moments: int) -> None:
    chance = random.Random(20260601)
    path, acknowledged = tmp_path / "archive", dict[str, bytes]()
    for turn in range(moments):
        server = Serving(path, "--workers", "1", dicom="127.0.0.1:0").start()
        with sending(server, 1000 + turn * SENDERS) as senders:
            wait_for(lambda: all(len(one.acknowledged) > 2 for one in senders), "nobody is answered")
            time.sleep(chance.uniform(0.0, 0.7))
            server.kill()
        acknowledged |= acknowledged_by(senders)
        assert [status for one in senders for status in one.refused] == []
        assert_all_there(path, acknowledged_by(senders))
    assert_all_there(path, acknowledged)
    assert_reindex_is_equal(path, LIMITS)


def test_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    kill_often(tmp_path, 2)


@pytest.mark.torture
@pytest.mark.timeout(3600)
def test_nothing_acknowledged_is_lost_in_100_moments(tmp_path: Path) -> None:
    kill_often(tmp_path, 100)


def fill_often(tmp_path: Path, times: int) -> None:
    """The disk fills up while all send, then has room again: the same associations go on."""
    (tmp_path / "v.toml").write_text(
        f'renditions = "off"\n[limits]\ndisk_reserve_bytes = {4 * MIB}\nsegment_bytes = {8 * MIB}\n'
    )
    options = ("--workers", "1", "--config", str(tmp_path / "v.toml"))
    acknowledged: dict[str, bytes] = {}
    with small_disk(tmp_path / "disk", 400 * MIB) as disk:
        path = disk / "archive"
        with Serving(path, *options, dicom="127.0.0.1:0") as server:
            for turn in range(times):
                with sending(server, 2000 + turn * SENDERS, pause_s=0.02) as senders:
                    wait_for(lambda: all(one.acknowledged for one in senders), "nobody is answered")
                    filler = fill_up(disk, 5 * MIB)
                    wait_for(lambda: all(one.refused for one in senders), "the disk is full, and nobody hears of it")
                    before = {one.name: len(one.acknowledged) for one in senders}
                    filler.unlink()
                    wait_for(
                        lambda: all(len(one.acknowledged) > before[one.name] + 1 for one in senders),  # noqa: B023
                        "there is room, and nobody goes on",
                    )
                assert {status & 0xFF00 for one in senders for status in one.refused} == {OUT_OF_RESOURCES}
                acknowledged |= acknowledged_by(senders)
            assert server.get("/readyz").status_code == 200
        assert_all_there(path, acknowledged)


def test_a_full_disk_is_told_and_forgotten_when_there_is_room(tmp_path: Path) -> None:
    fill_often(tmp_path, 2)


@pytest.mark.torture
@pytest.mark.timeout(3600)
def test_a_disk_that_is_full_thirty_times(tmp_path: Path) -> None:
    fill_often(tmp_path, 30)
