"""What only LMDB has: a map that grows under readers, slots of dead readers, a disk that fails under it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from itertools import islice
from pathlib import Path

import lmdb
import pytest

from engine.archive import lmdb_engine
from engine.archive.lmdb_engine import LmdbEngine, MapGrown
from engine.archive.map_gate import MapGate
from engine.errors import ArchiveFull, ArchiveReadOnly, TooBusy

TABLES = ("a",)


def fill(engine: LmdbEngine, name: bytes, count: int) -> int:
    """Values of 3 KB in one transaction; returns how often the map had to grow."""
    grown = 0
    while True:
        try:
            with engine.write() as txn:
                for i in range(count):
                    txn.put("a", name + i.to_bytes(4, "big"), bytes(3000))
            return grown
        except MapGrown:
            grown += 1


def test_the_map_grows_while_others_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Growing moves the memory: a snapshot that is open then would end the process with SIGSEGV."""
    monkeypatch.setattr(lmdb_engine, "_MAP_BYTES", 1 << 20)
    engine = LmdbEngine(tmp_path / "index", TABLES, is_writable=True)
    fill(engine, b"first", 5)
    stop = threading.Event()
    reads, failures = [0], []

    def read() -> None:
        while not stop.is_set():
            try:
                with engine.read() as view:
                    first = list(islice(view.scan("a"), 3))
                    time.sleep(0.001)  # the map must not move here
                    assert list(islice(view.scan("a"), 3)) == first
                    reads[0] += 1
            except Exception as error:  # noqa: BLE001 - shown by the assertion below
                failures.append(error)
                return

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    grown = sum(fill(engine, b"n%d" % n, 300) for n in range(4))
    stop.set()
    for thread in threads:
        thread.join()
    assert (failures, grown >= 2, reads[0] > 0) == ([], True, True)
    with engine.read() as view:
        assert view.count("a") == 1205
    engine.close()


def test_a_map_that_another_process_grew_is_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lmdb_engine, "_MAP_BYTES", 1 << 20)
    engine = LmdbEngine(tmp_path / "index", TABLES, is_writable=True)
    script = (
        "import sys; from pathlib import Path\n"
        "from engine.archive.lmdb_engine import LmdbEngine\n"
        "with LmdbEngine(Path(sys.argv[1]), ('a',), is_writable=True).write() as txn:\n"
        "    for i in range(2000): txn.put('a', b'%06d' % i, bytes(3000))\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "index")], check=True, timeout=60)
    with engine.read() as view:
        assert view.count("a") == 2000
    with engine.write() as txn:
        txn.put("a", b"mine", b"1")
    engine.close()


def test_slots_of_killed_readers_are_given_back(tmp_path: Path) -> None:
    """A dead reader's snapshot keeps every page alive that is freed after it: the index would only grow."""
    engine = LmdbEngine(tmp_path / "index", TABLES, is_writable=True)
    fill(engine, b"x", 5)
    script = (
        "import sys, time; from pathlib import Path\n"
        "from engine.archive.lmdb_engine import LmdbEngine\n"
        "with LmdbEngine(Path(sys.argv[1]), ('a',), is_writable=False).read() as view:\n"
        "    view.get('a', b'x'); print('reading', flush=True); time.sleep(60)\n"
    )
    reader = subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "index")], stdout=subprocess.PIPE)
    assert reader.stdout is not None
    assert reader.stdout.readline() == b"reading\n"
    assert engine.check_readers() == 0
    os.kill(reader.pid, signal.SIGKILL)
    reader.wait(10)
    reader.stdout.close()
    assert engine.check_readers() == 1
    engine.close()


class _Failing:
    """An environment whose transactions end in an error of the disk."""

    def __init__(self, error: lmdb.Error) -> None:
        self._error = error

    def begin(self, **_: object) -> None:
        raise self._error

    def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("error", "fault", "stays_writable"),
    [
        (lmdb.DiskError("mdb_txn_commit: No space left on device"), ArchiveFull, True),
        (lmdb.Error("mdb_txn_commit: Input/output error"), ArchiveReadOnly, False),
        (lmdb.PanicError("mdb_txn_begin"), ArchiveReadOnly, False),
        (lmdb.CorruptedError("mdb_put"), ArchiveReadOnly, False),
        (lmdb.BadValsizeError("mdb_put"), lmdb.BadValsizeError, True),
    ],
)
def test_what_the_disk_does_decides_whether_writing_goes_on(
    tmp_path: Path, error: lmdb.Error, fault: type[Exception], stays_writable: bool
) -> None:
    engine = LmdbEngine(tmp_path / "index", TABLES, is_writable=True)
    environment, engine._env = engine._env, _Failing(error)
    with pytest.raises(fault), engine.write():
        pass
    engine._env = environment
    assert bool(engine.read_only_reason) is not stays_writable
    if stays_writable:
        fill(engine, b"x", 1)
    else:
        with pytest.raises(ArchiveReadOnly), engine.write():
            pass
    engine.close()


def test_a_snapshot_inside_another_does_not_wait_for_a_resize() -> None:
    gate = MapGate()
    gate.enter()
    resized = threading.Event()

    def resize() -> None:
        with gate.alone():
            resized.set()

    thread = threading.Thread(target=resize)
    thread.start()
    assert not resized.wait(0.1)
    gate.enter()  # would hang here if it waited
    gate.leave()
    gate.leave()
    thread.join(10)
    assert resized.is_set()


def test_a_resize_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.archive.map_gate._WAIT_S", 0.05)
    gate = MapGate()
    thread = threading.Thread(target=gate.enter)
    thread.start()
    thread.join()
    with pytest.raises(TooBusy), gate.alone():
        pass
    gate.enter()  # and lets others in again
    gate.leave()
