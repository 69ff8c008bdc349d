"""The change feed across processes, restarts, another schema, and a new index."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import lmdb
import pytest
from archives import LIMITS, incoming
from data import make_instance

from engine.archive.archive import Archive
from engine.archive.changes import ChangeKind
from engine.archive.reindex import reindex
from engine.errors import ChangesGone, IndexMismatch

_WRITER = """
import sys
from pathlib import Path
sys.path[:0] = [sys.argv[3]]
from archives import LIMITS, incoming
from data import make_instance
from engine.archive.archive import Archive
name = sys.argv[2]
archive = Archive.open(Path(sys.argv[1]), LIMITS)
for i in range(60):
    archive.store([incoming(make_instance(f"1.2.{name}.{i}.{k}", series=f"1.2.3.{name}", number=i)) for k in range(3)])
    print(archive.feed().last, flush=True)
archive.close()
"""


def test_processes_that_write_at_once_share_one_sequence(tmp_path: Path) -> None:
    archive = Archive.open(tmp_path / "archive", LIMITS)
    begun = archive.feed().last
    tests = str(Path(__file__).parents[1])
    command = [sys.executable, "-c", _WRITER, str(tmp_path / "archive")]
    writers = [subprocess.Popen([*command, name, tests], stdout=subprocess.PIPE, text=True) for name in ("7", "8", "9")]
    followed: list[str] = []
    since = begun
    while True:
        is_over = all(writer.poll() is not None for writer in writers)
        _, found = archive.changes(since, 100)  # as a client that follows: never a number that comes later
        followed += [change.sop_instance_uid for change in found]
        since = found[-1].sequence if found else since
        if is_over and not found:
            break
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    expected = {f"1.2.{n}.{i}.{k}" for n in (7, 8, 9) for i in range(60) for k in range(3)}
    assert len(followed) == len(expected) == since - begun
    assert set(followed) == expected
    for writer in writers:
        assert writer.stdout is not None
        lasts = [int(line) for line in writer.stdout]
        assert lasts == sorted(set(lasts))
        writer.stdout.close()
    archive.close()


def test_numbers_go_on_after_a_restart_and_begin_higher_after_reindex(tmp_path: Path) -> None:
    for i in range(1, 4):
        archive = Archive.open(tmp_path, LIMITS)
        archive.store([incoming(make_instance(f"1.2.3.4.{i}", number=i), i)])
        before = archive.feed()
        archive.close()
        assert before.last == before.epoch + i
    reindex(tmp_path, LIMITS)
    archive = Archive.open(tmp_path, LIMITS)
    after = archive.feed()
    assert after.epoch > before.last
    assert after.first == after.last == after.epoch, "a new index has no changes: everything is to be read anew"
    for number in (before.epoch, before.last):
        with pytest.raises(ChangesGone):
            archive.changes(number, 1)
    archive.delete(sop_uid="1.2.3.4.2")
    assert [c.kind for c in archive.changes(after.last, 9)[1]] == [ChangeKind.DELETED]
    archive.close()


def age(path: Path) -> None:
    """Make the index what the program before the feed wrote: schema version 2, without the table."""
    with lmdb.open(str(path / "index.lmdb"), max_dbs=16) as env, env.begin(write=True) as txn:
        txn.put(b"schema", b"2", db=env.open_db(b"meta", txn))
        txn.drop(env.open_db(b"changes", txn))


def test_an_index_without_a_feed_gets_one_by_the_first_that_writes(tmp_path: Path) -> None:
    archive = Archive.open(tmp_path, LIMITS)
    archive.store([incoming(make_instance())])
    dump = archive.dump()
    archive.close()
    age(tmp_path)
    with pytest.raises(IndexMismatch, match="run `voxcast reindex"):
        Archive.open(tmp_path, LIMITS, mode="read")
    archive = Archive.open(tmp_path, LIMITS)
    assert archive.dump() == dump
    begun = archive.feed()
    assert begun.first == begun.last == begun.epoch > 0
    archive.store([incoming(make_instance("1.2.3.4.2"))])
    assert [c.sop_instance_uid for c in archive.changes(begun.last, 9)[1]] == ["1.2.3.4.2"]
    archive.close()
    reader = Archive.open(tmp_path, LIMITS, mode="read")
    assert reader.feed().epoch == begun.epoch
    reader.close()
