"""What only an archive on disk has: recovery, reindex, tar that others read, two processes, damage."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import lmdb
import pytest
from archives import LIMITS, assert_reindex_is_equal, incoming
from data import make_instance

from engine.archive.archive import REPLACE, Archive
from engine.archive.packing import SCHEMA_VERSION
from engine.archive.records import StoreStatus
from engine.archive.reindex import reindex
from engine.errors import ArchiveLocked, IndexMismatch, InstanceNotFound


def fill(archive: Archive, count: int, rows: int = 32) -> dict[str, bytes]:
    contents = {f"1.2.3.4.{i}": make_instance(f"1.2.3.4.{i}", number=i, rows=rows) for i in range(1, count + 1)}
    for i, content in enumerate(contents.values(), 1):
        archive.store([incoming(content, i)])
    return contents


def test_everything_is_there_after_reopening(tmp_path: Path) -> None:
    archive = Archive.open(tmp_path, LIMITS)
    contents = fill(archive, 10)
    archive.close()
    archive = Archive.open(tmp_path, LIMITS, mode="read")
    assert {uid: archive.read(archive.instance(uid)) for uid in contents} == contents
    assert not archive.is_writable
    archive.close()


def test_reindex_gives_an_equal_index(tmp_path: Path) -> None:
    archive = Archive.open(tmp_path, LIMITS, on_conflict=REPLACE)
    fill(archive, 30)
    archive.store([incoming(make_instance("1.2.3.4.7", patient="OTHER", series="1.2.3.77"), 100)])
    archive.store([incoming(make_instance("odd uid/../..", study="1.02.3", number=5), 101)])
    archive.delete(sop_uid="1.2.3.4.3")
    archive.upkeep().erase_due(0)
    archive.delete(sop_uid="1.2.3.4.4")
    before = archive.dump()
    archive.close()
    shutil.rmtree(tmp_path / "index.lmdb")
    with pytest.raises(IndexMismatch, match="reindex"):
        Archive.open(tmp_path, LIMITS)
    assert reindex(tmp_path, LIMITS) > 30
    archive = Archive.open(tmp_path, LIMITS)
    after = archive.dump()
    for table in before:
        assert after[table] == before[table], table
    archive.close()


def age(path: Path) -> None:
    """Make the index one of schema version 1, whose records have other fields: here none that this program could read."""
    with lmdb.open(str(path / "index.lmdb"), max_dbs=16) as env, env.begin(write=True) as txn:
        meta = env.open_db(b"meta", txn)
        assert txn.get(b"schema", db=meta) == str(SCHEMA_VERSION).encode() != b"1"
        txn.put(b"schema", b"1", db=meta)
        for table in (b"instances", b"series", b"studies"):
            records = env.open_db(table, txn)
            keys = [key for key, _ in txn.cursor(records)]
            assert keys
            for key in keys:
                txn.put(key, b"of version 1", db=records)


def test_an_index_of_an_older_schema_is_refused_until_it_is_built_again(tmp_path: Path) -> None:
    archive = Archive.open(tmp_path, LIMITS)
    contents = fill(archive, 8)
    before = archive.dump()
    archive.close()
    age(tmp_path)
    for mode in ("read", "write"):
        with pytest.raises(IndexMismatch, match=f"schema version 1, .*run `voxcast reindex --archive {tmp_path}`"):
            Archive.open(tmp_path, LIMITS, mode=mode)

    def command(*words: str) -> subprocess.CompletedProcess[str]:
        run = [sys.executable, "-P", "-m", "engine.cli", *words, "--archive", str(tmp_path)]
        clean = {k: v for k, v in os.environ.items() if not k.startswith("VOXCAST_")}
        return subprocess.run(run, capture_output=True, text=True, env=clean, timeout=60)

    for refused in (command("stats"), command("serve", "--http", "127.0.0.1:0", "--dicom", "off")):
        assert refused.returncode != 0
        assert "voxcast reindex" in refused.stderr and "Traceback" not in refused.stderr
    assert command("reindex").returncode == 0
    assert command("stats").returncode == 0
    archive = Archive.open(tmp_path, LIMITS)
    assert {uid: archive.read(archive.instance(uid)) for uid in contents} == contents
    after = archive.dump()
    for table in before:
        assert after[table] == before[table], table
    archive.store([incoming(make_instance("1.2.3.4.99", number=99), 99)])
    assert archive.stats().instances == 9
    archive.close()


def test_tar_reads_every_segment(tmp_path: Path) -> None:
    archive = Archive.open(tmp_path / "archive", LIMITS)
    contents = fill(archive, 20, rows=300)
    archive.close()
    out = tmp_path / "out"
    out.mkdir()
    for segment in sorted((tmp_path / "archive" / "segments").glob("*.tar")):
        run = subprocess.run(["tar", "xf", segment, "-C", out], capture_output=True, text=True)
        assert (run.returncode, run.stderr) == (0, "")
    for uid, content in contents.items():
        assert (out / "1.2.3" / "1.2.3.4" / f"{uid}.dcm").read_bytes() == content


def test_a_torn_tail_is_cut_and_the_rest_indexed(tmp_path: Path) -> None:
    archive = Archive.open(tmp_path / "a", LIMITS)
    contents = fill(archive, 5)
    archive.close()
    # What a crash leaves: members 4 and 5 written but 5 only in part, none of them in the index.
    twin = Archive.open(tmp_path / "b", LIMITS)
    fill(twin, 3)
    twin.close()
    whole = (tmp_path / "a" / "segments" / "000001.tar").read_bytes()
    torn = bytearray(whole)
    torn[-300:] = bytes(300)
    (tmp_path / "b" / "segments" / "000001.tar").write_bytes(torn)
    twin = Archive.open(tmp_path / "b", LIMITS)
    assert twin.stats().instances == 4
    assert twin.read(twin.instance("1.2.3.4.4")) == contents["1.2.3.4.4"]
    twin.store([incoming(contents["1.2.3.4.5"], 5)])
    assert [c for c in twin.upkeep().verify() if c.problem] == []
    dump = twin.dump()
    twin.close()
    reindex(tmp_path / "b", LIMITS)
    twin = Archive.open(tmp_path / "b", LIMITS)
    assert twin.dump() == dump
    twin.close()


def test_a_tombstone_counts_even_if_the_index_never_heard_of_it(tmp_path: Path) -> None:
    archive = Archive.open(tmp_path, LIMITS)
    fill(archive, 5)
    archive.close()
    shutil.copytree(tmp_path / "index.lmdb", tmp_path / "before")
    archive = Archive.open(tmp_path, LIMITS)
    archive.delete(sop_uid="1.2.3.4.2")
    dump = archive.dump()
    archive.close()
    shutil.rmtree(tmp_path / "index.lmdb")
    (tmp_path / "before").rename(tmp_path / "index.lmdb")  # the crash came before the commit
    archive = Archive.open(tmp_path, LIMITS)
    assert archive.dump() == dump
    archive.close()


def test_verify_finds_a_flipped_bit(tmp_path: Path) -> None:
    archive = Archive.open(tmp_path, LIMITS)
    fill(archive, 3)
    location = archive.instance("1.2.3.4.2").location
    with (tmp_path / "segments" / f"{location.segment:06d}.tar").open("r+b") as segment:
        segment.seek(location.offset + location.length - 5)
        byte = segment.read(1)
        segment.seek(-1, os.SEEK_CUR)
        segment.write(bytes([byte[0] ^ 1]))
    problems = [c for c in archive.upkeep().verify() if c.problem]
    assert [c.sop_instance_uid for c in problems] == ["1.2.3.4.2"]
    archive.close()


def test_reindex_skips_damage_and_keeps_the_rest(tmp_path: Path) -> None:
    archive = Archive.open(tmp_path, LIMITS)
    fill(archive, 5)
    location = archive.instance("1.2.3.4.2").location
    archive.close()
    with (tmp_path / "segments" / f"{location.segment:06d}.tar").open("r+b") as segment:
        segment.seek(location.offset - 600)
        segment.write(b"damage" * 20)
    reindex(tmp_path, LIMITS)
    archive = Archive.open(tmp_path, LIMITS, mode="read")
    assert [r.sop_instance_uid for r in archive.members("1.2.3", "1.2.3.4")] == [f"1.2.3.4.{i}" for i in (1, 3, 4, 5)]
    archive.close()


def test_two_processes_write_at_once(tmp_path: Path) -> None:
    Archive.open(tmp_path, LIMITS).close()
    script = (
        "import sys; sys.path[:0] = sys.argv[3:]\n"
        "from pathlib import Path\n"
        "from test_archive_on_disk import *\n"
        "archive = Archive.open(Path(sys.argv[1]), LIMITS)\n"
        "for i in range(40):\n"
        "    archive.store([incoming(make_instance(f'1.2.3.{sys.argv[2]}.{i}', number=i), i)])\n"
        "archive.close()\n"
    )
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    running = [subprocess.Popen([sys.executable, "-c", script, str(tmp_path), name, *paths]) for name in ("7", "8")]
    assert [p.wait(60) for p in running] == [0, 0]
    archive = Archive.open(tmp_path, LIMITS)
    assert archive.series("1.2.3", "1.2.3.4").instance_count == 80
    assert [c for c in archive.upkeep().verify() if c.problem] == []
    archive.close()


def test_reindex_refuses_while_someone_writes(tmp_path: Path) -> None:
    archive = Archive.open(tmp_path, LIMITS)
    fill(archive, 1)
    with pytest.raises(ArchiveLocked):
        reindex(tmp_path, LIMITS)
    archive.close()


def test_what_the_index_names_and_the_disk_never_got_is_given_up(tmp_path: Path) -> None:
    """Bytes and index go to the disk at the same time: a power cut may leave the second without the first."""
    archive = Archive.open(tmp_path, LIMITS)
    contents = fill(archive, 4)
    lost = [make_instance(f"1.2.3.4.{n}", number=n) for n in (5, 6)]
    archive.store([incoming(content, 5 + n) for n, content in enumerate(lost)])
    archive.close()
    segment = tmp_path / "segments" / "000001.tar"
    whole = segment.read_bytes()
    place = whole.index(lost[1][-200:])
    segment.write_bytes(whole[:place] + bytes(len(whole) - place))
    archive = Archive.open(tmp_path, LIMITS)
    assert archive.stats().instances == 5
    assert {uid: archive.read(archive.instance(uid)) for uid in contents} == contents
    assert archive.read(archive.instance("1.2.3.4.5")) == lost[0]
    with pytest.raises(InstanceNotFound):
        archive.instance("1.2.3.4.6")
    assert [c for c in archive.upkeep().verify() if c.problem] == []
    assert archive.store([incoming(lost[1], 9)])[0].status is StoreStatus.STORED
    assert archive.read(archive.instance("1.2.3.4.6")) == lost[1]
    archive.close()
    assert_reindex_is_equal(tmp_path)


def test_a_twin_that_may_be_in_memory_only_is_made_safe_before_it_counts(tmp_path: Path) -> None:
    content = make_instance("1.2.3.4.1", number=1)
    archive = Archive.open(tmp_path, LIMITS)
    archive.store([incoming(content, 1)])
    syncs = archive.syncs
    assert archive.store([incoming(content, 2)])[0].status is StoreStatus.DUPLICATE
    assert archive.syncs == syncs  # it has waited for the disk itself
    archive.close()
    archive = Archive.open(tmp_path, LIMITS)
    assert archive.syncs == 0
    assert archive.store([incoming(content, 3)])[0].status is StoreStatus.DUPLICATE
    assert archive.syncs == 1  # nobody knows whether the process before it did
    archive.close()
